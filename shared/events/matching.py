"""What matching publishes: who should learn from whom, why, and what they say to it."""

from uuid import UUID

from pydantic import Field

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
    """Both sides said yes; a place on each side is taken."""


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
        " full: a side has no place left",
    )
