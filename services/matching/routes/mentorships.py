"""`/mentorships`: what two clusters agree on, the state of their work, and the end."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field

from services.matching.commands import mentorships as commands
from services.matching.queries import mentorships as queries
from services.matching.queries.mentorships import MentorshipRecord
from services.matching.rules.inputs.criteria import Role
from services.matching.rules.inputs.profile import Skill
from services.matching.rules.mentoring.health import CheckIn, GoalProgress, MentorshipProgress, health
from services.matching.rules.mentoring.next_step import MentorshipStatus, next_step
from services.matching.rules.mentoring.reminders import CLOSING_SURVEY, closing_date, survey_days
from shared import clock
from shared.auth import Anyone, Manager
from shared.dates import Day
from shared.db import WriteSession
from shared.web import (
    IfMatch,
    LongText,
    Page,
    Paging,
    Read,
    RequestModel,
    ResponseModel,
    Router,
    ShortText,
    Slug,
    Tx,
    etag,
)

router = Router()
Level = Annotated[int, Field(ge=0, le=100)]
ROLES: tuple[Role, ...] = ("mentor", "learner")


class GoalView(ResponseModel):
    """A level to reach: the level at the start, the target, the reported and the confirmed level."""

    framework: str
    indicator: str
    level: int
    target: int
    due_on: date
    reached: int
    confirmed: int | None
    confirmed_on: date | None


class MeetingView(ResponseModel):
    """A meeting, without notes. `learners` is the number of learners, `people` that of participants by cluster."""

    id: UUID
    state: str
    on: date
    minutes: int
    people: dict[UUID, int]
    learners: int
    version: int


class PartView(ResponseModel):
    """One part of the health. A part without data (not `known`) counts half."""

    part: str
    points: int
    of: int
    reason: str
    known: bool


class MentorshipView(ResponseModel):
    """A mentorship, under the id of the accepted pair."""

    id: UUID
    consortium_id: UUID
    mentor_id: UUID
    learner_id: UUID
    state: str = Field(description="agreed, active, completed or ended (early)")
    every_days: int
    ends_on: date
    agreement: str
    mentor_confirmed_at: datetime | None
    learner_confirmed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    health: int | None = Field(description="0 to 100 while it is active: the sum of its parts")
    health_parts: list[PartView]
    next_step: str
    surveys_due: list[int] = Field(
        description="days after the start of surveys that a side has not answered; 0: at the end"
    )
    closes_on: date | None = Field(description="the end if it stays inactive; null before the last reminder")
    goals: list[GoalView]
    meetings: list[MeetingView]
    outcome: int | None = Field(description="confirmed share of the levels to gain, 0 to 100")
    version: int


class NewGoal(RequestModel):
    """A level that the learner wants to reach by a day."""

    framework: Slug
    indicator: Slug
    target: Level
    due_on: Day


class NewPlan(RequestModel):
    """Changes of what two clusters agree on. What is left out stays; a template sets rhythm and length."""

    template: Literal["light", "standard", "intense"] | None = None
    every_days: Annotated[int | None, Field(ge=1, le=365)] = None
    until: Day | None = None
    agreement: Annotated[LongText, Field(min_length=1)] | None = None
    goals: Annotated[list[NewGoal] | None, Field(max_length=10)] = None


class NewConfirmation(RequestModel):
    """The confirmation of one side."""

    side: Role


class NewEnding(RequestModel):
    """How a mentorship ends, and why; the reason is visible in the consortium."""

    side: Role
    how: Literal["completed", "early"]
    reason: ShortText | None = None


def mentorship_view(record: MentorshipRecord) -> MentorshipView:
    """The view of a mentorship, with its health and next step as of today."""
    today, mentorship, pair = clock.now().date(), record.mentorship, record.mentorship.pair
    progress = _progress(record)
    parts = health(progress, today) if progress and mentorship.ended_at is None else []
    surveys_due = _surveys_due(record, today)
    return MentorshipView(
        id=mentorship.id,
        consortium_id=pair.consortium_id,
        mentor_id=pair.mentor_id,
        learner_id=pair.learner_id,
        state=mentorship.state,
        every_days=mentorship.every_days,
        ends_on=mentorship.ends_on,
        agreement=mentorship.agreement,
        mentor_confirmed_at=mentorship.mentor_confirmed_at,
        learner_confirmed_at=mentorship.learner_confirmed_at,
        started_at=mentorship.started_at,
        ended_at=mentorship.ended_at,
        reason=mentorship.reason,
        health=sum(part.points for part in parts) if parts else None,
        health_parts=[PartView(**part._asdict()) for part in parts],
        next_step=next_step(_status(record, progress, surveys_due), today),
        surveys_due=surveys_due,
        closes_on=_closes_on(record),
        goals=[GoalView.model_validate(goal) for goal in record.goals],
        meetings=[_meeting_view(meeting, learners) for meeting, learners in record.meetings],
        outcome=mentorship.outcome,
        version=mentorship.version,
    )


def _meeting_view(meeting: object, learners: int) -> MeetingView:
    columns = MeetingView.model_fields.keys() - {"learners"}
    return MeetingView(learners=learners, **{name: getattr(meeting, name) for name in columns})


def _progress(record: MentorshipRecord) -> MentorshipProgress | None:
    """What has happened since the start; None before it."""
    mentorship = record.mentorship
    if mentorship.started_at is None:
        return None
    return MentorshipProgress(
        started_on=mentorship.started_at.date(),
        every_days=mentorship.every_days,
        held=[meeting.on for meeting, _ in record.meetings if meeting.state == "held"],
        goals=[GoalProgress(goal.level, goal.reached, goal.target, goal.due_on) for goal in record.goals],
        check_ins=[CheckIn(check_in.role, check_in.at.date(), check_in.feeling) for check_in in record.check_ins],
    )


def _status(
    record: MentorshipRecord, progress: MentorshipProgress | None, surveys_due: Sequence[int]
) -> MentorshipStatus:
    mentorship = record.mentorship
    return MentorshipStatus(
        state=mentorship.state,
        unconfirmed=[role for role in ROLES if not mentorship.confirmed_by(role)],
        progress=progress,
        planned=[meeting.on for meeting, _ in record.meetings if meeting.state == "planned"],
        unanswered=[day for day in surveys_due if day != CLOSING_SURVEY],
        unmeasured=sum(goal.confirmed is None for goal in record.goals),
    )


def _closes_on(record: MentorshipRecord) -> date | None:
    mentorship = record.mentorship
    if mentorship.ended_at is not None:
        return None
    return closing_date(mentorship.last_activity_at.date(), mentorship.last_reminder_day)


def _surveys_due(record: MentorshipRecord, today: date) -> list[int]:
    """Days of the surveys that are due and that a side has not answered; after the end only the closing survey."""
    mentorship = record.mentorship
    if mentorship.started_at is None:
        return []
    if mentorship.ended_at is not None:
        days = [CLOSING_SURVEY]
    else:
        days = survey_days((today - mentorship.started_at.date()).days)
    answered = [survey.day for survey in record.surveys]
    return [day for day in days if answered.count(day) < len(ROLES)]


@router.get("/mentorships")
async def list_mentorships(
    caller: Anyone, db: Read, paging: Paging, cluster: Annotated[UUID | None, Query()] = None
) -> Page[MentorshipView]:
    """The mentorships of the caller's consortium, or of one cluster, oldest first."""
    rows = await queries.mentorships(db, caller.scope(), cluster, paging.after, paging.limit + 1)
    return paging.page([mentorship_view(row) for row in rows], lambda row: (row.id,))


