"""Texts have one spelling before they are counted, names can be seen, and web addresses are normalised."""

# ruff: noqa: RUF001  letters of other scripts are meant

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.schemas import LongText, Name, RequestModel, ShortText, WebAddress


class Request(RequestModel):
    """A strict request body with each of the types."""

    name: Name = "x"
    text: LongText = ""
    remark: ShortText = "x"


_name, _address = TypeAdapter(Name), TypeAdapter(WebAddress)


@pytest.mark.parametrize(
    "text",
    [
        *("\u3164", "\u2800", "\u00ad\u00ad", "\u200d", "\u200c", "\u034f", "\u115f\u1160", "\uffa0", "\u180e"),
        *("\ufe0f", "\U000e0041\U000e0042", "\ufffe", "\ue000", "\U000f0000", "\U0001fffe", "\U0001d173", "\u2065"),
        *(
            "\u00a0",
            "\u2003",
            "",
            " ",
            "\u0301",
            "a\u202eb",
            "a\ue000",
            "a\U000e0041",
            "a\nb",
            "a\r\nb",
            "a\0b",
            "a\n",
            "a\x1f",
            "a\U0001fffe",
        ),
    ],
    ids=ascii,
)
def test_a_name_that_nobody_can_see_or_read_alike_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        _name.validate_python(text)


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "7",
        "€",
        "?",
        "Țara Bârsei",
        "Кластер Војводина",
        "می\u200cخواهم",
        "\U0001f469\u200d\U0001f33e",
        "日本",
        "a\u00adb",
    ],
)
def test_a_name_in_any_script_is_taken_as_it_is(text: str) -> None:
    assert _name.validate_python(text) == text


def test_characters_are_counted_when_they_are_composed() -> None:
    assert _name.validate_python("Sze\u0301" * 66) == "Szé" * 66
    with pytest.raises(ValidationError):
        _name.validate_python("\ufb2c" * 200)
    for length in (66, 67):
        if 3 * length <= 200:
            stored = _name.validate_python("\ufb2c" * length)
            assert _name.validate_python(stored) == stored, "what was stored can be sent back"


def test_a_line_break_is_one_character_however_it_is_spelt() -> None:
    spelt = "one\r\ntwo\n\nthree\rfour"
    assert Request(text=spelt, remark=spelt).model_dump(exclude={"name"}) == {
        "text": "one\ntwo\n\nthree\nfour",
        "remark": "one\ntwo\n\nthree\nfour",
    }
    assert len(Request(remark="\r\n" * 10 + "x" * 490).remark) == 500
    assert len(Request(text="\r\n" * 1000 + "x" * 1000).text) == 2000
    with pytest.raises(ValidationError):
        Request(remark="\r\n" * 10 + "x" * 491)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://www.InnoSkart.hu", "https://www.innoskart.hu"),
        ("http://example.org:8080/", "http://example.org:8080/"),
        ("https://example.org?x=1", "https://example.org/?x=1"),
        ("https://www.münchen-cluster.de", "https://www.xn--mnchen-cluster-gsb.de"),
        ("https://кластер.срб", "https://xn--80akne1aeh.xn--90a3ac"),
        ("HTTPS://example.org", "https://example.org"),
        ("https://example.org/ä", "https://example.org/%C3%A4"),
    ],
)
def test_a_web_address_is_normalised_once(text: str, address: str) -> None:
    assert _address.validate_python(text) == address
    assert _address.validate_python(address) == address


@pytest.mark.parametrize(
    "text",
    [
        *("https://..", "https://-", "https://-a.org", "https://a..org", "https://a_b.org", "https://", "https:///x"),
        *("javascript:alert(1)", "ftp://example.org", "https://u:p@example.org", "https://a b.org", "//example.org"),
        *("https://example.org/" + "x" * 500, "https://example.org/" + "ä" * 200, "https:\\\\example.org", ""),
    ],
)
def test_what_is_no_web_address_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        _address.validate_python(text)
