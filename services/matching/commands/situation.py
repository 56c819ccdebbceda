"""What is known of a consortium, as the question that a plan answers."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, exists, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from services.matching.rules.criteria import Criteria
from services.matching.rules.profile import Aim, Gain, Measured, Profile, Skill, provisionals
from services.matching.rules.question import Past, Question, Two
from services.matching.rules.refusals import refusals
from services.matching.rules.reserve import LOOKED_BACK
from services.matching.tables import Archived, Cluster, Level, Mentorship, Pair, Places, Request, Run, Target
from services.matching.tables import Gain as GainRow
from shared.db import ReadSession, WriteSession
from shared.errors import Invalid, NotFound

_OVER = {"declined", "expired", "ended"}


async def question_of(tx: WriteSession | ReadSession, consortium_id: UUID, criteria: Criteria, today: date) -> Question:
    """Whom to pair in a consortium; without clusters if it is not known. Live pairs stay."""
    gone = exists().where(Archived.cluster_id == Cluster.id)
    clusters = (await tx.scalars(select(Cluster).where(Cluster.consortium_id == consortium_id, ~gone))).all()
    columns = select(Pair.mentor_id, Pair.learner_id, Pair.state, Pair.decided_at, Pair.request_id)
    pairs = (await tx.execute(columns.where(Pair.consortium_id == consortium_id, Pair.state != "draft"))).all()
    here = {one.id for one in clusters}
    opened = [one for one in pairs if one.state == "proposed"]
    return Question(
        today=today,
        clusters=tuple(await _profiles(tx, clusters, pairs, today)),
        kept=tuple(Two(one.mentor_id, one.learner_id) for one in pairs if one.state == "accepted"),
        proposed=tuple(Two(one.mentor_id, one.learner_id) for one in opened if one.request_id is None),
        asked=tuple(Two(one.mentor_id, one.learner_id) for one in opened if one.request_id is not None),
        past=tuple(
            Past(one.mentor_id, one.learner_id, one.state, one.decided_at.date())
            for one in pairs
            if one.state in _OVER and one.decided_at is not None and {one.mentor_id, one.learner_id} <= here
        ),
        arrived=await _arrived(tx, clusters, today),
        criteria=criteria,
    )


async def criteria_in_force(tx: WriteSession | ReadSession, consortium_id: UUID) -> Criteria:
    """Those of the newest plan that was published; before there is one, those that a consortium begins with."""
    newest = select(Run.criteria).where(Run.consortium_id == consortium_id, Run.state == "published")
    kept = await tx.scalar(newest.order_by(Run.id.desc()).limit(1))
    return Criteria() if kept is None else Criteria.read(kept)


async def known_question(tx: WriteSession, consortium_id: UUID, criteria: Criteria, today: date) -> Question:
    """The same, of a consortium that is known.

    Raises:
        NotFound
    """
    question = await question_of(tx, consortium_id, criteria, today)
    if not question.clusters:
        raise NotFound("no-such-consortium", "No cluster of this consortium is known here.", field="consortium_id")
    return question


def possible(question: Question) -> Question:
    """The question, if nothing in it contradicts itself or what is there.

    Raises:
        Invalid: naming every field that does.
    """
    if faults := list(refusals(question)):
        raise Invalid("not-possible", " ".join(sentence for _, sentence in faults), faults=faults)
    return question


async def profiles(tx: WriteSession, ids: Sequence[UUID], today: date) -> dict[UUID, Profile]:
    """A few clusters by their ids, as far as they are known; without their pairs."""
    rows = (await tx.scalars(select(Cluster).where(_among(Cluster.id, ids)))).all()
    return {one.id: one for one in await _profiles(tx, rows, (), today)}


async def _arrived(tx: WriteSession | ReadSession, clusters: Sequence[Cluster], today: date) -> tuple[date, ...]:
    """When help was asked for in the time that a reserve looks back on."""
    asked = select(Request.asked_on).where(_among(Request.cluster_id, [one.id for one in clusters]))
    days = await tx.scalars(asked.where(Request.asked_on > today - timedelta(days=LOOKED_BACK)))
    return tuple(day for day in days if day is not None)


async def _profiles(
    tx: WriteSession | ReadSession, clusters: Sequence[Cluster], pairs: Sequence[Any], today: date
) -> list[Profile]:
    ids = [one.id for one in clusters]
    levels, aims, requests = await _levels(tx, ids), await _aims(tx, ids), await _requests(tx, ids)
    places = defaultdict[UUID, dict[str, int]](dict)
    columns = select(Places.cluster_id, Places.side, Places.capacity).where(_among(Places.cluster_id, ids))
    for id, side, capacity in await tx.execute(columns):
        places[id][side] = capacity
    worked = [one for one in pairs if one.state in {"accepted", "ended"}]
    given, taken = Counter(one.mentor_id for one in worked), Counter(one.learner_id for one in worked)
    records = await _records(tx, ids)
    return [
        Profile(
            id=one.id,
            name=one.name,
            country=one.country,
            languages=frozenset(one.languages),
            ecosystems=frozenset(one.ecosystems),
            stages=frozenset(one.stages),
            levels=levels.get(one.id, {}),
            aims=aims[one.id],
            requests=requests[one.id],
            label="none" if one.label_valid_until is not None and one.label_valid_until < today else one.label,
            mentor_places=places[one.id].get("mentor", 0),
            learner_places=places[one.id].get("learner", 0),
            record=tuple(records[one.id]),
            given=given[one.id],
            taken=taken[one.id],
        )
        for one in clusters
    ]


async def _records(tx: WriteSession | ReadSession, ids: Sequence[UUID]) -> defaultdict[UUID, list[int]]:
    """The outcomes of mentorships by their mentors, the newest last."""
    columns = select(Pair.mentor_id, Mentorship.outcome).join(Mentorship, Mentorship.id == Pair.id)
    known = columns.where(_among(Pair.mentor_id, ids), Mentorship.outcome.is_not(None))
    records = defaultdict[UUID, list[int]](list)
    for row in await tx.execute(known.order_by(Mentorship.confirmed_at, Mentorship.id)):
        records[row.mentor_id].append(row.outcome)
    return records


async def _levels(tx: WriteSession | ReadSession, ids: Sequence[UUID]) -> dict[UUID, dict[Skill, int]]:
    known = select(Level.cluster_id, Level.framework, Level.indicator, Level.level, Level.assessed_on, Level.scale_max)
    gained = select(GainRow.cluster_id, GainRow.framework, GainRow.indicator, GainRow.gain, GainRow.ended_on)
    levels = await tx.execute(known.where(_among(Level.cluster_id, ids)))
    gains = await tx.execute(gained.where(_among(GainRow.cluster_id, ids)))
    return provisionals(
        [(id, Skill(framework, code), Measured(level, on, top)) for id, framework, code, level, on, top in levels],
        [(id, Gain(Skill(framework, indicator), gain, on)) for id, framework, indicator, gain, on in gains],
    )


async def _aims(tx: WriteSession | ReadSession, ids: Sequence[UUID]) -> defaultdict[UUID, dict[Skill, Aim]]:
    aims = defaultdict[UUID, dict[Skill, Aim]](dict)
    columns = select(Target.cluster_id, Target.framework, Target.indicator, Target.level, Target.priority)
    for id, framework, indicator, level, priority in await tx.execute(columns.where(_among(Target.cluster_id, ids))):
        aims[id][Skill(framework, indicator)] = Aim(level, priority)
    return aims


async def _requests(tx: WriteSession | ReadSession, ids: Sequence[UUID]) -> defaultdict[UUID, dict[Skill, int]]:
    requests = defaultdict[UUID, dict[Skill, int]](dict)
    columns = select(Request.cluster_id, Request.framework, Request.indicator, Request.urgency)
    # Of two requests for one skill the more urgent counts.
    ordered = columns.where(_among(Request.cluster_id, ids)).order_by(Request.urgency)
    for id, framework, indicator, urgency in await tx.execute(ordered):
        requests[id][Skill(framework, indicator)] = urgency
    return requests


def _among(column: InstrumentedAttribute[UUID], ids: Sequence[UUID]) -> ColumnElement[bool]:
    """Whether it is one of them: a single parameter, where `in_` makes one of each, thousands of them."""
    return column == any_(literal(ids, ARRAY(Uuid)))