@router.get("/mentorships/{id}")
async def show_mentorship(caller: Anyone, db: Read, id: UUID, response: Response) -> MentorshipView:
    """One mentorship, without notes, which are for its two sides only."""
    view = mentorship_view(await queries.mentorship(db, id, caller.within))
    etag(response, view.version)
    return view


@router.put("/mentorships/{id}/plan")
async def change_programme(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewPlan, response: Response
) -> MentorshipView:
    """Change what the two clusters agree on, before the start. Both sides have to confirm it again."""
    mentorship = await commands.lock_mentorship(tx, id, caller)
    goals = None
    if body.goals is not None:
        goals = [(Skill(goal.framework, goal.indicator), goal.target, goal.due_on) for goal in body.goals]
    change = commands.ProgrammeChange(body.template, body.every_days, body.until, body.agreement, goals)
    await commands.change_programme(tx, mentorship, expected_version, change, clock.now())
    return await changed_view(tx, id, response)


@router.post("/mentorships/{id}/confirmations")
async def confirm(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewConfirmation, response: Response
) -> MentorshipView:
    """Confirm for one side. The mentorship starts when both sides have confirmed it."""
    mentorship = await commands.lock_mentorship(tx, id, caller, body.side)
    await commands.confirm(tx, mentorship, expected_version, body.side, clock.now())
    return await changed_view(tx, id, response)


@router.post("/mentorships/{id}/ending")
async def end(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewEnding, response: Response
) -> MentorshipView:
    """End a mentorship, completed or early. Its slots are free; the learner's next assessment confirms the gain."""
    mentorship = await commands.lock_mentorship(tx, id, caller, body.side)
    await commands.end(tx, mentorship, expected_version, commands.Ending(body.how, body.reason), clock.now())
    return await changed_view(tx, id, response)


async def changed_view(tx: WriteSession, id: UUID, response: Response) -> MentorshipView:
    """The view after a change, with its ETag."""
    await tx.flush()
    view = mentorship_view(await queries.mentorship(tx, id, lambda _: True))
    etag(response, view.version)
    return view
