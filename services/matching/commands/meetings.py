"""What two clusters do while they work together: they meet, report, check in, and answer surveys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.matching.commands.mentorship_events import publish_fact
from services.matching.commands.mentorships import record_activity
from services.matching.rules.inputs.profile import Skill
from services.matching.rules.mentoring.reminders import CLOSING_SURVEY, survey_days
from services.matching.tables import CheckIn, Goal, Meeting, MeetingMentorship, Mentorship, Survey
from shared.clock import new_id
from shared.db import WriteSession
from shared.errors import Conflict, Invalid, NotFound
from shared.events.matching import MentorshipMet


@dataclass(frozen=True, slots=True)
class MeetingDetails:
    """Of a meeting: planned, held or cancelled; when and how long; people by cluster; what follows from it."""

    state: str
    on: date
    minutes: int
    people: Mapping[UUID, int]
    follow_ups: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SurveyReply:
    """One side's answers to a survey: how useful it is from 1 to 5, whether it would do it again, and in words."""

    side: str
    useful: int
    again: bool
    text: str


async def add(tx: WriteSession, mentorships: Sequence[Mentorship], facts: MeetingDetails, now: datetime) -> Meeting:
    """Plan or report a meeting of a mentor with the learners of these locked mentorships.

    Raises:
        Conflict: one of them is not active.
        Invalid: it was held on a day to come, people are of none of the clusters, or the mentors are several.
    """
    for mentorship in mentorships:
        _require_active(mentorship)
    mentors = {one.pair.mentor_id for one in mentorships}
    if len(mentors) > 1:
        raise Invalid("other-mentor", "A meeting of a group has one mentor.", field="together_with")
    _validate(facts, mentors | {one.pair.learner_id for one in mentorships}, now.date())
    meeting = Meeting(id=new_id(), mentor_id=mentors.pop(), notes={}, **_columns(facts))
    tx.add(meeting)
    await tx.flush()
    for mentorship in mentorships:
        tx.add(MeetingMentorship(mentorship_id=mentorship.id, meeting_id=meeting.id))
        _record_meeting(tx, mentorship, meeting, now)
    return meeting


async def mentorships_of(tx: WriteSession, mentorship_id: UUID, id: UUID) -> Sequence[UUID]:
    """The ids of all the mentorships that a meeting of one of them counts for; they never change.

    Raises:
        NotFound
    """
    rows = (await tx.scalars(select(MeetingMentorship.mentorship_id).where(MeetingMentorship.meeting_id == id))).all()
    if mentorship_id not in rows:
        raise NotFound("no-such-meeting", "This mentorship has no such meeting.")
    return rows


async def change(
    tx: WriteSession, mentorships: Sequence[Mentorship], id: UUID, facts: MeetingDetails, now: datetime
) -> None:
    """Say otherwise of a meeting of locked mentorships. One that was held stays held.

    Raises:
        Conflict: it was held, and is said not to be; or a mentorship is not active.
        Invalid: as `add`.
    """
    for mentorship in mentorships:
        _require_active(mentorship)
    meeting = await tx.get_one(Meeting, id, with_for_update=True)
    if meeting.state == "held" and facts.state != "held":
        raise Conflict("already-held", "This meeting was held already.")
    clusters = {one.pair.mentor_id for one in mentorships} | {one.pair.learner_id for one in mentorships}
    _validate(facts, clusters, now.date())
    told = meeting.state == "held"
    for name, value in _columns(facts).items():
        setattr(meeting, name, value)
    meeting.version += 1
    for mentorship in mentorships:
        _record_meeting(tx, mentorship, meeting, now, told=told)


async def write_note(tx: WriteSession, mentorship: Mentorship, id: UUID, side: str, text: str, now: datetime) -> None:
    """Keep what a side of a locked mentorship notes of a meeting, in place of before; no text takes it away."""
    meeting = await tx.get_one(Meeting, id, with_for_update=True)
    cluster = str(getattr(mentorship.pair, f"{side}_id"))
    kept = {other: said for other, said in meeting.notes.items() if other != cluster}
    meeting.notes = kept | {cluster: text} if text else kept
    meeting.version += 1
    record_activity(mentorship, now)


async def report_progress(tx: WriteSession, mentorship: Mentorship, skill: Skill, reached: int, now: datetime) -> None:
    """Say which level a goal of a locked mentorship has reached, as the two see it.

    Raises:
        Conflict: it is not active.
        NotFound: it has no such goal.
    """
    _require_active(mentorship)
    goal = await tx.get(Goal, (mentorship.id, *skill))
    if goal is None:
        raise NotFound("no-such-goal", f"{skill.text.capitalize()} is no goal of this mentorship.")
    goal.reached = reached
    record_activity(mentorship, now)


def check_in(tx: WriteSession, mentorship: Mentorship, side: str, feeling: int, text: str, now: datetime) -> None:
    """Keep what a side of a locked mentorship says of how it goes.

    Raises:
        Conflict: it is not active.
    """
    _require_active(mentorship)
    tx.add(CheckIn(id=new_id(), mentorship_id=mentorship.id, side=side, feeling=feeling, text=text, at=now))
    record_activity(mentorship, now)


async def reply_to_survey(tx: WriteSession, mentorship: Mentorship, day: int, said: SurveyReply, now: datetime) -> None:
    """Keep a side's answers to the survey of a day after the start of a locked mentorship (0: at its end), once.

    Raises:
        Conflict: that survey is not due, or was answered.
    """
    started, ended = mentorship.started_at, mentorship.ended_at
    running = ((ended or now) - started).days if started else 0
    if not started or (ended is None if day == CLOSING_SURVEY else day not in survey_days(running)):
        raise Conflict("not-due", "This survey is not due.")
    row = {"mentorship_id": mentorship.id, "day": day, "side": said.side, "at": now}
    row |= {"useful": said.useful, "again": said.again, "text": said.text}
    new = insert(Survey).values(row).on_conflict_do_nothing().returning(Survey.day)
    if await tx.scalar(new) is None:
        raise Conflict("already-answered", f"The {said.side} has answered this survey already.")
    record_activity(mentorship, now)


def _require_active(mentorship: Mentorship) -> None:
    if mentorship.state != "active":
        raise Conflict("not-active", f"This mentorship is {mentorship.state}, not active.")


def _validate(facts: MeetingDetails, clusters: set[UUID], today: date) -> None:
    if facts.state == "held" and facts.on > today:
        raise Invalid("not-yet", "A meeting that was held cannot be on a day to come.", field="on")
    if others := facts.people.keys() - clusters:
        raise Invalid("other-cluster", f"{min(others)} is not one of those who meet.", field="people")


def _columns(facts: MeetingDetails) -> dict[str, Any]:
    return {
        "state": facts.state,
        "on": facts.on,
        "minutes": facts.minutes,
        "people": {str(cluster): count for cluster, count in facts.people.items()},
        "follow_ups": [dict(one) for one in facts.follow_ups],
    }


def _record_meeting(
    tx: WriteSession, mentorship: Mentorship, meeting: Meeting, now: datetime, *, told: bool = False
) -> None:
    record_activity(mentorship, now)
    if meeting.state == "held" and not told:
        when = {"on": meeting.on, "minutes": meeting.minutes}
        publish_fact(tx, mentorship, MentorshipMet, meeting_id=meeting.id, **when)
