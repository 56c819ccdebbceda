"""A partner reads what is granted to it, and nothing that is not public."""

import pytest

from services.notifications.rules.subscriptions import check_grant, select_types
from shared.errors import Invalid

PUBLIC = ["a", "b", "c"]


def test_only_public_types_are_granted() -> None:
    assert check_grant(["b", "a", "b"], PUBLIC) == ["a", "b"]
    assert check_grant([], PUBLIC) == []
    with pytest.raises(Invalid, match="'x'") as refused:
        check_grant(["a", "x"], PUBLIC)
    assert refused.value.field == "types"


@pytest.mark.parametrize(
    ("requested", "granted", "shown"),
    [([], [], None), (["b"], [], ["b"]), ([], ["c", "a"], ["a", "c"]), (["a", "a"], ["a", "c"], ["a"])],
)
def test_what_is_shown_is_what_was_asked_for_of_what_is_granted(
    requested: list[str], granted: list[str], shown: list[str] | None
) -> None:
    assert select_types(requested, granted, PUBLIC) == shown


@pytest.mark.parametrize(("requested", "granted"), [(["x"], []), (["b"], ["a"]), (["a", "x"], ["a"])])
def test_what_is_not_granted_is_refused_not_left_out(requested: list[str], granted: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        select_types(requested, granted, PUBLIC)
    assert refused.value.field == "types"
