"""`/mentorships`: what two clusters set out to do, where they are, and how it ends."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field

from services.matching.commands import mentorships as commands
from services.matching.queries import mentorships as queries
from services.matching.queries.mentorships import MentorshipRecord
from services.matching.rules.inputs.profile import Skill
from services.matching.rules.mentoring.health import CheckIn, GoalProgress, MentorshipProgress, health
from services.matching.rules.mentoring.next_step import MentorshipStatus, next_step
from services.matching.rules.mentoring.reminders import CLOSING_SURVEY, closing_date, survey_days
from shared import clock
from shared.auth import Anyone, Manager
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
Side = Literal["mentor", "learner"]
Level = Annotated[int, Field(ge=0, le=100)]


class GoalView(ResponseModel):
    """A level to reach: at the start, wanted, reported by the two, and measured by an assessment after the end."""

    framework: str
    indicator: str
    level: int
    target: int
    due_on: date
    reached: int
    confirmed: int | None
    confirmed_on: date | None


class MeetingView(ResponseModel):
    """A meeting, without what was noted. `learners` met the mentor together; `people` came, by cluster."""

    id: UUID
    state: str
    on: date
    minutes: int
    people: dict[UUID, int]
    learners: int
    version: int


class PartView(ResponseModel):
    """One part of the health; where it is not `known` it counts half."""

    part: str
    points: int
    of: int
    reason: str
    known: bool


class MentorshipView(ResponseModel):
    """Two clusters that work together. It has the id of the pair that both accepted."""

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
    surveys_due: list[int] = Field(description="days after the start of surveys that a side has not answered; 0: end")
    closes_on: date | None = Field(description="when it ends if it stays quiet, once the last reminder was sent")
    goals: list[GoalView]
    meetings: list[MeetingView]
    outcome: int | None = Field(description="the share of the wanted levels that an assessment confirmed, out of 100")
    version: int


class NewGoal(RequestModel):
    """A level that the learner wants to reach, by a day."""

    framework: Slug
    indicator: Slug
    target: Level
    due_on: date


class NewPlan(RequestModel):
    """What two clusters want to set out to do. What is left out stays; a template names rhythm and length."""

    template: Literal["light", "standard", "intense"] | None = None
    every_days: Annotated[int | None, Field(ge=1, le=365)] = None
    until: date | None = None
    agreement: Annotated[LongText, Field(min_length=1)] | None = None
    goals: Annotated[list[NewGoal] | None, Field(max_length=10)] = None


class NewConfirmation(RequestModel):
    """One side agrees."""

    side: Side


class NewEnding(RequestModel):
    """How it ends, and for others of the consortium, why."""

    side: Side
    how: Literal["completed", "early"]
    reason: ShortText | None = None


def mentorship_view(done: MentorshipRecord) -> MentorshipView:
    """As callers see it, today."""
    today, mentorship, pair = clock.now().date(), done.mentorship, done.mentorship.pair
    signs = _signs(done)
    parts = health(signs, today) if signs and mentorship.ended_at is None else []
    due = _unanswered(done, today)
    own = ("state", "every_days", "ends_on", "agreement", "mentor_confirmed_at", "learner_confirmed_at", "started_at")
    more = ("ended_at", "reason", "outcome", "version")
    values = {name: getattr(mentorship, name) for name in (*own, *more)}
    standing = MentorshipStatus(
        state=mentorship.state,
        unconfirmed=[one for one in ("mentor", "learner") if getattr(mentorship, f"{one}_confirmed_at") is None],
        progress=signs,
        planned=[meeting.on for meeting, _ in done.meetings if meeting.state == "planned"],
        unanswered=[day for day in due if day != CLOSING_SURVEY],
        unmeasured=sum(goal.confirmed is None for goal in done.goals),
    )
    return MentorshipView(
        **values,
        **{name: getattr(pair, name) for name in ("id", "consortium_id", "mentor_id", "learner_id")},
        health=sum(part.points for part in parts) if parts else None,
        health_parts=[PartView(**part._asdict()) for part in parts],
        next_step=next_step(standing, today),
        surveys_due=due,
        closes_on=None if mentorship.ended_at else closing_date(mentorship.last_sign_at.date(), mentorship.nudged),
        goals=[GoalView.model_validate(goal) for goal in done.goals],
        meetings=[_meeting(meeting, group) for meeting, group in done.meetings],
    )


def _meeting(meeting: object, group: int) -> MeetingView:
    names = MeetingView.model_fields.keys() - {"learners"}
    return MeetingView(learners=group, **{name: getattr(meeting, name) for name in names})


def _signs(done: MentorshipRecord) -> MentorshipProgress | None:
    mentorship = done.mentorship
    if mentorship.started_at is None:
        return None
    return MentorshipProgress(
        started_on=mentorship.started_at.date(),
        every_days=mentorship.every_days,
        held=[meeting.on for meeting, _ in done.meetings if meeting.state == "held"],
        goals=[GoalProgress(goal.level, goal.reached, goal.target, goal.due_on) for goal in done.goals],
        check_ins=[CheckIn(one.side, one.at.date(), one.feeling) for one in done.check_ins],
    )


def _unanswered(done: MentorshipRecord, today: date) -> list[int]:
    """Surveys that are due and that a side has not answered; of one that is over, the last."""
    mentorship = done.mentorship
    if mentorship.started_at is None:
        return []
    over = mentorship.ended_at is not None
    days = [CLOSING_SURVEY] if over else survey_days((today - mentorship.started_at.date()).days)
    answered = [one.day for one in done.surveys]
    return [day for day in days if answered.count(day) < len(("mentor", "learner"))]


@router.get("/mentorships")
async def list_mentorships(
    caller: Anyone, db: Read, paging: Paging, cluster: Annotated[UUID | None, Query()] = None
) -> Page[MentorshipView]:
    """The mentorships of the caller's consortium, oldest first; those of one cluster, if one is given."""
    rows = await queries.mentorships(db, caller.scope(), cluster, paging.after, paging.limit + 1)
    return paging.page([mentorship_view(row) for row in rows], lambda row: (row.id,))


