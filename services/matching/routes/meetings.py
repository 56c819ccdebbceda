"""`/mentorships/{id}/…`: meetings, notes, progress, check-ins and surveys. Notes are for the two sides only."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import Field

from services.matching.commands import meetings as commands
from services.matching.commands import mentorships
from services.matching.queries import mentorships as queries
from services.matching.routes.mentorships import Level, MentorshipView, changed_view
from services.matching.rules.inputs.criteria import Role
from services.matching.rules.inputs.profile import Skill
from shared import clock
from shared.auth import Manager
from shared.dates import Day
from shared.errors import Forbidden
from shared.web import IfMatch, LongText, Read, RequestModel, ResponseModel, Router, ShortText, Slug, Tx

router = Router(prefix="/mentorships/{id}")
OneToFive = Annotated[int, Field(ge=1, le=5)]


class FollowUp(RequestModel):
    """A task of one side after a meeting."""

    side: Role
    text: ShortText
    due_on: Day | None = None
    done: bool = False


class NewMeeting(RequestModel):
    """A planned, held or cancelled meeting. Participants are counted by cluster; names are not stored."""

    state: Literal["planned", "held", "cancelled"]
    on: Day
    minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 60
    people: Annotated[dict[UUID, Annotated[int, Field(ge=0, le=1000)]], Field(max_length=50, default_factory=dict)]
    follow_ups: Annotated[list[FollowUp], Field(max_length=50, default_factory=list)]

    def details(self) -> commands.MeetingDetails:
        """The argument of the command."""
        follow_ups = [follow_up.model_dump(mode="json") for follow_up in self.follow_ups]
        return commands.MeetingDetails(self.state, self.on, self.minutes, self.people, follow_ups)


class NewGroupMeeting(NewMeeting):
    """A meeting, and the other mentorships of the mentor whose learners take part."""

    together_with: Annotated[list[UUID], Field(max_length=50, default_factory=list)]


class NewNote(RequestModel):
    """The note of a side about a meeting. An empty text deletes it."""

    side: Role
    text: LongText


class NewProgress(RequestModel):
    """The level that a goal has reached, as the two sides see it."""

    reached: Level


class NewCheckIn(RequestModel):
    """How the mentorship goes, from 1 (badly) to 5 (very well)."""

    side: Role
    feeling: OneToFive
    text: LongText = ""


class NewSurvey(RequestModel):
    """Answers to the survey of a day after the start; day 0 is the survey at the end."""

    side: Role
    day: Annotated[int, Field(ge=0, le=10_000)]
    useful: OneToFive
    again: bool
    text: LongText = ""


class MeetingNotesView(ResponseModel):
    """The notes about a meeting by cluster, and its follow-ups."""

    meeting_id: UUID
    on: date
    notes: dict[UUID, str]
    follow_ups: list[FollowUp]


class CheckInView(ResponseModel):
    """The check-in of a side."""

    side: str = Field(validation_alias="role")
    feeling: int
    text: str
    at: datetime


class SurveyView(ResponseModel):
    """The answers of a side to a survey."""

    day: int
    side: str = Field(validation_alias="role")
    useful: int
    again: bool
    text: str
    at: datetime


class NotesView(ResponseModel):
    """Notes, check-ins and surveys of a mentorship."""

    meetings: list[MeetingNotesView]
    check_ins: list[CheckInView]
    surveys: list[SurveyView]


@router.get("/notes")
async def show_notes(caller: Manager, db: Read, id: UUID) -> NotesView:
    """The notes, check-ins and surveys of a mentorship, for its two sides and the coordinator.

    Notes of a learner about a group meeting are shown only to that learner and the mentor.
    """
    record = await queries.mentorship(db, id, caller.within)
    pair = record.mentorship.pair
    if not any(caller.speaks_for(cluster_id, pair.consortium_id) for cluster_id, _ in pair.sides):
        raise Forbidden("not-your-mentorship", "Notes are for the two sides of a mentorship.")
    visible_ids = {str(pair.mentor_id), str(pair.learner_id)}
    return NotesView(
        meetings=[
            MeetingNotesView(
                meeting_id=meeting.id,
                on=meeting.on,
                notes={UUID(id): text for id, text in meeting.notes.items() if id in visible_ids},
                follow_ups=[FollowUp.model_validate(item, strict=False) for item in meeting.follow_ups],
            )
            for meeting, _ in record.meetings
        ],
        check_ins=[CheckInView.model_validate(row) for row in record.check_ins],
        surveys=[SurveyView.model_validate(row) for row in record.surveys],
    )


@router.post("/meetings", status_code=201)
async def add_meeting(caller: Manager, tx: Tx, id: UUID, body: NewGroupMeeting, response: Response) -> MentorshipView:
    """Add a meeting. Only the mentor can add one with several of its learners (`together_with`)."""
    group = await mentorships.lock_group(tx, [id, *body.together_with], caller)
    meeting = await commands.add(tx, group, body.details(), clock.now())
    response.headers["Location"] = f"meetings/{meeting.id}"
    return await changed_view(tx, id, response)


@router.put("/meetings/{meeting_id}")
async def change_meeting(
    caller: Manager, tx: Tx, id: UUID, meeting_id: UUID, expected_version: IfMatch, body: NewMeeting, response: Response
) -> MentorshipView:
    """Change a meeting, for instance to held, for all mentorships that it counts for."""
    group = await mentorships.lock_group(tx, await commands.mentorships_of(tx, id, meeting_id), caller)
    mentorships.require_version(next(mentorship for mentorship in group if mentorship.id == id), expected_version)
    await commands.change(tx, group, meeting_id, body.details(), clock.now())
    return await changed_view(tx, id, response)


@router.put("/meetings/{meeting_id}/note")
async def write_note(
    caller: Manager, tx: Tx, id: UUID, meeting_id: UUID, body: NewNote, response: Response
) -> MentorshipView:
    """Replace the note of a side about a meeting."""
    await commands.mentorships_of(tx, id, meeting_id)
    mentorship = await mentorships.lock_mentorship(tx, id, caller, body.side)
    await commands.write_note(tx, mentorship, meeting_id, body.side, body.text, clock.now())
    return await changed_view(tx, id, response)


@router.put("/goals/{framework}/{indicator}")
async def report_progress(
    caller: Manager, tx: Tx, id: UUID, framework: Slug, indicator: Slug, body: NewProgress, response: Response
) -> MentorshipView:
    """Report the level that a goal has reached. An assessment after the end confirms it, or not."""
    mentorship = await mentorships.lock_mentorship(tx, id, caller)
    await commands.report_progress(tx, mentorship, Skill(framework, indicator), body.reached, clock.now())
    return await changed_view(tx, id, response)


@router.post("/check-ins", status_code=201)
async def check_in(caller: Manager, tx: Tx, id: UUID, body: NewCheckIn, response: Response) -> MentorshipView:
    """Add a check-in of one side."""
    mentorship = await mentorships.lock_mentorship(tx, id, caller, body.side)
    commands.check_in(tx, mentorship, body.side, body.feeling, body.text, clock.now())
    return await changed_view(tx, id, response)


@router.post("/surveys", status_code=201)
async def answer_survey(caller: Manager, tx: Tx, id: UUID, body: NewSurvey, response: Response) -> MentorshipView:
    """Answer a survey that is due. Each side can answer a survey once."""
    mentorship = await mentorships.lock_mentorship(tx, id, caller, body.side)
    reply = commands.SurveyReply(body.side, body.useful, body.again, body.text)
    await commands.reply_to_survey(tx, mentorship, body.day, reply, clock.now())
    return await changed_view(tx, id, response)
