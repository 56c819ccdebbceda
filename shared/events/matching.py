"""Events of matching: plans, proposals and mentorships."""

from uuid import UUID

from pydantic import Field

from shared.dates import Day
from shared.events.registry import Data, event


@event("kei.matching.run.published.v1", key="run_id", public=True)
class RunPublished(Data):
    """A plan for a whole consortium was published; each pair of it is proposed by its own event."""

    run_id: UUID
    consortium_id: UUID
    pairs: int
    total_hundredths: int = Field(description="sum of the pairs' scores, in hundredths of a point")


class ReasonTerm(Data):
    """One term of a pair's score."""

    term: str
    hundredths: int = Field(description="its part of the score, in hundredths of a point")
    reason: str = Field(description="the term in one English sentence")


class Cause(Data):
    """The event that caused a decision."""

    event_id: UUID = Field(description="its id")
    type: str = Field(description="its type")
    cluster_id: UUID | None = Field(default=None, description="the cluster that the event concerns, if it concerns one")


@event("kei.matching.pair.proposed.v1", key="pair_id", public=True)
class PairProposed(Data):
    """A pair was proposed: mentor and learner are asked to accept it."""

    pair_id: UUID
    consortium_id: UUID
    mentor_id: UUID
    learner_id: UUID
    score_hundredths: int = Field(description="0 to 10000 hundredths of a point; the sum of the terms")
    terms: list[ReasonTerm]
    run_id: UUID | None = Field(default=None, description="the run that planned the pair")
    request_id: UUID | None = Field(default=None, description="the service request that the pair answers")
    cause: Cause | None = Field(default=None, description="the event that caused the proposal, if any")


class PairAnswer(Data):
    """A pair whose proposal is closed."""

    pair_id: UUID
    consortium_id: UUID
    mentor_id: UUID
    learner_id: UUID


@event("kei.matching.pair.accepted.v1", key="pair_id", public=True)
class PairAccepted(PairAnswer):
    """Both sides accepted; each gives one of its places. The pair becomes a mentorship with the same id."""


@event("kei.matching.pair.declined.v1", key="pair_id", public=True)
class PairDeclined(PairAnswer):
    """One side declined."""

    side: str = Field(description="mentor or learner")


@event("kei.matching.pair.expired.v1", key="pair_id", public=True)
class PairExpired(PairAnswer):
    """The proposal expired before both sides answered."""


@event("kei.matching.pair.withdrawn.v1", key="pair_id", public=True)
class PairWithdrawn(PairAnswer):
    """An open proposal was withdrawn."""

    run_id: UUID | None = Field(default=None, description="the run whose plan does not contain the pair, if any")
    why: str = Field(
        default="plan",
        description="plan: a newer plan does not contain the pair; answered: another pair answers its request;"
        " full: a side has no place left; archived: a side has left",
    )


class MentorshipGoal(Data):
    """A level that the learner wants to reach."""

    framework: str
    indicator: str
    level: int = Field(description="at the start")
    target: int = Field(description="the level to reach")
    due_on: Day = Field(description="the day until which it should be reached")
    reached: int | None = Field(default=None, description="the level that mentor and learner report")
    confirmed: int | None = Field(default=None, description="the level that an assessment measured after the end")


class MentorshipFact(Data):
    """A change of a mentorship. Its id is that of the accepted pair, whose sequence it continues."""

    mentorship_id: UUID = Field(description="the id of the accepted pair")
    consortium_id: UUID
    mentor_id: UUID
    learner_id: UUID


@event("kei.matching.mentorship.started.v1", key="mentorship_id", public=True)
class MentorshipStarted(MentorshipFact):
    """Both sides confirmed the goals and the schedule."""

    goals: list[MentorshipGoal] = Field(description="the levels that the learner wants to reach")
    every_days: int = Field(description="planned days between two meetings")
    ends_on: Day = Field(description="the planned last day")


@event("kei.matching.mentorship.met.v1", key="mentorship_id", public=True)
class MentorshipMet(MentorshipFact):
    """Mentor and learner held a meeting."""

    meeting_id: UUID = Field(description="shared by all mentorships that had this meeting together")
    on: Day = Field(description="the day of the meeting")
    minutes: int = Field(description="duration in minutes")


@event("kei.matching.mentorship.nudged.v1", key="mentorship_id", public=True)
class MentorshipNudged(MentorshipFact):
    """The mentorship had no activity for some time; both sides are reminded."""

    quiet_days: int = Field(description="days since the last activity")
    closes_on: Day | None = Field(default=None, description="the day on which it ends without new activity")


@event("kei.matching.mentorship.asked.v1", key="mentorship_id", public=True)
class MentorshipAsked(MentorshipFact):
    """Both sides are asked to rate the mentorship, during it or at its end."""

    day: int = Field(description="days since the start; 0 stands for the end")


@event("kei.matching.mentorship.ended.v1", key="mentorship_id", public=True)
class MentorshipEnded(MentorshipFact):
    """The mentorship ended; its places are free again."""

    how: str = Field(description="completed, early (one side ended it) or quiet (no activity)")
    meetings: int = Field(description="number of meetings")
    goals: list[MentorshipGoal] = Field(description="the levels that the learner wants to reach")


@event("kei.matching.mentorship.confirmed.v1", key="mentorship_id", public=True)
class MentorshipConfirmed(MentorshipFact):
    """Assessments after the end have measured all goals."""

    outcome: int | None = Field(description="the reached share of the targeted levels, 0 to 100")
    goals: list[MentorshipGoal] = Field(description="the levels that the learner wants to reach")