@router.get("/mentorships/{id}")
async def show_mentorship(caller: Anyone, db: Read, id: UUID, response: Response) -> MentorshipView:
    """One mentorship: what it sets out to do, where it is, and what came of it. Notes are for its two sides alone."""
    view = mentorship_view(await queries.mentorship(db, id, caller.within))
    etag(response, view.version)
    return view


@router.put("/mentorships/{id}/plan")
async def plan(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewPlan, response: Response
) -> MentorshipView:
    """Change what it sets out to do, before it starts. Both sides have to confirm it after that."""
    mentorship = await commands.lock_mentorship(tx, id, caller)
    aims = None if body.goals is None else [(Skill(g.framework, g.indicator), g.target, g.due_on) for g in body.goals]
    wanted = commands.ProgrammeChange(body.template, body.every_days, body.until, body.agreement, aims)
    await commands.change_programme(tx, mentorship, expected_version, wanted, clock.now())
    return await changed_view(tx, id, response)


@router.post("/mentorships/{id}/confirmations")
async def confirm(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewConfirmation, response: Response
) -> MentorshipView:
    """Agree, for one side, with what it sets out to do. It starts when both sides have."""
    mentorship = await commands.lock_mentorship(tx, id, caller, body.side)
    await commands.confirm(tx, mentorship, expected_version, body.side, clock.now())
    return await changed_view(tx, id, response)


@router.post("/mentorships/{id}/ending")
async def end(
    caller: Manager, tx: Tx, id: UUID, expected_version: IfMatch, body: NewEnding, response: Response
) -> MentorshipView:
    """End it, completed or early. Its places are free; the learner's next assessment confirms what was gained."""
    mentorship = await commands.lock_mentorship(tx, id, caller, body.side)
    await commands.end(tx, mentorship, expected_version, commands.Ending(body.how, body.reason), clock.now())
    return await changed_view(tx, id, response)


async def changed_view(tx: WriteSession, id: UUID, response: Response) -> MentorshipView:
    """What a change has made of it."""
    await tx.flush()
    view = mentorship_view(await queries.mentorship(tx, id, lambda _: True))
    etag(response, view.version)
    return view
