from dataclasses import replace
from datetime import date
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.matching.rules.profile import Aim, Gain, Measured, Profile, Skill, provisional
from services.matching.rules.score import TERMS, Criteria, Excluded, Score, score, teachable

FORESIGHT, STRATEGY = Skill("f", "foresight"), Skill("f", "strategy")
MENTOR = Profile(
    id=UUID(int=1),
    name="Mentor",
    country="HU",
    languages=frozenset({"en", "hu"}),
    ecosystems=frozenset({"digital"}),
    stages=frozenset({"research", "services"}),
    levels={FORESIGHT: 5, STRATEGY: 2},
)
LEARNER = Profile(
    id=UUID(int=2),
    name="Learner",
    country="RS",
    languages=frozenset({"en", "sr"}),
    ecosystems=frozenset({"digital", "construction"}),
    stages=frozenset({"services"}),
    levels={FORESIGHT: 1, STRATEGY: 2},
    aims={FORESIGHT: Aim(4, 5), STRATEGY: Aim(3, 1)},
    requests={FORESIGHT: 4},
)


def scored(mentor: Profile = MENTOR, learner: Profile = LEARNER) -> Score:
    result = score(mentor, learner, Criteria())
    assert isinstance(result, Score)
    return result


def term(name: str, result: Score) -> tuple[int, str]:
    return next((one.hundredths, one.reason) for one in result.terms if one.term == name)


def test_the_score_by_hand() -> None:
    result = scored()
    # Needs: foresight 3 levels at priority 5, strategy 1 at priority 1; the mentor lifts foresight by 3: 15 of 16.
    assert term("knowledge", result)[0] == 5500 * 15 // 16
    assert term("requests", result)[0] == 1500
    assert term("ecosystems", result)[0] == 1000 * 1 // 2
    assert term("cross_border", result)[0] == 1000
    assert term("value_chain", result)[0] == 500 * 1 // 2
    assert term("languages", result)[0] == 500 * 1 // 2
    assert result.total == 5156 + 1500 + 500 + 1000 + 250 + 250


def test_each_term_has_a_sentence_that_names_what_it_is_about() -> None:
    result = scored()
    assert "foresight (5 to 1)" in term("knowledge", result)[1]
    assert "open request for foresight" in term("requests", result)[1]
    assert all(one.reason.endswith(".") for one in result.terms)


def test_the_weights_sum_to_a_hundred_points_and_each_has_its_term() -> None:
    assert sum(Criteria().as_dict().values()) == 10_000
    assert Criteria().as_dict().keys() == TERMS.keys()


def test_without_a_common_language_there_is_no_pair() -> None:
    silent = replace(MENTOR, languages=frozenset({"hu"}))
    result = score(silent, LEARNER, Criteria())
    assert isinstance(result, Excluded)
    assert "no working language in common" in result.reason


def test_who_stands_above_in_nothing_is_no_mentor() -> None:
    result = score(replace(MENTOR, levels={FORESIGHT: 1}), LEARNER, Criteria())
    assert isinstance(result, Excluded)


def test_a_request_is_enough_where_no_target_is_set() -> None:
    result = scored(learner=replace(LEARNER, aims={}))
    assert term("knowledge", result) == (2750, "Learner has set no target above its levels, so the gain is not known.")


def test_a_mentor_lifts_no_further_than_the_target_and_no_further_than_itself() -> None:
    assert teachable(MENTOR, LEARNER) == {FORESIGHT: 3}
    assert teachable(replace(MENTOR, levels={FORESIGHT: 2}), LEARNER) == {FORESIGHT: 1}


def test_a_gain_counts_until_a_later_assessment_and_not_over_the_scale() -> None:
    before, after = date(2017, 3, 1), date(2017, 9, 1)
    gains = [Gain(FORESIGHT, 2, date(2017, 6, 29)), Gain(STRATEGY, 1, date(2017, 6, 29))]
    levels = {FORESIGHT: Measured(4, before, 5), STRATEGY: Measured(2, after, 5)}
    assert provisional(levels, gains) == {FORESIGHT: 5, STRATEGY: 2}


SKILLS = [Skill("f", name) for name in ("a", "b", "c")]
LEVELS = st.dictionaries(st.sampled_from(SKILLS), st.integers(0, 5))
PROFILES = st.builds(
    Profile,
    id=st.uuids(),
    name=st.just("X"),
    country=st.sampled_from(["HU", "IT"]),
    languages=st.frozensets(st.sampled_from(["en", "it", "hu"])),
    ecosystems=st.frozensets(st.sampled_from(["digital", "agri-food"])),
    stages=st.frozensets(st.sampled_from(["research", "sales"])),
    levels=LEVELS,
    aims=st.dictionaries(st.sampled_from(SKILLS), st.builds(Aim, st.integers(0, 5), st.integers(1, 5))),
    requests=st.dictionaries(st.sampled_from(SKILLS), st.integers(1, 5)),
)


@given(PROFILES, PROFILES)
def test_the_terms_add_up_to_the_score_and_none_is_over_its_weight(mentor: Profile, learner: Profile) -> None:
    result = score(mentor, learner, Criteria())
    if isinstance(result, Score):
        assert result.total == sum(one.hundredths for one in result.terms)
        weights = Criteria().as_dict()
        assert all(0 <= one.hundredths <= weights[one.term] for one in result.terms)
