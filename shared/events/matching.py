"""Events of matching: plans, proposals and mentorships."""

from uuid import UUID

from pydantic import Field

from shared.dates import Day
from shared.events.registry import Data, event


@event("kei.matching.run.published.v1", key="run_id", public=True)
class RunPublished(Data):
    """A plan for a whole consortium was published; each of its pairs is proposed in an event of its own."""

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
    """The event because of which something was decided."""

    event_id: UUID = Field(description="its id")
    type: str = Field(description="its type")
    cluster_id: UUID | None = Field(default=None, description="the cluster it is about, if it is about one")


@event("kei.matching.pair.proposed.v1", key="pair_id", public=True)
class PairProposed(Data):
    """A mentor and a learner are asked whether they want to work together."""

    pair_id: UUID
    consortium_id: UUID
    mentor_id: UUID
    learner_id: UUID
    score_hundredths: int = Field(description="0 to 10000 hundredths of a point; the sum of the terms")
    terms: list[ReasonTerm]
    run_id: UUID | None = Field(default=None, description="the run it comes from")
    request_id: UUID | None = Field(default=None, description="the service request it answers")
    cause: Cause | None = Field(default=None, description="the event that led to it; none if a person planned it")


class PairAnswer(Data):
    """A pair that was answered."""

    pair_id: UUID
    consortium_id: UUID
    mentor_id: UUID
    learner_id: UUID


@event("kei.matching.pair.accepted.v1", key="pair_id", public=True)
class PairAccepted(PairAnswer):
    """Both sides said yes; a place on each side is taken. The pair goes on as a mentorship of the same id."""


@event("kei.matching.pair.declined.v1", key="pair_id", public=True)
class PairDeclined(PairAnswer):
    """One side said no."""

    side: str = Field(description="mentor or learner")


@event("kei.matching.pair.expired.v1", key="pair_id", public=True)
class PairExpired(PairAnswer):
    """A proposal was not answered by both sides in time."""


@event("kei.matching.pair.withdrawn.v1", key="pair_id", public=True)
class PairWithdrawn(PairAnswer):
    """A proposal that was open is taken back."""

    run_id: UUID | None = Field(default=None, description="the run whose plan does without it, if it is for a plan")
    why: str = Field(
        default="plan",
        description="plan: a newer plan does without it; answered: another pair answers the request it was for;"
        " full: a side has no place left; archived: a side has left",
    )


class MentorshipGoal(Data):
    """A level that the learner wants to reach."""

    framework: str
    indicator: str
    level: int = Field(description="at the start")
    target: int = Field(description="the level to reach")
    due_on: Day = Field(description="until when")
    reached: int | None = Field(default=None, description="the level that the two report")
    confirmed: int | None = Field(default=None, description="the level that an assessment measured after the end")


class MentorshipFact(Data):
    """Something happened to a mentorship. It has the id of the pair that was accepted, and goes on in its sequence."""

    mentorship_id: UUID = Field(description="the id of the pair that was accepted")
    consortium_id: UUID
    mentor_id: UUID
    learner_id: UUID


@event("kei.matching.mentorship.started.v1", key="mentorship_id", public=True)
class MentorshipStarted(MentorshipFact):
    """Both sides confirmed what they set out to do."""

    goals: list[MentorshipGoal] = Field(description="what the learner wants to reach")
    every_days: int = Field(description="how often they mean to meet, in days")
    ends_on: Day = Field(description="until when they mean to work together")


@event("kei.matching.mentorship.met.v1", key="mentorship_id", public=True)
class MentorshipMet(MentorshipFact):
    """The mentor and the learner met."""

    meeting_id: UUID = Field(description="the same for all mentorships whose learners met the mentor together")
    on: Day = Field(description="the day")
    minutes: int = Field(description="how long they met")


@event("kei.matching.mentorship.nudged.v1", key="mentorship_id", public=True)
class MentorshipNudged(MentorshipFact):
    """Nothing was heard of it for long; both sides are reminded."""

    quiet_days: int = Field(description="days since anything was heard of it")
    closes_on: Day | None = Field(default=None, description="the day on which it ends if it stays quiet")


@event("kei.matching.mentorship.asked.v1", key="mentorship_id", public=True)
class MentorshipAsked(MentorshipFact):
    """Both sides are asked how it goes, or at the end, how it went."""

    day: int = Field(description="days since the start; 0 stands for the end")


@event("kei.matching.mentorship.ended.v1", key="mentorship_id", public=True)
class MentorshipEnded(MentorshipFact):
    """It is over; its places are free."""

    how: str = Field(description="completed, early (one side ended it) or quiet (nothing was heard of it)")
    meetings: int = Field(description="how often they met")
    goals: list[MentorshipGoal] = Field(description="what the learner wants to reach")


@event("kei.matching.mentorship.confirmed.v1", key="mentorship_id", public=True)
class MentorshipConfirmed(MentorshipFact):
    """Assessments after its end measured all its goals."""

    outcome: int | None = Field(description="the share of the wanted levels that were reached, out of 100")
    goals: list[MentorshipGoal] = Field(description="what the learner wants to reach")
