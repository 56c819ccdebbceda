"""Queries for mentorships, with their goals, meetings, check-ins and surveys."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from services.matching.tables import CheckIn, Goal, Meeting, MeetingMentorship, Mentorship, Pair, Survey
from shared.db import ReadSession, WriteSession
from shared.errors import NotFound
from shared.keyset import page


@dataclass
class MentorshipRecord:
    """A mentorship with goals, meetings by day (each with its number of learners), check-ins and surveys."""

    mentorship: Mentorship
    goals: list[Goal] = field(default_factory=list)
    meetings: list[tuple[Meeting, int]] = field(default_factory=list)
    check_ins: list[CheckIn] = field(default_factory=list)
    surveys: list[Survey] = field(default_factory=list)


async def mentorships(
    db: ReadSession, within: UUID | None, cluster: UUID | None, after: tuple[UUID] | None, limit: int
) -> list[MentorshipRecord]:
    """Mentorships, oldest first; `within` limits them to one consortium (None: all), `cluster` to one cluster."""
    query = select(Mentorship).join(Pair, Pair.id == Mentorship.id)
    if within is not None:
        query = query.where(Pair.consortium_id == within)
    if cluster is not None:
        query = query.where((Pair.mentor_id == cluster) | (Pair.learner_id == cluster))
    return await _load_records(db, (await db.scalars(page(query, [Mentorship.id], after, limit))).all())


async def mentorship(db: ReadSession | WriteSession, id: UUID, right: Callable[[UUID], bool]) -> MentorshipRecord:
    """One mentorship, if `right(consortium)` is true.

    Raises:
        NotFound
    """
    row = await db.get(Mentorship, id)
    if row is None or not right(row.pair.consortium_id):
        raise NotFound("no-such-mentorship", "There is no such mentorship.")
    return (await _load_records(db, [row]))[0]


async def _load_records(db: ReadSession | WriteSession, rows: Sequence[Mentorship]) -> list[MentorshipRecord]:
    records = {row.id: MentorshipRecord(row) for row in rows}
    ids = list(records)
    goals = select(Goal).where(Goal.mentorship_id.in_(ids)).order_by(Goal.framework, Goal.indicator)
    for goal in await db.scalars(goals):
        records[goal.mentorship_id].goals.append(goal)
    for check_in in await db.scalars(select(CheckIn).where(CheckIn.mentorship_id.in_(ids)).order_by(CheckIn.id)):
        records[check_in.mentorship_id].check_ins.append(check_in)
    surveys = select(Survey).where(Survey.mentorship_id.in_(ids)).order_by(Survey.day, Survey.role)
    for survey in await db.scalars(surveys):
        records[survey.mentorship_id].surveys.append(survey)
    await _load_meetings(db, records)
    return list(records.values())


async def _load_meetings(db: ReadSession | WriteSession, records: Mapping[UUID, MentorshipRecord]) -> None:
    meeting_ids = select(MeetingMentorship.meeting_id).where(MeetingMentorship.mentorship_id.in_(records))
    query = select(MeetingMentorship).where(MeetingMentorship.meeting_id.in_(meeting_ids))
    groups = defaultdict[UUID, set[UUID]](set)
    for row in (await db.scalars(query)).all():
        groups[row.meeting_id].add(row.mentorship_id)
    for meeting in await db.scalars(select(Meeting).where(Meeting.id.in_(groups)).order_by(Meeting.on, Meeting.id)):
        group = groups[meeting.id]
        for id in group & records.keys():
            records[id].meetings.append((meeting, len(group)))
