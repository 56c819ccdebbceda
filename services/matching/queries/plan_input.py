"""What is known of a consortium, as the question that a plan answers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ColumnElement, ScalarSelect, exists, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import InstrumentedAttribute

from services.matching.rules.inputs.criteria import Criteria
from services.matching.rules.inputs.plan_input import PairKey, PastPair, PlanInput
from services.matching.rules.inputs.profile import (
    MeasuredLevel,
    Profile,
    Skill,
    TargetLevel,
    TrainingGain,
    provisional_levels,
)
from services.matching.rules.planning.input_validation import validation_errors
from services.matching.rules.planning.reserve import HISTORY_DAYS
from services.matching.tables import Archived, Cluster, Level, Mentorship, Pair, Request, Run, Slots, Target
from services.matching.tables import Gain as GainRow
from shared.db import ReadSession, WriteSession
from shared.errors import Invalid, NotFound

_OVER_STATES = {"declined", "expired", "ended"}


async def load_plan_input(
    tx: WriteSession | ReadSession, consortium_id: UUID, criteria: Criteria, today: date
) -> PlanInput:
    """Whom to pair in a consortium; without clusters if it is not known. Live pairs stay."""
    gone = exists().where(Archived.cluster_id == Cluster.id)
    clusters = (await tx.execute(_CLUSTER_FACTS.where(Cluster.consortium_id == consortium_id, ~gone))).all()
    columns = select(Pair.mentor_id, Pair.learner_id, Pair.state, Pair.decided_at, Pair.request_id)
    pairs = (await tx.execute(columns.where(Pair.consortium_id == consortium_id, Pair.state != "draft"))).all()
    here = {one.id for one in clusters}
    opened = [one for one in pairs if one.state == "proposed"]
    return PlanInput(
        today=today,
        clusters=tuple(_profiles(clusters, pairs, today)),
        fixed_pairs=tuple(PairKey(one.mentor_id, one.learner_id) for one in pairs if one.state == "accepted"),
        open_proposals=tuple(PairKey(one.mentor_id, one.learner_id) for one in opened if one.request_id is None),
        request_proposals=tuple(PairKey(one.mentor_id, one.learner_id) for one in opened if one.request_id is not None),
        past_pairs=tuple(
            PastPair(one.mentor_id, one.learner_id, one.state, one.decided_at.date())
            for one in pairs
            if one.state in _OVER_STATES and one.decided_at is not None and {one.mentor_id, one.learner_id} <= here
        ),
        arrival_dates=tuple(_request_days(clusters, today)),
        criteria=criteria,
    )


async def criteria_in_force(tx: WriteSession | ReadSession, consortium_id: UUID) -> Criteria:
    """Those of the newest plan that was published; before there is one, those that a consortium begins with."""
    newest = select(Run.criteria).where(Run.consortium_id == consortium_id, Run.state == "published")
    kept = await tx.scalar(newest.order_by(Run.id.desc()).limit(1))
    return Criteria() if kept is None else Criteria.from_data(kept)


async def load_plan_input_or_404(tx: WriteSession, consortium_id: UUID, criteria: Criteria, today: date) -> PlanInput:
    """The same, of a consortium that is known.

    Raises:
        NotFound
    """
    question = await load_plan_input(tx, consortium_id, criteria, today)
    if not question.clusters:
        raise NotFound("no-such-consortium", "No cluster of this consortium is known here.", field="consortium_id")
    return question


def validated(question: PlanInput) -> PlanInput:
    """The question, if nothing in it contradicts itself or what is there.

    Raises:
        Invalid: naming every field that does.
    """
    if faults := list(validation_errors(question)):
        raise Invalid("not-possible", " ".join(sentence for _, sentence in faults), field_errors=faults)
    return question


async def load_profiles(tx: WriteSession, ids: Sequence[UUID], today: date) -> dict[UUID, Profile]:
    """A few clusters by their ids, as far as they are known; without their pairs."""
    clusters = (await tx.execute(_CLUSTER_FACTS.where(Cluster.id.in_(ids)))).all()
    return {one.id: one for one in _profiles(clusters, (), today)}


def _request_days(clusters: Sequence[Any], today: date) -> Iterator[date]:
    """When help was asked for in the time that a reserve looks back on."""
    days = (date.fromisoformat(on) for one in clusters for *_, on in one.requests if on is not None)
    return (day for day in days if day > today - timedelta(days=HISTORY_DAYS))


def _profiles(clusters: Sequence[Any], pairs: Sequence[Any], today: date) -> Iterator[Profile]:
    worked = [one for one in pairs if one.state in {"accepted", "ended"}]
    given, taken = Counter(one.mentor_id for one in worked), Counter(one.learner_id for one in worked)
    for one in clusters:
        places = dict(one.places)
        yield Profile(
            id=one.id,
            name=one.name,
            country=one.country,
            languages=frozenset(one.languages),
            ecosystems=frozenset(one.ecosystems),
            stages=frozenset(one.stages),
            levels=_levels(one.levels, one.gains),
            targets={
                Skill(framework, code): TargetLevel(level, priority) for framework, code, level, priority in one.targets
            },
            # Of two requests for one skill the more urgent counts.
            requests={Skill(framework, code): urgency for framework, code, urgency, _ in one.requests},
            label="none" if one.label_valid_until is not None and one.label_valid_until < today else one.label,
            mentor_slots=places.get("mentor", 0),
            learner_slots=places.get("learner", 0),
            record=tuple(outcome for (outcome,) in one.outcomes),
            given=given[one.id],
            taken=taken[one.id],
        )


def _levels(levels: Sequence[Any], gains: Sequence[Any]) -> dict[Skill, int]:
    measured = {
        Skill(framework, code): MeasuredLevel(level, date.fromisoformat(on), top)
        for framework, code, level, on, top in levels
    }
    gained = [TrainingGain(Skill(framework, code), gain, date.fromisoformat(on)) for framework, code, gain, on in gains]
    return provisional_levels(measured, gained)


def _rows_of_cluster(
    columns: Sequence[InstrumentedAttribute[Any]], condition: ColumnElement[bool], order: Sequence[Any] = ()
) -> ScalarSelect[Any]:
    """What else is known of each cluster: rows as lists, all in one JSON."""
    row = func.json_build_array(*columns)
    rows = func.json_agg(aggregate_order_by(row, *order) if order else row, type_=JSON)
    return select(func.coalesce(rows, literal([], JSON))).where(condition).correlate(Cluster).scalar_subquery()


_CLUSTER_FACTS = select(
    *Cluster.__table__.columns,
    _rows_of_cluster([Slots.side, Slots.capacity], Slots.cluster_id == Cluster.id).label("places"),
    _rows_of_cluster(
        [Level.framework, Level.indicator, Level.level, Level.assessed_on, Level.scale_max],
        Level.cluster_id == Cluster.id,
    ).label("levels"),
    _rows_of_cluster(
        [GainRow.framework, GainRow.indicator, GainRow.gain, GainRow.ended_on], GainRow.cluster_id == Cluster.id
    ).label("gains"),
    _rows_of_cluster(
        [Target.framework, Target.indicator, Target.level, Target.priority], Target.cluster_id == Cluster.id
    ).label("targets"),
    _rows_of_cluster(
        [Request.framework, Request.indicator, Request.urgency, Request.asked_on],
        Request.cluster_id == Cluster.id,
        [Request.urgency],
    ).label("requests"),
    _rows_of_cluster(
        [Mentorship.outcome],
        (Mentorship.id == Pair.id) & (Pair.mentor_id == Cluster.id) & Mentorship.outcome.is_not(None),
        [Mentorship.confirmed_at, Mentorship.id],
    ).label("outcomes"),
)
"""All that is known of clusters, in one question: as several, the time from one answer to the next adds up."""
