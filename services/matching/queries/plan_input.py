"""The plan input of a consortium, from the projection and the pairs so far."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ColumnElement, ScalarSelect, case, exists, func, literal, select
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
from shared.dates import EARLIEST_DAY, LATEST_DAY
from shared.db import ReadSession, WriteSession
from shared.errors import Invalid, NotFound

_OVER_STATES = {"declined", "expired", "ended"}


async def load_plan_input(
    tx: WriteSession | ReadSession, consortium_id: UUID, criteria: Criteria, today: date
) -> PlanInput:
    """The plan input of a consortium as it is now; without clusters if the consortium is not known."""
    is_archived = exists().where(Archived.cluster_id == Cluster.id)
    clusters = (await tx.execute(_CLUSTER_FACTS.where(Cluster.consortium_id == consortium_id, ~is_archived))).all()
    columns = select(Pair.mentor_id, Pair.learner_id, Pair.state, Pair.decided_at, Pair.request_id)
    pairs = (await tx.execute(columns.where(Pair.consortium_id == consortium_id, Pair.state != "draft"))).all()
    ids = {cluster.id for cluster in clusters}
    proposals = [pair for pair in pairs if pair.state == "proposed"]
    return PlanInput(
        today=today,
        clusters=tuple(_profiles(clusters, pairs, today)),
        fixed_pairs=_pair_keys(pair for pair in pairs if pair.state == "accepted"),
        open_proposals=_pair_keys(pair for pair in proposals if pair.request_id is None),
        request_proposals=_pair_keys(pair for pair in proposals if pair.request_id is not None),
        past_pairs=tuple(
            PastPair(pair.mentor_id, pair.learner_id, pair.state, pair.decided_at.date())
            for pair in pairs
            if pair.state in _OVER_STATES and pair.decided_at is not None and {pair.mentor_id, pair.learner_id} <= ids
        ),
        arrival_dates=tuple(_request_days(clusters, today)),
        criteria=criteria,
    )


async def criteria_in_force(tx: WriteSession | ReadSession, consortium_id: UUID) -> Criteria:
    """The criteria of the newest published run, else the default."""
    newest = select(Run.criteria).where(Run.consortium_id == consortium_id, Run.state == "published")
    data = await tx.scalar(newest.order_by(Run.id.desc()).limit(1))
    return Criteria() if data is None else Criteria.from_data(data)


async def load_plan_input_or_404(tx: WriteSession, consortium_id: UUID, criteria: Criteria, today: date) -> PlanInput:
    """The plan input of a known consortium.

    Raises:
        NotFound: no cluster of this consortium is known.
    """
    plan_input = await load_plan_input(tx, consortium_id, criteria, today)
    if not plan_input.clusters:
        raise NotFound("no-such-consortium", "No cluster of this consortium is known.", field="consortium_id")
    return plan_input


def validated(plan_input: PlanInput) -> PlanInput:
    """The same plan input, if it contradicts neither itself nor the data.

    Raises:
        Invalid: naming every field that does.
    """
    if field_errors := list(validation_errors(plan_input)):
        raise Invalid("not-possible", " ".join(sentence for _, sentence in field_errors), field_errors=field_errors)
    return plan_input


async def load_profiles(tx: WriteSession, ids: Sequence[UUID], today: date) -> dict[UUID, Profile]:
    """The profiles of the known ones among these clusters, without their mentorships so far."""
    clusters = (await tx.execute(_CLUSTER_FACTS.where(Cluster.id.in_(ids)))).all()
    return {profile.id: profile for profile in _profiles(clusters, (), today)}


def _pair_keys(pairs: Iterable[Any]) -> tuple[PairKey, ...]:
    return tuple(PairKey(pair.mentor_id, pair.learner_id) for pair in pairs)


def _request_days(clusters: Sequence[Any], today: date) -> Iterator[date]:
    """The days of service requests in the period that a reserve takes into account."""
    days = (date.fromisoformat(on) for cluster in clusters for *_, on in cluster.requests if on is not None)
    return (day for day in days if day > today - timedelta(days=HISTORY_DAYS))


def _profiles(clusters: Sequence[Any], pairs: Sequence[Any], today: date) -> Iterator[Profile]:
    mentorships = [pair for pair in pairs if pair.state in {"accepted", "ended"}]
    given, taken = Counter(pair.mentor_id for pair in mentorships), Counter(pair.learner_id for pair in mentorships)
    for row in clusters:
        slots = dict(row.slots)
        yield Profile(
            id=row.id,
            name=row.name,
            country=row.country,
            languages=frozenset(row.languages),
            ecosystems=frozenset(row.ecosystems),
            stages=frozenset(row.stages),
            levels=_levels(row.levels, row.gains),
            targets={
                Skill(framework, code): TargetLevel(level, priority) for framework, code, level, priority in row.targets
            },
            # In order of urgency, so that of two requests for one skill the more urgent counts.
            requests={Skill(framework, code): urgency for framework, code, urgency, _ in row.requests},
            label="none" if row.label_valid_until is not None and row.label_valid_until < today else row.label,
            mentor_slots=slots.get("mentor", 0),
            learner_slots=slots.get("learner", 0),
            record=tuple(outcome for (outcome,) in row.outcomes),
            given=given[row.id],
            taken=taken[row.id],
        )


def _levels(levels: Sequence[Any], gains: Sequence[Any]) -> dict[Skill, int]:
    measured = {
        Skill(framework, code): MeasuredLevel(level, date.fromisoformat(on), top)
        for framework, code, level, on, top in levels
    }
    training_gains = [
        TrainingGain(Skill(framework, code), gain, date.fromisoformat(on)) for framework, code, gain, on in gains
    ]
    return provisional_levels(measured, training_gains)


def _within_limits(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """A day that JSON can carry: a stored infinity has none, and would end every plan of its consortium."""
    return case((column.is_not(None), func.greatest(func.least(column, LATEST_DAY), EARLIEST_DAY)))


def _rows_of_cluster(
    columns: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]],
    condition: ColumnElement[bool],
    order: Sequence[Any] = (),
) -> ScalarSelect[Any]:
    """A subquery: the rows of a cluster in another table as a JSON array of arrays."""
    row = func.json_build_array(*columns)
    rows = func.json_agg(aggregate_order_by(row, *order) if order else row, type_=JSON)
    return select(func.coalesce(rows, literal([], JSON))).where(condition).correlate(Cluster).scalar_subquery()


_CLUSTER_FACTS = select(
    *Cluster.__table__.columns,
    _rows_of_cluster([Slots.role, Slots.capacity], Slots.cluster_id == Cluster.id).label("slots"),
    _rows_of_cluster(
        [Level.framework, Level.indicator, Level.level, _within_limits(Level.assessed_on), Level.scale_max],
        Level.cluster_id == Cluster.id,
    ).label("levels"),
    _rows_of_cluster(
        [GainRow.framework, GainRow.indicator, GainRow.gain, _within_limits(GainRow.ended_on)],
        GainRow.cluster_id == Cluster.id,
    ).label("gains"),
    _rows_of_cluster(
        [Target.framework, Target.indicator, Target.level, Target.priority], Target.cluster_id == Cluster.id
    ).label("targets"),
    _rows_of_cluster(
        [Request.framework, Request.indicator, Request.urgency, _within_limits(Request.requested_on)],
        Request.cluster_id == Cluster.id,
        [Request.urgency],
    ).label("requests"),
    _rows_of_cluster(
        [Mentorship.outcome],
        (Mentorship.id == Pair.id) & (Pair.mentor_id == Cluster.id) & Mentorship.outcome.is_not(None),
        [Mentorship.confirmed_at, Mentorship.id],
    ).label("outcomes"),
)
"""All facts of clusters in one query: with several queries the round trips would add up."""
