"""Activity in mentorships: meetings, notes, progress reports, check-ins and surveys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.matching.commands.mentorship_events import publish_fact
from services.matching.commands.mentorships import record_activity
from services.matching.queries.projection import scale_ends
from services.matching.rules.inputs.criteria import Role
from services.matching.rules.inputs.profile import Skill
from services.matching.rules.mentoring.outcome import check_on_scale
from services.matching.rules.mentoring.reminders import CLOSING_SURVEY, survey_days
from services.matching.tables import CheckIn, Goal, Meeting, MeetingMentorship, Mentorship, Survey
from shared.clock import new_id
from shared.db import WriteSession
from shared.errors import Conflict, Invalid, NotFound
from shared.events.matching import MentorshipMet


@dataclass(frozen=True, slots=True)
class MeetingDetails:
    """The state of a meeting (planned, held or cancelled), day, length, participants by cluster, and follow-ups."""

    state: str
    on: date
    minutes: int
    people: Mapping[UUID, int]
    follow_ups: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SurveyReply:
    """The reply of one side to a survey.

    Attributes:
        role: the side.
        useful: 1 (not) to 5 (very).
        again: whether the side would do it again.
        text: free text.
    """

    role: Role
    useful: int
    again: bool
    text: str


async def add(tx: WriteSession, mentorships: Sequence[Mentorship], details: MeetingDetails, now: datetime) -> Meeting:
    """Add a meeting of one mentor with the learners of locked mentorships.

    Raises:
        Conflict: a mentorship is not active.
        Invalid: the meeting was held on a future day or before the start of a mentorship, people belong to another
            cluster, or the mentors differ.
    """
    for mentorship in mentorships:
        _require_active(mentorship)
    mentor_ids = {mentorship.pair.mentor_id for mentorship in mentorships}
    if len(mentor_ids) > 1:
        raise Invalid("other-mentor", "A group meeting has one mentor.", field="together_with")
    _validate(details, mentorships, now.date())
    meeting = Meeting(id=new_id(), mentor_id=mentor_ids.pop(), notes={}, **_columns(details))
    tx.add(meeting)
    await tx.flush()
    for mentorship in mentorships:
        tx.add(MeetingMentorship(mentorship_id=mentorship.id, meeting_id=meeting.id))
        _record_meeting(tx, mentorship, meeting, now)
    return meeting


async def mentorships_of(tx: WriteSession, mentorship_id: UUID, id: UUID) -> Sequence[UUID]:
    """The ids of all mentorships that a meeting counts for; they never change.

    Raises:
        NotFound: it does not count for `mentorship_id`.
    """
    query = select(MeetingMentorship.mentorship_id).where(MeetingMentorship.meeting_id == id)
    ids = (await tx.scalars(query)).all()
    if mentorship_id not in ids:
        raise NotFound("no-such-meeting", "This mentorship has no such meeting.")
    return ids


async def change(
    tx: WriteSession, mentorships: Sequence[Mentorship], id: UUID, details: MeetingDetails, now: datetime
) -> None:
    """Replace the details of a meeting of locked mentorships. A held meeting stays held.

    Raises:
        Conflict: the meeting was held and the details say otherwise; or a mentorship is not active.
        Invalid: as `add`.
    """
    for mentorship in mentorships:
        _require_active(mentorship)
    meeting = await tx.get_one(Meeting, id, with_for_update=True)
    was_held = meeting.state == "held"
    if was_held and details.state != "held":
        raise Conflict("already-held", "This meeting was held already.")
    _validate(details, mentorships, now.date())
    for name, value in _columns(details).items():
        setattr(meeting, name, value)
    meeting.version += 1
    for mentorship in mentorships:
        _record_meeting(tx, mentorship, meeting, now, published=was_held)


async def write_note(tx: WriteSession, mentorship: Mentorship, id: UUID, role: Role, text: str, now: datetime) -> None:
    """Replace the note of one side of a locked mentorship about a meeting. An empty text deletes it."""
    meeting = await tx.get_one(Meeting, id, with_for_update=True)
    cluster_id = str(mentorship.pair.cluster_of(role))
    others = {key: note for key, note in meeting.notes.items() if key != cluster_id}
    meeting.notes = others | {cluster_id: text} if text else others
    meeting.version += 1
    record_activity(mentorship, now)


async def report_progress(tx: WriteSession, mentorship: Mentorship, skill: Skill, reached: int, now: datetime) -> None:
    """Store the level that a goal of a locked mentorship has reached, as the two sides report it.

    Raises:
        Conflict: the mentorship is not active.
        NotFound: it has no such goal.
        Invalid: the level is off its scale.
    """
    _require_active(mentorship)
    goal = await tx.get(Goal, (mentorship.id, *skill))
    if goal is None:
        raise NotFound("no-such-goal", f"{skill.text.capitalize()} is not a goal of this mentorship.")
    check_on_scale(reached, (await scale_ends(tx, {skill.framework})).get(skill.framework), "reached")
    goal.reached = reached
    record_activity(mentorship, now)


def check_in(tx: WriteSession, mentorship: Mentorship, role: Role, feeling: int, text: str, now: datetime) -> None:
    """Add the check-in of one side of a locked mentorship.

    Raises:
        Conflict: the mentorship is not active.
    """
    _require_active(mentorship)
    tx.add(CheckIn(id=new_id(), mentorship_id=mentorship.id, role=role, feeling=feeling, text=text, at=now))
    record_activity(mentorship, now)


async def reply_to_survey(
    tx: WriteSession, mentorship: Mentorship, day: int, reply: SurveyReply, now: datetime
) -> None:
    """Store the reply of one side to a survey of a locked mentorship.

    Args:
        tx: the transaction.
        mentorship: the locked mentorship.
        day: days from the start to the survey; 0 is the survey at the end.
        reply: the reply.
        now: the time of the reply.

    Raises:
        Conflict: the survey is not due, or this side has answered it.
    """
    started_at, ended_at = mentorship.started_at, mentorship.ended_at
    duration = ((ended_at or now) - started_at).days if started_at else 0
    if not started_at or (ended_at is None if day == CLOSING_SURVEY else day not in survey_days(duration)):
        raise Conflict("not-due", "This survey is not due.")
    row = {
        "mentorship_id": mentorship.id,
        "day": day,
        "role": reply.role,
        "useful": reply.useful,
        "again": reply.again,
        "text": reply.text,
        "at": now,
    }
    inserted = insert(Survey).values(row).on_conflict_do_nothing().returning(Survey.day)
    if await tx.scalar(inserted) is None:
        raise Conflict("already-answered", f"The {reply.role} has answered this survey already.")
    record_activity(mentorship, now)


def _require_active(mentorship: Mentorship) -> None:
    if mentorship.state != "active":
        raise Conflict("not-active", f"This mentorship is {mentorship.state}, not active.")


def _validate(details: MeetingDetails, mentorships: Sequence[Mentorship], today: date) -> None:
    if details.state == "held" and details.on > today:
        raise Invalid("not-yet", "A held meeting cannot be on a future day.", field="on")
    begun = [mentorship.started_at.date() for mentorship in mentorships if mentorship.started_at is not None]
    if details.state == "held" and details.on < max(begun, default=details.on):
        message = f"A meeting of this mentorship cannot be held before {max(begun)}, when it started."
        raise Invalid("before-start", message, field="on")
    participants = {id for mentorship in mentorships for id, _ in mentorship.pair.sides}
    if others := details.people.keys() - participants:
        raise Invalid("other-cluster", f"Cluster {min(others)} does not take part in this meeting.", field="people")


def _columns(details: MeetingDetails) -> dict[str, Any]:
    return {
        "state": details.state,
        "on": details.on,
        "minutes": details.minutes,
        "people": {str(cluster_id): count for cluster_id, count in details.people.items()},
        "follow_ups": [dict(follow_up) for follow_up in details.follow_ups],
    }


def _record_meeting(
    tx: WriteSession, mentorship: Mentorship, meeting: Meeting, now: datetime, *, published: bool = False
) -> None:
    """Record the activity, and publish that the meeting was held unless that is `published` already."""
    record_activity(mentorship, now)
    if meeting.state == "held" and not published:
        publish_fact(tx, mentorship, MentorshipMet, meeting_id=meeting.id, on=meeting.on, minutes=meeting.minutes)
