"""The commands of the services with short arguments; each returns work for a transaction."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from services.matching.commands import proposal_replies, run_execution, run_publication, runs
from services.matching.rules.inputs.criteria import Criteria, Role
from services.matching.rules.inputs.plan_input import PlanInput
from services.matching.rules.report import make_plan
from services.members.commands import assessments, clusters, consortia, frameworks, service_requests, targets
from services.members.rules.vocabulary import AssessmentKind
from services.trainings.commands import activities, registrations
from services.trainings.rules.vocabulary import ActivityKind
from shared import clock
from shared.db import WriteSession
from tests.faults.simulation import Work

CONSORTIUM = UUID(int=0xC0)
FRAMEWORK = "self-check"
INDICATORS = ("foresight", "strategy", "cooperation")
TODAY = date(2017, 10, 1)
NOW = clock.now()
_YEAR = timedelta(days=365)
_DAY = timedelta(days=1)


async def set_up_members(tx: WriteSession) -> None:
    """Create the consortium and the assessment framework of all histories."""
    facts = {"slug": "c", "name": "C", "programme": "COSME", "starts_on": TODAY - _YEAR, "ends_on": TODAY + _YEAR}
    await consortia.create(tx, CONSORTIUM, consortia.NewConsortium.model_validate(facts))
    framework = {"code": FRAMEWORK, "title": "Self-check", "scale_max": 5}
    indicators = [{"code": code, "title": code} for code in INDICATORS]
    await frameworks.add(tx, frameworks.NewFramework.model_validate(framework | {"indicators": indicators}))


def _facts(slug: str, languages: Iterable[str]) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": slug.upper(),
        "country": "HU",
        "ecosystems": [],
        "languages": sorted(languages),
    }


def register(id: UUID, slug: str, languages: Iterable[str], capacity: tuple[int, int]) -> Work:
    mentor, learner = capacity
    rest = {"consortium_id": CONSORTIUM, "mentor_capacity": mentor, "learner_capacity": learner}
    new = clusters.NewCluster.model_validate(_facts(slug, languages) | rest)
    return lambda tx: clusters.register(tx, id, new)


def change(id: UUID, seen: int, slug: str, languages: Iterable[str]) -> Work:
    facts = clusters.ClusterFacts.model_validate(_facts(slug, languages))
    return lambda tx: clusters.change(tx, id, seen, facts)


def set_capacity(id: UUID, seen: int, capacity: tuple[int, int]) -> Work:
    mentor, learner = capacity
    new = clusters.NewCapacity(mentor_capacity=mentor, learner_capacity=learner)
    return lambda tx: clusters.set_capacity(tx, id, seen, new)


def assess(id: UUID, cluster: UUID, kind: str, on: date, scores: Mapping[str, int], *, lasts: bool) -> Work:
    new = assessments.NewAssessment(
        framework=FRAMEWORK,
        kind=AssessmentKind(kind),
        assessed_on=on,
        valid_until=TODAY + _YEAR if lasts else TODAY - _DAY,
        scores=dict(scores),
        illustrative=True,
    )
    return lambda tx: assessments.record(tx, id, cluster, new, TODAY)


def aim(cluster: UUID, indicator: str, level: int) -> Work:
    ref = frameworks.IndicatorRef(FRAMEWORK, indicator)
    new = targets.NewTarget(level=level, priority=3, illustrative=True)
    return lambda tx: targets.set_target(tx, cluster, ref, new)


def request(id: UUID, cluster: UUID, indicator: str) -> Work:
    new = service_requests.NewServiceRequest(framework=FRAMEWORK, indicator=indicator, urgency=3, illustrative=True)
    return lambda tx: service_requests.request_service(tx, id, cluster, new)


def plan_training(id: UUID, host: UUID, on: date, seats: int, teaches: Mapping[str, int]) -> Work:
    """Draft and publish an activity."""
    taught = [{"framework": FRAMEWORK, "indicator": indicator, "gain": gain} for indicator, gain in teaches.items()]
    new = activities.NewActivity(
        consortium_id=CONSORTIUM,
        kind=ActivityKind.joint_training,
        title="Training",
        host_cluster_id=host,
        place="Bari",
        starts_on=on,
        ends_on=on,
        capacity=seats,
        teaches=[activities.TaughtIndicator.model_validate(indicator) for indicator in taught],
        sector_groups=[],
        deliverables=[],
        topics=[],
        illustrative=[],
    )

    async def work(tx: WriteSession) -> None:
        await activities.draft(tx, id, new)
        await activities.publish(tx, id, 1)

    return work


def enrol(id: UUID, activity: UUID, cluster: UUID, seats: int) -> Work:
    new = registrations.NewRegistration(cluster_id=cluster, seats=seats)
    return lambda tx: registrations.register(tx, id, activity, new)


def finish(activity: UUID, seen: int, present: Iterable[UUID], absent: Iterable[UUID]) -> Work:
    """Record the attendance and complete the activity."""

    async def work(tx: WriteSession) -> None:
        attendance = registrations.Attendance(present=list(present), absent=list(absent))
        await registrations.record_attendance(tx, activity, attendance, TODAY)
        await activities.complete(tx, activity, seen + 1, TODAY)

    return work


def plan(id: UUID) -> Work:
    """Begin, claim and finish a run."""

    async def work(tx: WriteSession) -> None:
        await runs.begin(tx, id, CONSORTIUM, runs.RunRequest(Criteria()), TODAY)
        run = await run_execution.claim(tx)
        assert run is not None
        assert run.id == id
        await run_execution.finish(tx, id, run.attempt, make_plan(PlanInput.from_data(run.inputs)), 0)

    return work


def publish(id: UUID, seen: int) -> Work:
    return lambda tx: run_publication.publish(tx, id, seen, lambda _: True, NOW)


def answer(id: UUID, side: Role, seen: int, *, accepts: bool) -> Work:
    async def work(tx: WriteSession) -> None:
        pair = await proposal_replies.lock_proposal(tx, id, lambda _: True)
        reply = proposal_replies.ProposalReply(side, accepts)
        await proposal_replies.reply_to_proposal(tx, pair, seen, reply, NOW)

    return work
