"""Mentorships: what two clusters agree on, the start and the end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import delete, func, select, update

from services.matching.commands import mentorship_outcomes, replan
from services.matching.commands.mentorship_events import event_goals, publish_fact
from services.matching.queries.plan_input import load_profiles
from services.matching.queries.projection import scale_ends
from services.matching.rules.inputs.criteria import Role
from services.matching.rules.inputs.profile import Skill
from services.matching.rules.mentoring.outcome import check_on_scale
from services.matching.rules.mentoring.programme import (
    DEFAULT_TEMPLATE,
    TEMPLATES,
    PlannedGoal,
    Template,
    agreement,
    ends_on,
    first_goals,
)
from services.matching.rules.mentoring.reminders import CLOSING_SURVEY
from services.matching.tables import Goal, Meeting, MeetingMentorship, Mentorship, Pair, Slots
from shared.db import WriteSession
from shared.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from shared.events.matching import Cause, MentorshipAsked, MentorshipEnded, MentorshipStarted


class CallerRights(Protocol):
    """The caller's access to consortia, and its right to act for a cluster."""

    def within(self, consortium: UUID, /) -> bool: ...
    def speaks_for(self, cluster: UUID, consortium: UUID, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class ProgrammeChange:
    """Changes of what two clusters agree on; None leaves a part as it is. Goals: skill, target level, due date."""

    template: str | None = None
    every_days: int | None = None
    until: date | None = None
    agreement: str | None = None
    goals: Sequence[tuple[Skill, int, date]] | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a mentorship ends (completed, early or quiet), and why."""

    how: str
    reason: str | None = None


async def begin(tx: WriteSession, pair: Pair, now: datetime) -> None:
    """Add the mentorship of an accepted pair, by the default template. It starts when both sides have confirmed it."""
    profiles = await load_profiles(tx, [pair.mentor_id, pair.learner_id], now.date())
    mentor, learner = profiles.get(pair.mentor_id), profiles.get(pair.learner_id)
    template = TEMPLATES[DEFAULT_TEMPLATE]
    until = ends_on(template, now.date())
    goals = first_goals(mentor, learner, until) if mentor and learner else []
    names = (mentor.name if mentor else "The mentor", learner.name if learner else "the learner")
    mentorship = Mentorship(
        id=pair.id,
        every_days=template.every_days,
        ends_on=until,
        agreement=agreement(*names, template, goals),
        last_activity_at=now,
    )
    tx.add(mentorship)
    await tx.flush()
    tx.add_all(_goal(pair.id, goal) for goal in goals)


def _goal(mentorship_id: UUID, goal: PlannedGoal) -> Goal:
    return Goal(
        mentorship_id=mentorship_id,
        framework=goal.skill.framework,
        indicator=goal.skill.indicator,
        level=goal.level,
        target=goal.target,
        due_on=goal.due_on,
        reached=goal.level,
    )


async def lock_mentorship(tx: WriteSession, id: UUID, rights: CallerRights, role: Role | None = None) -> Mentorship:
    """Load a mentorship and lock its pair's row until the transaction ends.

    Raises:
        NotFound: also if it is of another consortium.
        Forbidden: the caller does not act for the side `role`, or without a role for neither side.
    """
    query = select(Pair).where(Pair.id == id, Pair.state.in_(["accepted", "ended"])).with_for_update()
    pair = await tx.scalar(query)
    if pair is None or not rights.within(pair.consortium_id):
        raise NotFound("no-such-mentorship", "There is no such mentorship.")
    roles: tuple[Role, ...] = ("mentor", "learner") if role is None else (role,)
    if not any(rights.speaks_for(pair.cluster_of(role), pair.consortium_id) for role in roles):
        raise Forbidden("not-your-side", f"You do not act for the {' or the '.join(roles)} of this mentorship.")
    return await tx.get_one(Mentorship, id)


async def lock_group(tx: WriteSession, ids: Iterable[UUID], rights: CallerRights) -> list[Mentorship]:
    """Lock mentorships in order of their ids. For several the caller has to act for the mentor, for one for a side.

    Raises:
        NotFound, Forbidden.
    """
    group = sorted(set(ids))
    return [await lock_mentorship(tx, id, rights, "mentor" if len(group) > 1 else None) for id in group]


def require_version(mentorship: Mentorship, expected_version: int) -> None:
    """Refuse an update of another version than the caller has read.

    Raises:
        Stale
    """
    if mentorship.version != expected_version:
        message = f"The mentorship has changed since: it is at version {mentorship.version}, not {expected_version}."
        raise Stale("stale", message)


def record_activity(mentorship: Mentorship, now: datetime) -> None:
    """Record activity of the two sides: reminders start from the beginning."""
    mentorship.last_activity_at, mentorship.last_reminder_day = now, 0
    mentorship.version += 1


async def change_programme(
    tx: WriteSession, mentorship: Mentorship, expected_version: int, change: ProgrammeChange, now: datetime
) -> None:
    """Change what a locked mentorship sets out to do, before its start. Both sides have to confirm it again.

    Raises:
        Stale
        Conflict: the mentorship has started.
        Invalid: the learner has reached a target already, a target is off its scale, or the end is not in the future.
    """
    require_version(mentorship, expected_version)
    if mentorship.state != "agreed":
        raise Conflict("already-started", f"This mentorship is {mentorship.state}; its plan cannot change any more.")
    template = TEMPLATES.get(change.template or "")
    if template is not None:
        mentorship.every_days, mentorship.ends_on = template.every_days, ends_on(template, now.date())
    mentorship.every_days = change.every_days or mentorship.every_days
    mentorship.ends_on = change.until or mentorship.ends_on
    if mentorship.ends_on <= now.date():
        raise Invalid("too-short", "The mentorship would end before it starts.", field="until")
    if change.goals is not None:
        await _replace_goals(tx, mentorship, change.goals, now.date())
    if change.agreement is not None:
        mentorship.agreement = change.agreement
    elif template is not None or change.goals is not None:
        await _write_agreement(tx, mentorship, template, now.date())
    mentorship.mentor_confirmed_at = mentorship.learner_confirmed_at = None
    record_activity(mentorship, now)


async def _replace_goals(
    tx: WriteSession, mentorship: Mentorship, goals: Sequence[tuple[Skill, int, date]], today: date
) -> None:
    learner_id = mentorship.pair.learner_id
    learner = (await load_profiles(tx, [learner_id], today)).get(learner_id)
    scales = await scale_ends(tx, {skill.framework for skill, _, _ in goals})
    levels = learner.levels if learner else {}
    await tx.execute(delete(Goal).where(Goal.mentorship_id == mentorship.id))
    for number, (skill, target, due_on) in enumerate(goals):
        level = levels.get(skill, 0)
        if target <= level:
            message = f"The learner is at {level} in {skill.text} already."
            raise Invalid("no-gain", message, field=f"goals.{number}.target")
        check_on_scale(target, scales.get(skill.framework), f"goals.{number}.target")
        tx.add(_goal(mentorship.id, PlannedGoal(skill, level, target, due_on)))
    await tx.flush()


async def _write_agreement(tx: WriteSession, mentorship: Mentorship, template: Template | None, today: date) -> None:
    pair = mentorship.pair
    profiles = await load_profiles(tx, [pair.mentor_id, pair.learner_id], today)
    names = [profiles[id].name if id in profiles else "One side" for id in (pair.mentor_id, pair.learner_id)]
    rows = await tx.scalars(select(Goal).where(Goal.mentorship_id == mentorship.id))
    goals = [PlannedGoal(Skill(row.framework, row.indicator), row.level, row.target, row.due_on) for row in rows]
    days = (mentorship.ends_on - today).days
    own = Template(f"a meeting every {mentorship.every_days} days for {days} days", mentorship.every_days, days)
    mentorship.agreement = agreement(names[0], names[1], template or own, goals)


async def confirm(tx: WriteSession, mentorship: Mentorship, expected_version: int, role: Role, now: datetime) -> None:
    """Record that one side confirms a locked mentorship. It starts with the second confirmation.

    Raises:
        Stale
        Conflict: it has started, or this side has confirmed it.
    """
    if mentorship.state != "agreed":
        raise Conflict("already-started", f"This mentorship is {mentorship.state} already.")
    if mentorship.confirmed_by(role):
        raise Conflict("already-confirmed", f"The {role} has confirmed it already.")
    require_version(mentorship, expected_version)
    mentorship.set_confirmed(role, now)
    record_activity(mentorship, now)
    if mentorship.confirmed_by("mentor") and mentorship.confirmed_by("learner"):
        mentorship.state, mentorship.started_at = "active", now
        publish_fact(
            tx,
            mentorship,
            MentorshipStarted,
            goals=await event_goals(tx, mentorship),
            every_days=mentorship.every_days,
            ends_on=mentorship.ends_on,
        )


async def end(tx: WriteSession, mentorship: Mentorship, expected_version: int, ending: Ending, now: datetime) -> None:
    """End a locked mentorship at the request of a side.

    Raises:
        Stale
        Conflict: it has ended, or is to be completed and has not started.
    """
    if mentorship.ended_at is not None:
        raise Conflict("already-over", f"This mentorship is {mentorship.state} already.")
    if ending.how == "completed" and mentorship.state != "active":
        raise Conflict("not-started", "This mentorship has not started; it can only be ended early.")
    require_version(mentorship, expected_version)
    await close(tx, mentorship, ending, now)


async def close(tx: WriteSession, mentorship: Mentorship, ending: Ending, now: datetime) -> None:
    """End a locked mentorship that has not ended: free its slots, request the last survey, record a replan cause."""
    pair, started = mentorship.pair, mentorship.started_at is not None
    mentorship.state = "completed" if ending.how == "completed" else "ended"
    mentorship.ended_at, mentorship.reason = now, ending.reason
    mentorship.version += 1
    pair.state, pair.decided_at = "ended", now
    pair.version += 1
    await _free_slots(tx, pair)
    meetings, goals = await _count_held_meetings(tx, mentorship.id), await event_goals(tx, mentorship)
    event = publish_fact(tx, mentorship, MentorshipEnded, how=ending.how, meetings=meetings, goals=goals)
    if started:
        publish_fact(tx, mentorship, MentorshipAsked, day=CLOSING_SURVEY)
    cause = Cause(event_id=event.id, type=event.type, cluster_id=pair.learner_id)
    await replan.record_causes(tx, [replan.ConsortiumCause(pair.consortium_id, cause)])
    await tx.flush()
    await mentorship_outcomes.confirm_at_end(tx, mentorship, now)


async def _free_slots(tx: WriteSession, pair: Pair) -> None:
    """In order of cluster, so that two transactions cannot deadlock."""
    fewer = Slots.used - 1
    values = {"used": fewer, "ceiling": func.greatest(Slots.capacity, fewer)}
    for cluster_id, role in pair.sides:
        await tx.execute(update(Slots).where(Slots.cluster_id == cluster_id, Slots.role == role).values(values))


async def _count_held_meetings(tx: WriteSession, id: UUID) -> int:
    meetings = select(func.count()).select_from(MeetingMentorship)
    meetings = meetings.join(Meeting, Meeting.id == MeetingMentorship.meeting_id)
    return await tx.scalar(meetings.where(MeetingMentorship.mentorship_id == id, Meeting.state == "held")) or 0
