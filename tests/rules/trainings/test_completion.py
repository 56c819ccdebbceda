"""The gains of an activity, and when they can be recorded."""

from datetime import date
from uuid import UUID

import pytest

from services.trainings.rules import completion
from services.trainings.rules.completion import Gain, TaughtIndicator
from shared.errors import Conflict, Invalid

HOST, A, B, C = (UUID(int=number) for number in range(4))
TAUGHT = [TaughtIndicator("f", "x", 1), TaughtIndicator("f", "y", 2)]


def test_everybody_who_was_there_gains_what_is_taught_but_the_host() -> None:
    assert completion.gains([A, HOST, B], HOST, TAUGHT) == [
        Gain(A, "f", "x", 1),
        Gain(A, "f", "y", 2),
        Gain(B, "f", "x", 1),
        Gain(B, "f", "y", 2),
    ]


def test_who_was_missed_is_named() -> None:
    completion.check_attendance_recorded([])
    with pytest.raises(Conflict, match=r"missing for: D\.A\.Re\., INNOSKART\."):
        completion.check_attendance_recorded(["D.A.Re.", "INNOSKART"])


def test_nobody_was_there_before_it_began() -> None:
    completion.check_begun(date(2017, 6, 28), date(2017, 6, 28))
    with pytest.raises(Conflict, match="2017-06-28"):
        completion.check_begun(date(2017, 6, 28), date(2017, 6, 27))


def test_an_attendance_names_each_seated_cluster_once() -> None:
    completion.check_attendance_lists([A], [B], [A, B, C])
    with pytest.raises(Invalid, match="both") as both:
        completion.check_attendance_lists([A], [A], [A])
    assert both.value.field == "absent"
    with pytest.raises(Invalid, match=str(C)) as unseated:
        completion.check_attendance_lists([A, C], [], [A])
    assert unseated.value.field == "present"


def test_the_completion_has_to_fit_into_an_event() -> None:
    completion.check_cluster_count(19, 10)
    completion.check_cluster_count(199, 0)
    for registered, taught in ((20, 10), (200, 0)):
        with pytest.raises(Conflict):
            completion.check_cluster_count(registered, taught)
