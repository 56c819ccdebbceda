"""Bad input on real routes of members: the right 4xx with the field's name, nothing stored, and never a 500."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from tests.contracts.actions import Members, Refused, invalid, refused
from tests.support import factories


def spoilt(**values: object) -> Callable[[Members], bytes]:
    """A good body but for some values; `...` leaves a field out."""

    def make_body(members: Members) -> bytes:
        return json.dumps({name: value for name, value in members.body(**values).items() if value is not ...}).encode()

    return make_body


def raw(field: str, text: str) -> Callable[[Members], bytes]:
    """A good body but for one value, written as it stands."""
    return lambda members: (json.dumps(members.body())[:-1] + f', "{field}": {text}}}').encode()


def instead(field: str, text: str) -> Callable[[Members], bytes]:
    """Likewise, in the place of the good value."""
    return lambda members: json.dumps(members.body(**{field: "@"})).replace('"@"', text).encode()


NOT_JSON = (400, "malformed-json", "body")
BODIES: dict[str, tuple[Callable[[Members], bytes], Refused]] = {
    "broken": (lambda _: b"{", NOT_JSON),
    "single quotes": (lambda _: b"{'slug': 1}", NOT_JSON),
    "no UTF-8": (lambda _: b'{"name": "\xff"}', NOT_JSON),
    "UTF-16": (lambda members: json.dumps(members.body()).encode("utf-16"), NOT_JSON),
    "byte order mark": (lambda members: b"\xef\xbb\xbf" + json.dumps(members.body()).encode(), NOT_JSON),
    "nothing": (lambda _: b"", invalid("body")),
    "null": (lambda _: b"null", invalid("body")),
    "a list": (lambda _: b"[]", invalid("body")),
    "field missing": (spoilt(name=...), invalid("body.name")),
    "text for a number": (spoilt(mentor_capacity="1"), invalid("body.mentor_capacity")),
    "true for a number": (spoilt(mentor_capacity=True), invalid("body.mentor_capacity")),
    "1.0 for a number": (spoilt(mentor_capacity=1.0), invalid("body.mentor_capacity")),
    "null for a number": (spoilt(mentor_capacity=None), invalid("body.mentor_capacity")),
    "number for text": (spoilt(name=7), invalid("body.name")),
    "object for text": (spoilt(name={"$ne": ""}), invalid("body.name")),
    "text for a list": (spoilt(languages="en"), invalid("body.languages")),
    "number below its range": (spoilt(mentor_capacity=-1), invalid("body.mentor_capacity")),
    "number above its range": (spoilt(mentor_capacity=101), invalid("body.mentor_capacity")),
    "number above the column": (spoilt(mentor_capacity=2**31), invalid("body.mentor_capacity")),
    "number above 64 bits": (spoilt(mentor_capacity=2**64), invalid("body.mentor_capacity")),
    "5,000 digits": (instead("mentor_capacity", "9" * 5000), invalid("body.mentor_capacity")),
    "1e999": (instead("mentor_capacity", "1e999"), invalid("body.mentor_capacity")),
    "NaN": (instead("mentor_capacity", "NaN"), invalid("body.mentor_capacity")),
    "Infinity": (instead("mentor_capacity", "-Infinity"), invalid("body.mentor_capacity")),
    "unknown field": (spoilt(role="operator"), invalid("body.role")),
    "id of one's own choice": (spoilt(id=str(uuid4())), invalid("body.id")),
    "version of one's own choice": (spoilt(version=7), invalid("body.version")),
    "key twice": (raw("name", '"another"'), invalid("body.name")),
    "NUL": (spoilt(name="a\0b"), invalid("body.name")),
    "NUL in a key": (spoilt(**{"a\0": 1}), invalid("body")),
    "half a surrogate": (spoilt(name="\ud800"), invalid("body.name")),
    "right-to-left override": (spoilt(name="\u202egnp.exe"), invalid("body.name")),
    "zero-width space": (spoilt(name="a\u200bb"), invalid("body.name")),
    "line break in a name": (spoilt(name="a\r\nX: y"), invalid("body.name")),
    "only spaces": (spoilt(name="\u2003"), invalid("body.name")),
    "name too long": (spoilt(name="x" * 201), invalid("body.name")),
    "text too long": (spoilt(specialisation="x" * 2001), invalid("body.specialisation")),
    "path as slug": (spoilt(slug="../../etc/passwd"), invalid("body.slug")),
    "script as website": (spoilt(website="javascript:alert(1)"), invalid("body.website")),
    "unknown country": (spoilt(country="ZZ"), invalid("body.country")),
    "unknown language in a list": (spoilt(languages=["en", "zz"]), invalid("body.languages.1")),
    "too many": (spoilt(languages=["en"] * 21), invalid("body.languages")),
    "far too many": (spoilt(languages=["en"] * 501), invalid("body.languages")),
    "no leap year": (spoilt(label_valid_until="2025-02-29"), invalid("body.label_valid_until")),
    "year 0": (spoilt(label_valid_until="0000-01-01"), invalid("body.label_valid_until")),
    "year 10000": (spoilt(label_valid_until="10000-01-01"), invalid("body.label_valid_until")),
    "year 1": (spoilt(label_valid_until="0001-01-01"), invalid("body.label_valid_until")),
    "year 1899": (spoilt(label_valid_until="1899-12-31"), invalid("body.label_valid_until")),
    "year 2201": (spoilt(label_valid_until="2201-01-01"), invalid("body.label_valid_until")),
    "year 9999": (spoilt(label_valid_until="9999-12-31"), invalid("body.label_valid_until")),
    "infinity as a day": (spoilt(label_valid_until="infinity"), invalid("body.label_valid_until")),
    "seconds as a day": (spoilt(label_valid_until="1782604800"), invalid("body.label_valid_until")),
    "day of other digits": (spoilt(label_valid_until="٢٠٢٦-٠١-٠١"), invalid("body.label_valid_until")),  # noqa: RUF001  meant
    "founded on no day": (spoilt(founded_on="2026-02-30"), invalid("body.founded_on")),
    "founded in no month": (spoilt(founded_on="2026-13"), invalid("body.founded_on")),
    "founded in year 0": (spoilt(founded_on="0000"), invalid("body.founded_on")),
    "founded in other digits": (spoilt(founded_on="٢٠١٧"), invalid("body.founded_on")),
    "date as a number": (spoilt(label_valid_until=0), invalid("body.label_valid_until")),
    "day with a time": (spoilt(label_valid_until="2026-01-01T01:00:00"), invalid("body.label_valid_until")),
    "no UUID": (spoilt(consortium_id="7"), invalid("body.consortium_id")),
    "unknown consortium": (spoilt(consortium_id=str(uuid4())), (404, "no-such-consortium", "consortium_id")),
    "nil UUID": (spoilt(consortium_id=str(UUID(int=0))), (404, "no-such-consortium", "consortium_id")),
    "33 levels": (instead("name", "[" * 32 + "]" * 32), invalid("body.name" + ".0" * 31)),
    "100,000 levels": (lambda _: b"[" * 100_000, invalid("body")),
    "201 keys": (spoilt(**{f"k{number}": 1 for number in range(201)}), invalid("body")),
    "1,000,000 keys": (
        lambda _: json.dumps(dict.fromkeys(map(str, range(1_000_000)), 1)).encode(),
        (413, "body-too-large", ""),
    ),
    "300 kB": (spoilt(name="x" * 300_000), (413, "body-too-large", "")),
}


async def test_a_bad_body_is_refused_with_its_field_and_nothing_is_stored(members: Members) -> None:
    replies = {what: refused(await members.post(make_body(members))) for what, (make_body, _) in BODIES.items()}
    assert replies == {what: wanted for what, (_, wanted) in BODIES.items()}
    assert await members.clusters() == 1
    assert (await members.post(json.dumps(members.body()).encode())).status_code == 201


async def test_only_uncompressed_json_in_utf_8_is_read(members: Members) -> None:
    body = json.dumps(members.body()).encode()
    kinds = ["", "text/plain", "application/xml", "application/json; charset=latin-1", "multipart/form-data"]
    replies = {kind: refused(await members.post(body, Content_Type=kind))[:2] for kind in kinds}
    assert replies == dict.fromkeys(kinds, (415, "unsupported-media-type"))
    zipped = await members.post(body, Content_Encoding="gzip")
    assert refused(zipped)[:2] == (415, "unsupported-encoding")
    assert await members.clusters() == 1


RULES: dict[str, tuple[str, dict[str, Any], Refused]] = {
    "consortium ends before it starts": (
        "/consortia",
        factories.consortium(ends_on="2000-01-01"),
        (422, "ends-before-start", "ends_on"),
    ),
    "consortium is there already": ("/consortia", {"slug": "@consortium"}, (409, "slug-taken", "slug")),
    "cluster is there already": ("/clusters", {"slug": "@cluster"}, (409, "slug-taken", "slug")),
    "unknown framework": (
        "/clusters/{id}/requests",
        {"framework": "moon", "indicator": "x", "urgency": 1},
        (422, "unknown-framework", "framework"),
    ),
    "unknown indicator": (
        "/clusters/{id}/requests",
        {"framework": "small", "indicator": "x", "urgency": 1},
        (422, "unknown-indicator", "indicator"),
    ),
    "urgency off its scale": (
        "/clusters/{id}/requests",
        {"framework": "small", "indicator": "one", "urgency": 6},
        invalid("body.urgency"),
    ),
    "score off the framework's scale": (
        "/clusters/{id}/assessments",
        {"framework": "small", "kind": "self", "assessed_on": "2020-01-01", "valid_until": "2027-01-01"}
        | {"scores": {"one": 4}},
        (422, "off-scale", "scores"),
    ),
    "score for no indicator": (
        "/clusters/{id}/assessments",
        {"framework": "small", "kind": "self", "assessed_on": "2020-01-01", "valid_until": "2027-01-01"}
        | {"scores": {"two": 1}},
        (422, "unknown-indicator", "scores"),
    ),
    "assessed in the future": (
        "/clusters/{id}/assessments",
        {"framework": "small", "kind": "self", "assessed_on": "2199-01-01", "valid_until": "2199-01-02"}
        | {"scores": {"one": 1}},
        (422, "in-the-future", "assessed_on"),
    ),
    "valid until before it was assessed": (
        "/clusters/{id}/assessments",
        {"framework": "small", "kind": "self", "assessed_on": "2020-01-02", "valid_until": "2020-01-01"}
        | {"scores": {"one": 1}},
        (422, "ends-before-start", "valid_until"),
    ),
}


async def test_what_the_rules_forbid_is_refused_with_its_field(members: Members) -> None:
    small = {"code": "small", "title": "Small", "scale_max": 3, "indicators": [{"code": "one", "title": "One"}]}
    assert (await members.post(json.dumps(small).encode(), "/frameworks")).status_code == 201
    slugs = {
        "@consortium": (await factories.rows(members.url, "SELECT slug FROM consortium"))[0]["slug"],
        "@cluster": (await factories.rows(members.url, "SELECT slug FROM cluster"))[0]["slug"],
    }
    whole = {"/consortia": factories.consortium(), "/clusters": members.body()}
    replies = {}
    for what, (path, body, _) in RULES.items():
        content = json.dumps(whole.get(path, {}) | body | {"slug": slugs.get(body.get("slug", ""), body.get("slug"))})
        text = content if path in whole else json.dumps(body)
        replies[what] = refused(await members.post(text.encode(), path.replace("{id}", members.cluster)))
    assert replies == {what: wanted for what, (_, _, wanted) in RULES.items()}


async def test_what_looks_like_code_is_kept_as_it_is(members: Members) -> None:
    for name in ("Robert'); DROP TABLE cluster;--", "<script>alert(1)</script>", "=1+1", "100% _\\", "{{7*7}} ${x}"):
        reply = await members.post(json.dumps(members.body(name=name)).encode())
        assert (reply.status_code, reply.json()["name"]) == (201, name)
    assert await members.clusters() == 6
