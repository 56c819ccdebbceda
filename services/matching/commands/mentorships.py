"""Mentorships: what two clusters set out to do, how they begin, and how they end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import delete, func, select, update

from services.matching.commands import mentorship_outcomes, replan
from services.matching.commands.mentorship_events import event_goals, publish_fact
from services.matching.queries.plan_input import load_profiles
from services.matching.rules.inputs.profile import Skill
from services.matching.rules.mentoring.programme import (
    DEFAULT_TEMPLATE,
    TEMPLATES,
    Template,
    agreement,
    ends_on,
    first_goals,
)
from services.matching.rules.mentoring.programme import PlannedGoal as Aimed
from services.matching.rules.mentoring.reminders import CLOSING_SURVEY
from services.matching.tables import Goal, Meeting, MeetingMentorship, Mentorship, Pair, Slots
from shared.db import WriteSession
from shared.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from shared.events.matching import Cause, MentorshipAsked, MentorshipEnded, MentorshipStarted


class CallerRights(Protocol):
    """Of whoever asks: which consortium it belongs to, and for which of its clusters it speaks."""

    def within(self, consortium: UUID, /) -> bool: ...
    def speaks_for(self, cluster: UUID, consortium: UUID, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class ProgrammeChange:
    """What two clusters want to set out to do in place of what was planned; None leaves that as it is."""

    template: str | None = None
    every_days: int | None = None
    until: date | None = None
    agreement: str | None = None
    goals: Sequence[tuple[Skill, int, date]] | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a mentorship ends (completed, early or quiet), and what is said of it."""

    how: str
    reason: str | None = None


async def begin(tx: WriteSession, pair: Pair, now: datetime) -> None:
    """Make a mentorship of a pair that both sides accepted, by the standard template; they have to confirm it."""
    sides = await load_profiles(tx, [pair.mentor_id, pair.learner_id], now.date())
    mentor, learner = sides.get(pair.mentor_id), sides.get(pair.learner_id)
    template = TEMPLATES[DEFAULT_TEMPLATE]
    until = ends_on(template, now.date())
    goals = first_goals(mentor, learner, until) if mentor and learner else []
    names = (mentor.name if mentor else "The mentor", learner.name if learner else "the learner")
    text = agreement(*names, template, goals)
    every = template.every_days
    tx.add(Mentorship(id=pair.id, every_days=every, ends_on=until, agreement=text, last_sign_at=now))
    await tx.flush()
    tx.add_all(_goal(pair.id, one) for one in goals)


def _goal(mentorship_id: UUID, aimed: Aimed) -> Goal:
    return Goal(mentorship_id=mentorship_id, **aimed.skill._asdict(), **_levels(aimed))


def _levels(aimed: Aimed) -> dict[str, int | date]:
    return {"level": aimed.level, "target": aimed.target, "due_on": aimed.due_on, "reached": aimed.level}


async def lock_mentorship(tx: WriteSession, id: UUID, rights: CallerRights, side: str | None = None) -> Mentorship:
    """A mentorship, with its pair's row locked until the end of the transaction, for who speaks for a side of it.

    Raises:
        NotFound
        Forbidden: the caller does not speak for that side, or for none of the two.
    """
    query = select(Pair).where(Pair.id == id, Pair.state.in_(["accepted", "ended"])).with_for_update()
    pair = await tx.scalar(query)
    if pair is None or not rights.within(pair.consortium_id):
        raise NotFound("no-such-mentorship", "There is no such mentorship.")
    sides = (side,) if side else ("mentor", "learner")
    if not any(rights.speaks_for(getattr(pair, f"{one}_id"), pair.consortium_id) for one in sides):
        raise Forbidden("not-your-side", f"You do not speak for the {' or the '.join(sides)} of this mentorship.")
    return await tx.get_one(Mentorship, id)


async def lock_group(tx: WriteSession, ids: Iterable[UUID], rights: CallerRights) -> list[Mentorship]:
    """Several mentorships, locked in one order, for who speaks for their mentor; or one, for who speaks for a side.

    Raises:
        NotFound, Forbidden.
    """
    group = sorted(set(ids))
    return [await lock_mentorship(tx, id, rights, "mentor" if len(group) > 1 else None) for id in group]


def require_version(mentorship: Mentorship, expected_version: int) -> None:
    """Refuse to change what the caller has not seen.

    Raises:
        Stale
    """
    if mentorship.version != expected_version:
        said = f"The mentorship has changed since: it is at version {mentorship.version}, not {expected_version}."
        raise Stale("stale", said)


def record_activity(mentorship: Mentorship, now: datetime) -> None:
    """Note that something was heard of it; reminders begin anew."""
    mentorship.last_sign_at, mentorship.nudged = now, 0
    mentorship.version += 1


async def change_programme(
    tx: WriteSession, mentorship: Mentorship, expected_version: int, wanted: ProgrammeChange, now: datetime
) -> None:
    """Change what a locked mentorship sets out to do, before it starts. Both sides have to confirm it anew.

    Raises:
        Stale
        Conflict: it has started.
        Invalid: a goal is no more than what the learner can already, or it would end before it begins.
    """
    require_version(mentorship, expected_version)
    if mentorship.state != "agreed":
        raise Conflict("already-started", f"This mentorship is {mentorship.state}; what it sets out to do stays.")
    template = TEMPLATES.get(wanted.template or "")
    if template is not None:
        mentorship.every_days, mentorship.ends_on = template.every_days, ends_on(template, now.date())
    mentorship.every_days = wanted.every_days or mentorship.every_days
    mentorship.ends_on = wanted.until or mentorship.ends_on
    if mentorship.ends_on <= now.date():
        raise Invalid("too-short", "It would end before it begins.", field="until")
    if wanted.goals is not None:
        await _replace_goals(tx, mentorship, wanted.goals, now.date())
    if wanted.agreement is not None:
        mentorship.agreement = wanted.agreement
    elif template is not None or wanted.goals is not None:
        await _write_agreement(tx, mentorship, template, now.date())
    mentorship.mentor_confirmed_at = mentorship.learner_confirmed_at = None
    record_activity(mentorship, now)


