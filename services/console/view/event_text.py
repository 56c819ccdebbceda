"""An event of the partner feed in words: what kind of thing happened, and a sentence about it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.console.api.models import FeedItem
from services.console.view import labels
from shared.events import Data, Poison, matching, members, trainings
from shared.events.envelope import parse_structured


@dataclass(frozen=True)
class Names:
    """How things are called. A thing without a name is called by its kind."""

    cluster: Callable[[UUID], str]
    skill: Callable[[str, str], str]
    activity: Callable[[UUID], str]


class Told(NamedTuple):
    """An event in words. `tone` is one of: fact, ask, good, stop."""

    kind: str
    sentence: str
    tone: str


class Happening(NamedTuple):
    """A row of the feed; `kind` is its type without Kei and version."""

    position: int
    kind: str
    time: datetime | None
    told: Told
    raw: str


def happening(item: FeedItem, names: Names) -> Happening:
    """The row of an event. An event of a kind that the console does not know yet is shown by its type."""
    raw = json.dumps(item.event, indent=2, ensure_ascii=False)
    try:
        event = parse_structured(json.dumps(item.event).encode())
    except Poison:
        newer = Told(_unknown(item.event), "An event of a newer kind.", "fact")
        return Happening(item.position, _kind(item.event), None, newer, raw)
    return Happening(item.position, _kind(item.event), event.time, told(event.data, names), raw)


def _kind(event: dict[str, Any]) -> str:
    return ".".join(str(event.get("type", "")).split(".")[1:4])


def _unknown(event: dict[str, Any]) -> str:
    parts = str(event.get("type", "")).split(".")
    return labels.tidy(" ".join(parts[2:4])) if len(parts) > 3 else "Event"  # noqa: PLR2004  kei, service, entity, fact


def told(data: Data, names: Names) -> Told:
    """What an event says."""
    for service in (_members, _trainings, _matching):
        found = service(data, names)
        if found is not None:
            return found
    return Told("Event", "An event of a newer kind.", "fact")


def _members(data: Data, names: Names) -> Told | None:
    match data:
        case members.ClusterRegistered():
            country = labels.COUNTRIES.get(data.country, data.country)
            return Told("Cluster joined", f"{data.name} from {country} joined.", "fact")
        case members.ClusterChanged():
            return Told("Facts changed", f"{data.name} changed what is known of it.", "fact")
        case members.CapacityChanged():
            name = names.cluster(data.cluster_id)
            mentees = labels.counted(data.mentor_capacity, "cluster")
            mentors = labels.counted(data.learner_capacity, "cluster")
            return Told("Places changed", f"{name} can now mentor {mentees} and learn from {mentors}.", "fact")
        case members.ServiceRequested():
            skill = names.skill(data.framework, data.indicator).lower()
            return Told("Help asked for", f"{names.cluster(data.cluster_id)} asks for help with {skill}.", "ask")
    return _over(data, names)


def _over(data: Data, names: Names) -> Told | None:
    match data:
        case members.ClusterArchived():
            return Told("Cluster left", f"{names.cluster(data.cluster_id)} has left the consortium.", "fact")
        case members.LabelExpired():
            label = labels.LABELS.get(data.label, labels.tidy(data.label)).lower()
            return Told("Label expired", f"The {label} of {names.cluster(data.cluster_id)} has expired.", "stop")
    return None


def _trainings(data: Data, names: Names) -> Told | None:
    match data:
        case trainings.TrainingPublished():
            when = labels.days(data.starts_on, data.ends_on)
            return Told("Open for registration", f"{data.title}: {data.place}, {when}.", "fact")
        case trainings.RegistrationConfirmed():
            seats = labels.counted(data.seats, "seat")
            name = names.cluster(data.cluster_id)
            return Told("Seats confirmed", f"{name} has {seats} at {names.activity(data.activity_id)}.", "good")
        case trainings.RegistrationWaitlisted():
            name = names.cluster(data.cluster_id)
            place = f"number {data.place_in_queue} in the queue"
            return Told("Waiting list", f"{name} waits for {names.activity(data.activity_id)}, {place}.", "ask")
        case trainings.TrainingCompleted():
            there = labels.counted(len(data.attended), "cluster")
            skills = sorted({names.skill(gain.framework, gain.indicator).lower() for gain in data.gains})
            gained = f" They gained in {labels.listed(skills)}." if skills else ""
            kind = labels.ACTIVITY_KINDS.get(data.kind, labels.tidy(data.kind))
            sentence = f"{names.activity(data.activity_id)} took place with {there}.{gained}"
            return Told(f"{kind} completed", labels.opening(sentence), "good")
    return None


_WITHDRAWN = {
    "plan": "a newer plan does without it",
    "answered": "another pair answers the request",
    "full": "a side has no place left",
    "archived": "one of them has left",
}


def _matching(data: Data, names: Names) -> Told | None:
    match data:
        case matching.RunPublished():
            return Told("Plan published", f"A plan with {labels.counted(data.pairs, 'pair')} was published.", "fact")
        case matching.PairProposed():
            score = labels.points(data.score_hundredths)
            mentor, learner = names.cluster(data.mentor_id), names.cluster(data.learner_id)
            return Told("Pair proposed", f"{mentor} could teach {learner}: {score} of 100 points.", "ask")
        case matching.PairAccepted():
            sentence = f"{names.cluster(data.mentor_id)} will teach {names.cluster(data.learner_id)}."
            return Told("Pair accepted", sentence, "good")
        case matching.PairDeclined() | matching.PairExpired() | matching.PairWithdrawn():
            return _ended(data, names)
        case matching.MentorshipFact():
            return _mentorship(data, names)
    return None


def _ended(data: matching.PairDeclined | matching.PairExpired | matching.PairWithdrawn, names: Names) -> Told:
    mentor, learner = names.cluster(data.mentor_id), names.cluster(data.learner_id)
    match data:
        case matching.PairDeclined():
            caller, other = (mentor, learner) if data.side == "mentor" else (learner, mentor)
            return Told("Pair declined", f"{caller} declined to work with {other}.", "stop")
        case matching.PairExpired():
            return Told("Proposal expired", f"Whether {mentor} teaches {learner} was not answered in time.", "stop")
        case matching.PairWithdrawn():
            why = _WITHDRAWN.get(data.why, "it is taken back")
            sentence = f"Whether {mentor} teaches {learner} need not be answered any more: {why}."
            return Told("Proposal withdrawn", sentence, "fact")


_OVER = {
    "completed": ("Mentorship completed", "have completed their mentorship", "good"),
    "early": ("Mentorship ended", "have ended their mentorship early", "stop"),
    "quiet": ("Mentorship ended", "were not heard of for long; their mentorship is over", "stop"),
}


def _mentorship(data: matching.MentorshipFact, names: Names) -> Told | None:
    both = f"{names.cluster(data.mentor_id)} and {names.cluster(data.learner_id)}"
    match data:
        case matching.MentorshipStarted():
            skills = labels.listed([names.skill(goal.framework, goal.indicator).lower() for goal in data.goals])
            sentence = f"{both} begin to work together{f' on {skills}' if skills else ''}."
            return Told("Mentorship started", sentence, "good")
        case matching.MentorshipEnded():
            title, did, tone = _OVER.get(data.how, _OVER["early"])
            return Told(title, f"{both} {did}.", tone)
        case matching.MentorshipConfirmed():
            of = "" if data.outcome is None else f": {data.outcome} of 100 of what they wanted"
            return Told("Gain confirmed", f"What {both} reached is measured{of}.", "good")
    return _meanwhile(data, both)


def _meanwhile(data: matching.MentorshipFact, both: str) -> Told | None:
    match data:
        case matching.MentorshipMet():
            return Told("Meeting held", f"{both} met on {labels.day(data.on)}.", "fact")
        case matching.MentorshipNudged():
            closes = f" It ends on {labels.day(data.closes_on)} if it stays so." if data.closes_on else ""
            return Told("Quiet mentorship", f"Of {both} nothing was heard for {data.quiet_days} days.{closes}", "ask")
        case matching.MentorshipAsked():
            return Told("Survey due", f"{both} are asked {'how it goes' if data.day else 'how it went'}.", "ask")
    return None
