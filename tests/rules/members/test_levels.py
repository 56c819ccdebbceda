from datetime import date
from uuid import UUID

import pytest

from services.members.rules.assessments import check_dates, check_scores
from services.members.rules.levels import IndicatorScore, current_levels
from services.members.rules.vocabulary import AssessmentKind
from shared.errors import Invalid

TODAY = date(2026, 6, 1)


def score(number: int, kind: AssessmentKind, day: date, level: int, until: date = date(2030, 1, 1)) -> IndicatorScore:
    return IndicatorScore(UUID(int=number), "foresight", level, kind, day, until)


def test_an_experts_word_counts_before_a_newer_one_of_the_cluster_itself() -> None:
    expert = score(1, AssessmentKind.expert, date(2025, 1, 1), 2)
    own = score(2, AssessmentKind.own, date(2026, 1, 1), 5)
    assert current_levels([own, expert], TODAY) == {"foresight": expert}


def test_the_newest_of_one_kind_counts() -> None:
    older, newer = (
        score(1, AssessmentKind.peer, date(2025, 1, 1), 2),
        score(2, AssessmentKind.peer, date(2025, 2, 1), 3),
    )
    assert current_levels([newer, older], TODAY) == {"foresight": newer}


def test_an_expired_score_and_one_of_the_future_count_for_nothing() -> None:
    expired = score(1, AssessmentKind.expert, date(2020, 1, 1), 5, until=date(2022, 1, 1))
    future = score(2, AssessmentKind.expert, date(2026, 7, 1), 5)
    assert current_levels([expired, future], TODAY) == {}


def test_a_score_counts_on_its_last_day() -> None:
    last = score(1, AssessmentKind.own, date(2025, 1, 1), 1, until=TODAY)
    assert current_levels([last], TODAY) == {"foresight": last}


def test_scores_have_to_be_of_the_framework_and_on_its_scale() -> None:
    check_scores({"foresight": 5}, ["foresight"], 5)
    with pytest.raises(Invalid, match="no indicator 'magic'"):
        check_scores({"magic": 1}, ["foresight"], 5)
    with pytest.raises(Invalid, match="over the scale's end"):
        check_scores({"foresight": 6}, ["foresight"], 5)


def test_an_assessment_lies_in_the_past_and_ends_after_it_begins() -> None:
    check_dates(TODAY, TODAY, TODAY)
    with pytest.raises(Invalid, match="future"):
        check_dates(date(2026, 6, 2), date(2027, 1, 1), TODAY)
    with pytest.raises(Invalid, match="end before"):
        check_dates(TODAY, date(2026, 5, 31), TODAY)
