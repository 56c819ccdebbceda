"""`/mentorships/{id}/…`: meetings, progress, check-ins and surveys; what is noted there is for the two sides alone."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import Field

from services.matching.commands import meetings as commands
from services.matching.commands import mentorships
from services.matching.queries import mentorships as queries
from services.matching.routes.mentorships import Level, MentorshipView, Side, changed_view
from services.matching.rules.inputs.profile import Skill
from shared import clock
from shared.auth import Manager
from shared.errors import Forbidden
from shared.web import IfMatch, LongText, Read, RequestModel, ResponseModel, Router, ShortText, Slug, Tx

router = Router(prefix="/mentorships/{id}")
OneToFive = Annotated[int, Field(ge=1, le=5)]


class FollowUp(RequestModel):
    """Something that a side does after a meeting."""

    side: Side
    text: ShortText
    due_on: date | None = None
    done: bool = False


class NewMeeting(RequestModel):
    """A meeting that is planned, was held, or was cancelled. Who came is counted by cluster; names are not kept."""

    state: Literal["planned", "held", "cancelled"]
    on: date
    minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 60
    people: Annotated[dict[UUID, Annotated[int, Field(ge=0, le=1000)]], Field(max_length=50, default_factory=dict)]
    follow_ups: Annotated[list[FollowUp], Field(max_length=50, default_factory=list)]

    def facts(self) -> commands.MeetingDetails:
        """For the command."""
        follow_ups = [one.model_dump(mode="json") for one in self.follow_ups]
        return commands.MeetingDetails(self.state, self.on, self.minutes, self.people, follow_ups)


class NewGroupMeeting(NewMeeting):
    """A meeting, and the mentor's other mentorships whose learners are there."""

    together_with: Annotated[list[UUID], Field(max_length=50, default_factory=list)]


class NewNote(RequestModel):
    """What a side notes of a meeting; nothing takes it away."""

    side: Side
    text: LongText


class NewProgress(RequestModel):
    """The level that a goal has reached, as the two see it."""

    reached: Level


class NewCheckIn(RequestModel):
    """How it goes, from 1 (badly) to 5 (very well)."""

    side: Side
    feeling: OneToFive
    text: LongText = ""


class NewSurvey(RequestModel):
    """Answers to the survey of a day after the start; 0 is the one at the end."""

    side: Side
    day: Annotated[int, Field(ge=0, le=10_000)]
    useful: OneToFive
    again: bool
    text: LongText = ""


class MeetingNotesView(ResponseModel):
    """What was noted of a meeting, by cluster, and what follows from it."""

    meeting_id: UUID
    on: date
    notes: dict[UUID, str]
    follow_ups: list[FollowUp]


class CheckInView(ResponseModel):
    """What a side said of how it goes."""

    side: str
    feeling: int
    text: str
    at: datetime


class SurveyView(ResponseModel):
    """A side's answers to a survey."""

    day: int
    side: str
    useful: int
    again: bool
    text: str
    at: datetime


class NotesView(ResponseModel):
    """What the two sides have told each other."""

    meetings: list[MeetingNotesView]
    check_ins: list[CheckInView]
    surveys: list[SurveyView]


@router.get("/notes")
async def show_notes(caller: Manager, db: Read, id: UUID) -> NotesView:
    """What was noted of meetings, said in check-ins and answered in surveys: for the two sides and the coordinator.

    In a meeting of a group each learner's notes are for it and the mentor.
    """
    done = await queries.mentorship(db, id, caller.within)
    pair = done.mentorship.pair
    if not any(caller.speaks_for(side, pair.consortium_id) for side in (pair.mentor_id, pair.learner_id)):
        raise Forbidden("not-your-mentorship", "Notes are for the two sides of a mentorship.")
    own = {str(pair.mentor_id), str(pair.learner_id)}
    return NotesView(
        meetings=[
            MeetingNotesView(
                meeting_id=meeting.id,
                on=meeting.on,
                notes={UUID(cluster): text for cluster, text in meeting.notes.items() if cluster in own},
                follow_ups=[FollowUp.model_validate(one, strict=False) for one in meeting.follow_ups],
            )
            for meeting, _ in done.meetings
        ],
        check_ins=[CheckInView.model_validate(one) for one in done.check_ins],
        surveys=[SurveyView.model_validate(one) for one in done.surveys],
    )


@router.post("/meetings", status_code=201)
async def add_meeting(caller: Manager, tx: Tx, id: UUID, body: NewGroupMeeting, response: Response) -> MentorshipView:
    """Plan or report a meeting; of several learners of the mentor, if it speaks for all of them."""
    together = await mentorships.lock_group(tx, [id, *body.together_with], caller)
    meeting = await commands.add(tx, together, body.facts(), clock.now())
    response.headers["Location"] = f"meetings/{meeting.id}"
    return await changed_view(tx, id, response)


@router.put("/meetings/{meeting_id}")
async def change_meeting(
    caller: Manager, tx: Tx, id: UUID, meeting_id: UUID, expected_version: IfMatch, body: NewMeeting, response: Response
) -> MentorshipView:
    """Say otherwise of a meeting, as for instance that it was held; for all who were to be there."""
    together = await mentorships.lock_group(tx, await commands.mentorships_of(tx, id, meeting_id), caller)
    mentorships.require_version(next(one for one in together if one.id == id), expected_version)
    await commands.change(tx, together, meeting_id, body.facts(), clock.now())
    return await changed_view(tx, id, response)


@router.put("/meetings/{meeting_id}/note")
async def note(
    caller: Manager, tx: Tx, id: UUID, meeting_id: UUID, body: NewNote, response: Response
) -> MentorshipView:
    """Keep what a side notes of a meeting, in place of what it noted before."""
    await commands.mentorships_of(tx, id, meeting_id)
    mentorship = await mentorships.lock_mentorship(tx, id, caller, body.side)
    await commands.write_note(tx, mentorship, meeting_id, body.side, body.text, clock.now())
    return await changed_view(tx, id, response)


@router.put("/goals/{framework}/{indicator}")
async def report(
    caller: Manager, tx: Tx, id: UUID, framework: Slug, indicator: Slug, body: NewProgress, response: Response
) -> MentorshipView:
    """Say which level a goal has reached. An assessment after the end will confirm it, or not."""
    mentorship = await mentorships.lock_mentorship(tx, id, caller)
    await commands.report_progress(tx, mentorship, Skill(framework, indicator), body.reached, clock.now())
    return await changed_view(tx, id, response)


@router.post("/check-ins", status_code=201)
async def check_in(caller: Manager, tx: Tx, id: UUID, body: NewCheckIn, response: Response) -> MentorshipView:
    """Say how it goes."""
    mentorship = await mentorships.lock_mentorship(tx, id, caller, body.side)
    commands.check_in(tx, mentorship, body.side, body.feeling, body.text, clock.now())
    return await changed_view(tx, id, response)


@router.post("/surveys", status_code=201)
async def answer_survey(caller: Manager, tx: Tx, id: UUID, body: NewSurvey, response: Response) -> MentorshipView:
    """Answer a survey that is due, once."""
    mentorship = await mentorships.lock_mentorship(tx, id, caller, body.side)
    said = commands.SurveyReply(body.side, body.useful, body.again, body.text)
    await commands.reply_to_survey(tx, mentorship, body.day, said, clock.now())
    return await changed_view(tx, id, response)
