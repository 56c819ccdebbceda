"""A partner reads what is granted to it, and nothing that is not public."""

import pytest

from services.notifications.rules.subscriptions import grant, select
from shared.errors import Invalid

PUBLIC = ["a", "b", "c"]


def test_only_public_types_are_granted() -> None:
    assert grant(["b", "a", "b"], PUBLIC) == ["a", "b"]
    assert grant([], PUBLIC) == []
    with pytest.raises(Invalid, match="'x'") as refused:
        grant(["a", "x"], PUBLIC)
    assert refused.value.field == "types"


@pytest.mark.parametrize(
    ("asked", "granted", "shown"),
    [([], [], None), (["b"], [], ["b"]), ([], ["c", "a"], ["a", "c"]), (["a", "a"], ["a", "c"], ["a"])],
)
def test_what_is_shown_is_what_was_asked_for_of_what_is_granted(
    asked: list[str], granted: list[str], shown: list[str] | None
) -> None:
    assert select(asked, granted, PUBLIC) == shown


@pytest.mark.parametrize(("asked", "granted"), [(["x"], []), (["b"], ["a"]), (["a", "x"], ["a"])])
def test_what_is_not_granted_is_refused_not_left_out(asked: list[str], granted: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        select(asked, granted, PUBLIC)
    assert refused.value.field == "types"
