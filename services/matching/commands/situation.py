"""The projection as something the rules can decide on, and as the inputs that are kept with a run."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.matching.rules.plan import Situation
from services.matching.rules.profile import Aim, Gain, Measured, Profile, Skill, provisional
from services.matching.tables import Cluster, Level, Pair, Places, Request, Target
from services.matching.tables import Gain as GainRow
from shared.db import WriteSession


async def situation_of(tx: WriteSession, consortium_id: UUID) -> Situation:
    """What is known of a consortium; without clusters if it is not known."""
    clusters = (await tx.scalars(select(Cluster).where(Cluster.consortium_id == consortium_id))).all()
    ids = [one.id for one in clusters]
    places: dict[str, dict[UUID, int]] = {"mentor": {}, "learner": {}}
    for row in await tx.scalars(select(Places).where(Places.cluster_id.in_(ids))):
        places[row.side][row.cluster_id] = max(0, row.capacity - row.used)
    return Situation(
        await _profiles(tx, clusters), places["mentor"], places["learner"], await live_pairs(tx, consortium_id)
    )


async def live_pairs(tx: WriteSession, consortium_id: UUID) -> frozenset[tuple[UUID, UUID]]:
    """The pairs (mentor, learner) of a consortium that are proposed or accepted."""
    query = select(Pair.mentor_id, Pair.learner_id)
    query = query.where(Pair.consortium_id == consortium_id, Pair.state.in_(("proposed", "accepted")))
    return frozenset((mentor, learner) for mentor, learner in await tx.execute(query))


async def _profiles(tx: WriteSession, clusters: Sequence[Cluster]) -> dict[UUID, Profile]:
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
    requests: dict[UUID, dict[Skill, int]] = defaultdict(dict)
    for request in await tx.scalars(select(Request).where(Request.cluster_id.in_(ids)).order_by(Request.urgency)):
        skill = Skill(request.framework, request.indicator)  # of two requests for one skill the more urgent counts
        requests[request.cluster_id][skill] = request.urgency
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
            requests=requests[one.id],
        )
        for one in clusters
    }


def as_inputs(situation: Situation) -> tuple[dict[str, Any], str]:
    """What a run was made from, as plain data in a fixed order, and its SHA-256."""
    free = {"mentor": situation.mentor_places, "learner": situation.learner_places}
    data: dict[str, Any] = {
        "clusters": [_plain(profile) for _, profile in sorted(situation.clusters.items())],
        "free": {side: {str(id): places for id, places in sorted(rows.items())} for side, rows in free.items()},
        "live": [[str(mentor), str(learner)] for mentor, learner in sorted(situation.live)],
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
