from dataclasses import replace
from datetime import date

from hypothesis import given

from services.matching.rules.inputs.criteria import Criteria, Weights
from services.matching.rules.inputs.profile import MeasuredLevel, Profile, TrainingGain, provisional_levels
from services.matching.rules.scoring.features import ClusterFeatures, PairHistory
from services.matching.rules.scoring.pair_score import Excluded, Score
from services.matching.rules.scoring.pair_score import score_pair as score_in
from services.matching.rules.scoring.reasons import REASONS, teachable
from services.matching.rules.scoring.terms import TERMS
from tests.rules.matching.clusters import CRITERIA, FORESIGHT, LEARNER, MENTOR, PROFILES, STRATEGY, TODAY


def score(mentor: Profile, learner: Profile, criteria: Criteria | None = None) -> Score | Excluded:
    return score_in(
        ClusterFeatures([mentor, learner], criteria or Criteria(), PairHistory(TODAY)), mentor.id, learner.id
    )


def scored(mentor: Profile = MENTOR, learner: Profile = LEARNER) -> Score:
    result = score(mentor, learner)
    assert isinstance(result, Score)
    return result


def term(name: str, result: Score) -> tuple[int, str]:
    return next((term.hundredths, term.reason) for term in result.terms if term.term == name)


def test_the_score_by_hand() -> None:
    result = scored()
    # Needs: foresight 3 levels at priority 5, strategy 1 at priority 1; the mentor lifts foresight by 3: 15 of 16.
    assert term("knowledge", result)[0] == 4500 * 15 // 16
    assert term("requests", result)[0] == 1500
    assert term("ecosystems", result)[0] == 900 * 1 // 2
    assert term("cross_border", result)[0] == 800
    assert term("value_chain", result)[0] == 500 * 1 // 2
    assert term("languages", result)[0] == 500 * 1 // 2
    # Nothing is known of the mentor's record and of what the learner gave and took: half of each.
    assert term("record", result)[0] == 500 // 2
    assert term("reciprocity", result)[0] == 300 // 2
    assert term("novelty", result)[0] == 300
    # Budapest and Belgrade are 320 km apart.
    assert term("travel", result) == (200 * (3000 - 320) // 3000, "Their capitals are 320 km apart.")
    assert result.total == 4218 + 1500 + 450 + 800 + 250 + 250 + 250 + 150 + 300 + 178


def test_each_term_has_a_sentence_that_names_what_it_is_about() -> None:
    result = scored()
    assert "foresight (5 to 1)" in term("knowledge", result)[1]
    assert "open request for foresight" in term("requests", result)[1]
    assert all(term.reason.endswith(".") for term in result.terms)


def test_each_weight_has_its_term_and_its_sentence() -> None:
    weights = Weights()
    assert weights.total == 10_000
    assert weights.model_dump().keys() == TERMS.keys() == REASONS.keys()


def test_without_a_common_language_there_is_no_pair() -> None:
    silent = replace(MENTOR, languages=frozenset({"hu"}))
    result = score(silent, LEARNER)
    assert isinstance(result, Excluded)
    assert "no working language in common" in result.reason


def test_who_stands_above_in_nothing_is_no_mentor() -> None:
    result = score(replace(MENTOR, levels={FORESIGHT: 1}), LEARNER)
    assert isinstance(result, Excluded)


def test_a_request_is_enough_where_no_target_is_set() -> None:
    result = scored(learner=replace(LEARNER, targets={}))
    assert term("knowledge", result) == (2250, "Learner has set no target above its levels, so the gain is not known.")


def test_a_mentor_lifts_no_further_than_the_target_and_no_further_than_itself() -> None:
    assert teachable(MENTOR, LEARNER) == {FORESIGHT: 3}
    assert teachable(replace(MENTOR, levels={FORESIGHT: 2}), LEARNER) == {FORESIGHT: 1}


def test_a_gain_counts_until_a_later_assessment_and_not_over_the_scale() -> None:
    before, after = date(2017, 3, 1), date(2017, 9, 1)
    gains = [TrainingGain(FORESIGHT, 2, date(2017, 6, 29)), TrainingGain(STRATEGY, 1, date(2017, 6, 29))]
    levels = {FORESIGHT: MeasuredLevel(4, before, 5), STRATEGY: MeasuredLevel(2, after, 5)}
    assert provisional_levels(levels, gains) == {FORESIGHT: 5, STRATEGY: 2}


@given(PROFILES, PROFILES, CRITERIA)
def test_the_terms_add_up_to_the_score_and_none_is_over_its_weight(
    mentor: Profile, learner: Profile, criteria: Criteria
) -> None:
    result = score(mentor, learner, criteria)
    if isinstance(result, Score):
        assert result.total == sum(term.hundredths for term in result.terms)
        assert 0 <= result.total <= 10_000
        for term in result.terms:
            assert 0 <= term.hundredths <= criteria.weights.hundredths(term.term, 1, 1)
            assert term.known or term.hundredths == criteria.weights.hundredths(term.term, 1, 2)