async def _replace_goals(
    tx: WriteSession, mentorship: Mentorship, goals: Sequence[tuple[Skill, int, date]], today: date
) -> None:
    learner = (await load_profiles(tx, [mentorship.pair.learner_id], today)).get(mentorship.pair.learner_id)
    levels = learner.levels if learner else {}
    await tx.execute(delete(Goal).where(Goal.mentorship_id == mentorship.id))
    for number, (skill, target, due_on) in enumerate(goals):
        level = levels.get(skill, 0)
        if target <= level:
            said = f"The learner is at {level} in {skill.text} already."
            raise Invalid("no-gain", said, field=f"goals.{number}.target")
        tx.add(_goal(mentorship.id, Aimed(skill, level, target, due_on)))
    await tx.flush()


async def _write_agreement(tx: WriteSession, mentorship: Mentorship, template: Template | None, today: date) -> None:
    pair = mentorship.pair
    sides = await load_profiles(tx, [pair.mentor_id, pair.learner_id], today)
    names = [sides[id].name if id in sides else "One side" for id in (pair.mentor_id, pair.learner_id)]
    rows = await tx.scalars(select(Goal).where(Goal.mentorship_id == mentorship.id))
    goals = [Aimed(Skill(row.framework, row.indicator), row.level, row.target, row.due_on) for row in rows]
    days = (mentorship.ends_on - today).days
    own = Template(f"a meeting every {mentorship.every_days} days for {days} days", mentorship.every_days, days)
    mentorship.agreement = agreement(names[0], names[1], template or own, goals)


async def confirm(tx: WriteSession, mentorship: Mentorship, expected_version: int, side: str, now: datetime) -> None:
    """Note that a side agrees with what a locked mentorship sets out to do; with the second it starts.

    Raises:
        Stale
        Conflict: it has started, or this side has confirmed it.
    """
    if mentorship.state != "agreed":
        raise Conflict("already-started", f"This mentorship is {mentorship.state} already.")
    if getattr(mentorship, f"{side}_confirmed_at") is not None:
        raise Conflict("already-confirmed", f"The {side} has confirmed it already.")
    require_version(mentorship, expected_version)
    setattr(mentorship, f"{side}_confirmed_at", now)
    record_activity(mentorship, now)
    if mentorship.mentor_confirmed_at and mentorship.learner_confirmed_at:
        mentorship.state, mentorship.started_at = "active", now
        told = {"every_days": mentorship.every_days, "ends_on": mentorship.ends_on}
        publish_fact(tx, mentorship, MentorshipStarted, goals=await event_goals(tx, mentorship), **told)


async def end(tx: WriteSession, mentorship: Mentorship, expected_version: int, ending: Ending, now: datetime) -> None:
    """End a locked mentorship: its places are free, both sides are asked how it went, and a new plan may follow.

    Raises:
        Stale
        Conflict: it is over, or is to be completed and has not started.
    """
    if mentorship.ended_at is not None:
        raise Conflict("already-over", f"This mentorship is {mentorship.state} already.")
    if ending.how == "completed" and mentorship.state != "active":
        raise Conflict("not-started", "This mentorship has not started; it can only be ended early.")
    require_version(mentorship, expected_version)
    await close(tx, mentorship, ending, now)


async def close(tx: WriteSession, mentorship: Mentorship, ending: Ending, now: datetime) -> None:
    """End a locked mentorship that is not over."""
    pair, started = mentorship.pair, mentorship.started_at is not None
    mentorship.state = "completed" if ending.how == "completed" else "ended"
    mentorship.ended_at, mentorship.reason = now, ending.reason
    mentorship.version += 1
    pair.state, pair.decided_at = "ended", now
    pair.version += 1
    for cluster_id, side in sorted([(pair.mentor_id, "mentor"), (pair.learner_id, "learner")]):
        fewer = Slots.used - 1
        freed = {"used": fewer, "ceiling": func.greatest(Slots.capacity, fewer)}
        await tx.execute(update(Slots).where(Slots.cluster_id == cluster_id, Slots.side == side).values(freed))
    told = {"meetings": await _count_held_meetings(tx, mentorship.id), "goals": await event_goals(tx, mentorship)}
    event = publish_fact(tx, mentorship, MentorshipEnded, how=ending.how, **told)
    if started:
        publish_fact(tx, mentorship, MentorshipAsked, day=CLOSING_SURVEY)
    cause = Cause(event_id=event.id, type=event.type, cluster_id=pair.learner_id)
    await replan.record_causes(tx, [replan.ConsortiumCause(pair.consortium_id, cause)])
    await tx.flush()
    await mentorship_outcomes.confirm_at_end(tx, mentorship, now)


async def _count_held_meetings(tx: WriteSession, id: UUID) -> int:
    held = select(func.count()).select_from(MeetingMentorship).join(Meeting, Meeting.id == MeetingMentorship.meeting_id)
    return await tx.scalar(held.where(MeetingMentorship.mentorship_id == id, Meeting.state == "held")) or 0
