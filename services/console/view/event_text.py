"""Events of the partner feed as text: a kind and a sentence."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.console.api.models.notifications import FeedEvent
from services.console.view import formatting, labels
from shared import wording
from shared.events import Data, Poison, matching, members, trainings
from shared.events.envelope import parse_structured

NEWER = "This event type is newer than the console."


@dataclass(frozen=True)
class NameLookup:
    """Finds the names of what an event has ids of; an unnamed thing is called by its kind."""

    cluster: Callable[[UUID], str]
    indicator: Callable[[str, str], str]
    activity: Callable[[UUID], str]


class EventText(NamedTuple):
    """The text of an event. `tone` is one of: fact, ask, good, stop."""

    kind: str
    sentence: str
    tone: str


class FeedRow(NamedTuple):
    """A row of the feed; `kind` is the event type without prefix and version, `raw` is None unless it may be read."""

    position: int
    kind: str
    time: datetime | None
    text: EventText
    raw: str | None


def feed_row(item: FeedEvent, names: NameLookup, *, with_payload: bool) -> FeedRow:
    """The row of an event; of an unknown type if the service is newer than the console."""
    raw = json.dumps(item.event, indent=2, ensure_ascii=False) if with_payload else None
    try:
        event = parse_structured(json.dumps(item.event).encode())
    except Poison:
        newer = EventText(_unknown(item.event), NEWER, "fact")
        return FeedRow(item.position, _kind(item.event), None, newer, raw)
    return FeedRow(item.position, _kind(item.event), event.time, describe(event.data, names), raw)


def _kind(event: dict[str, Any]) -> str:
    return ".".join(str(event.get("type", "")).split(".")[1:4])


def _unknown(event: dict[str, Any]) -> str:
    parts = str(event.get("type", "")).split(".")
    return formatting.title(" ".join(parts[2:4])) if len(parts) > 3 else "Event"  # noqa: PLR2004  kei, service, entity, fact


def describe(data: Data, names: NameLookup) -> EventText:
    """The text of an event."""
    for service in (_members, _trainings, _matching):
        text = service(data, names)
        if text is not None:
            return text
    return EventText("Event", NEWER, "fact")


def _members(data: Data, names: NameLookup) -> EventText | None:
    match data:
        case members.ClusterRegistered():
            country = wording.country(data.country)
            return EventText("Cluster joined", f"{data.name} from {country} joined.", "fact")
        case members.ClusterChanged():
            return EventText("Profile changed", f"{data.name} changed its profile.", "fact")
        case members.CapacityChanged():
            name = names.cluster(data.cluster_id)
            mentees = wording.counted_in_words(data.mentor_capacity, "cluster")
            mentors = wording.counted_in_words(data.learner_capacity, "cluster")
            return EventText("Capacity changed", f"{name} can now mentor {mentees} and learn from {mentors}.", "fact")
        case members.ServiceRequested():
            indicator = names.indicator(data.framework, data.indicator).lower()
            return EventText(
                "Help requested", f"{names.cluster(data.cluster_id)} asks for help with {indicator}.", "ask"
            )
    return _departures(data, names)


def _departures(data: Data, names: NameLookup) -> EventText | None:
    match data:
        case members.ClusterArchived():
            return EventText("Cluster left", f"{names.cluster(data.cluster_id)} has left the consortium.", "fact")
        case members.LabelExpired():
            label = labels.LABELS.get(data.label, formatting.title(data.label)).lower()
            return EventText("Label expired", f"The {label} of {names.cluster(data.cluster_id)} has expired.", "stop")
    return None


def _trainings(data: Data, names: NameLookup) -> EventText | None:
    match data:
        case trainings.TrainingPublished():
            when = wording.period(data.starts_on, data.ends_on)
            return EventText("Open for registration", f"{data.title}: {data.place}, {when}.", "fact")
        case trainings.RegistrationConfirmed():
            seats = wording.counted_in_words(data.seats, "seat")
            name = names.cluster(data.cluster_id)
            return EventText("Seats confirmed", f"{name} has {seats} at {names.activity(data.activity_id)}.", "good")
        case trainings.RegistrationWaitlisted():
            name = names.cluster(data.cluster_id)
            place = f"number {data.place_in_queue} in the queue"
            return EventText("Waiting list", f"{name} waits for {names.activity(data.activity_id)}, {place}.", "ask")
        case trainings.TrainingCompleted():
            participants = wording.counted_in_words(len(data.attended), "cluster")
            indicators = sorted({names.indicator(gain.framework, gain.indicator).lower() for gain in data.gains})
            gained = f" They gained in {wording.listed(indicators)}." if indicators else ""
            kind = labels.ACTIVITY_KINDS.get(data.kind, formatting.title(data.kind))
            sentence = f"{names.activity(data.activity_id)} took place with {participants}.{gained}"
            return EventText(f"{kind} completed", formatting.capitalized(sentence), "good")
    return None


_WITHDRAWN = {
    "plan": "a newer plan replaces it",
    "answered": "another pair was accepted for the request",
    "full": "one side has no free slot",
    "archived": "one of the clusters has left",
}


def _matching(data: Data, names: NameLookup) -> EventText | None:
    match data:
        case matching.RunPublished():
            return EventText(
                "Plan published", f"A plan with {wording.counted_in_words(data.pairs, 'pair')} was published.", "fact"
            )
        case matching.PairProposed():
            score = formatting.points(data.score_hundredths)
            mentor, learner = names.cluster(data.mentor_id), names.cluster(data.learner_id)
            return EventText("Pair proposed", f"{mentor} could teach {learner}: {score} of 100 points.", "ask")
        case matching.PairAccepted():
            sentence = f"{names.cluster(data.mentor_id)} will teach {names.cluster(data.learner_id)}."
            return EventText("Pair accepted", sentence, "good")
        case matching.PairDeclined() | matching.PairExpired() | matching.PairWithdrawn():
            return _ended(data, names)
        case matching.MentorshipFact():
            return _mentorship(data, names)
    return None


def _ended(data: matching.PairDeclined | matching.PairExpired | matching.PairWithdrawn, names: NameLookup) -> EventText:
    mentor, learner = names.cluster(data.mentor_id), names.cluster(data.learner_id)
    match data:
        case matching.PairDeclined():
            declining, other = (mentor, learner) if data.side == "mentor" else (learner, mentor)
            return EventText("Pair declined", f"{declining} declined to work with {other}.", "stop")
        case matching.PairExpired():
            return EventText(
                "Proposal expired", f"The proposal that {mentor} teaches {learner} was not answered in time.", "stop"
            )
        case matching.PairWithdrawn():
            reason = _WITHDRAWN.get(data.why, "it was withdrawn")
            sentence = f"The proposal that {mentor} teaches {learner} was withdrawn: {reason}."
            return EventText("Proposal withdrawn", sentence, "fact")


_ENDINGS = {
    "completed": ("Mentorship completed", "have completed their mentorship", "good"),
    "early": ("Mentorship ended", "have ended their mentorship early", "stop"),
    "quiet": ("Mentorship ended", "were inactive for too long; their mentorship has ended", "stop"),
}


def _mentorship(data: matching.MentorshipFact, names: NameLookup) -> EventText | None:
    both = f"{names.cluster(data.mentor_id)} and {names.cluster(data.learner_id)}"
    match data:
        case matching.MentorshipStarted():
            indicators = wording.listed(
                [names.indicator(goal.framework, goal.indicator).lower() for goal in data.goals]
            )
            sentence = f"{both} begin to work together{f' on {indicators}' if indicators else ''}."
            return EventText("Mentorship started", sentence, "good")
        case matching.MentorshipEnded():
            title, phrase, tone = _ENDINGS.get(data.how, _ENDINGS["early"])
            return EventText(title, f"{both} {phrase}.", tone)
        case matching.MentorshipConfirmed():
            outcome = "" if data.outcome is None else f": {data.outcome} of 100 of the planned gain"
            return EventText("Gain confirmed", f"An assessment confirmed what {both} reached{outcome}.", "good")
    return _progress(data, both)


def _progress(data: matching.MentorshipFact, both: str) -> EventText | None:
    match data:
        case matching.MentorshipMet():
            return EventText("Meeting held", f"{both} met on {wording.day(data.on)}.", "fact")
        case matching.MentorshipNudged():
            closes = f" It ends on {wording.day(data.closes_on)} without any activity." if data.closes_on else ""
            return EventText(
                "Inactive mentorship", f"{both} have been inactive for {data.quiet_days} days.{closes}", "ask"
            )
        case matching.MentorshipAsked():
            return EventText(
                "Survey due", f"{both} are asked how the mentorship {'goes' if data.day else 'went'}.", "ask"
            )
    return None
