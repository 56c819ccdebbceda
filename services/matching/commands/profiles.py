"""The projection as profiles that the rules can compare, and what of it goes into a run's inputs."""

import hashlib
import json
from collections import defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.matching.rules.profile import Aim, Gain, Measured, Profile, Skill, provisional
from services.matching.tables import Cluster, Level, Places, Request, Target
from services.matching.tables import Gain as GainRow
from shared.db import WriteSession


async def profiles(tx: WriteSession, consortium_id: UUID) -> dict[UUID, Profile]:
    """All clusters of a consortium, by id."""
    clusters = (await tx.scalars(select(Cluster).where(Cluster.consortium_id == consortium_id))).all()
    ids = [one.id for one in clusters]
    measured: dict[UUID, dict[Skill, Measured]] = defaultdict(dict)
    for level in await tx.scalars(select(Level).where(Level.cluster_id.in_(ids))):
        known = Measured(level.level, level.assessed_on, level.scale_max)
        measured[level.cluster_id][Skill(level.framework, level.indicator)] = known
    gains: dict[UUID, list[Gain]] = defaultdict(list)
    for gain in await tx.scalars(select(GainRow).where(GainRow.cluster_id.in_(ids))):
        gains[gain.cluster_id].append(Gain(Skill(gain.framework, gain.indicator), gain.gain, gain.ended_on))
    aims: dict[UUID, dict[Skill, Aim]] = defaultdict(dict)
    for target in await tx.scalars(select(Target).where(Target.cluster_id.in_(ids))):
        aims[target.cluster_id][Skill(target.framework, target.indicator)] = Aim(target.level, target.priority)
    wishes: dict[UUID, dict[Skill, int]] = defaultdict(dict)
    for request in await tx.scalars(select(Request).where(Request.cluster_id.in_(ids))):
        wishes[request.cluster_id][Skill(request.framework, request.indicator)] = request.urgency
    return {
        one.id: Profile(
            id=one.id,
            name=one.name,
            country=one.country,
            languages=frozenset(one.languages),
            ecosystems=frozenset(one.ecosystems),
            stages=frozenset(one.stages),
            levels=provisional(measured[one.id], gains[one.id]),
            aims=aims[one.id],
            requests=wishes[one.id],
        )
        for one in clusters
    }


async def free_places(tx: WriteSession, ids: list[UUID]) -> dict[str, dict[UUID, int]]:
    """How many each cluster can still take, by side."""
    free: dict[str, dict[UUID, int]] = {"mentor": {}, "learner": {}}
    for row in await tx.scalars(select(Places).where(Places.cluster_id.in_(ids))):
        free[row.side][row.cluster_id] = max(0, row.capacity - row.used)
    return free


def as_inputs(known: dict[UUID, Profile], free: dict[str, dict[UUID, int]]) -> tuple[dict[str, Any], str]:
    """What a run was made from, as plain data in a fixed order, and its SHA-256."""
    data: dict[str, Any] = {
        "clusters": [_plain(known[id]) for id in sorted(known)],
        "free": {side: {str(id): places for id, places in sorted(rows.items())} for side, rows in free.items()},
    }
    return data, hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _plain(profile: Profile) -> dict[str, Any]:
    return {
        "id": str(profile.id),
        "name": profile.name,
        "country": profile.country,
        "languages": sorted(profile.languages),
        "ecosystems": sorted(profile.ecosystems),
        "stages": sorted(profile.stages),
        "levels": {"/".join(skill): level for skill, level in sorted(profile.levels.items())},
        "aims": {"/".join(skill): list(aim) for skill, aim in sorted(profile.aims.items())},
        "requests": {"/".join(skill): urgency for skill, urgency in sorted(profile.requests.items())},
    }
