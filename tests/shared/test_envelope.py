"""The envelope, held against an SDK that others wrote; and that nothing unreadable passes for an event."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.dates import EARLIEST_DAY, EARLIEST_TIME, LATEST_DAY, LATEST_TIME
from shared.events import PUBLIC_TOPIC, Event, Poison, Record, parse, registry, structured
from shared.events.envelope import MAX_BYTES, Stored, mirrored, parse_structured
from shared.events.registry import Data, type_of
from tests.support import factories

TOPIC = "kei.members.v1"
_TIMES = (EARLIEST_TIME.replace(tzinfo=None), LATEST_TIME.replace(tzinfo=None))
st.register_type_strategy(date, st.dates(EARLIEST_DAY, LATEST_DAY))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def stored(**other: Any) -> Stored:
    event = factories.cluster_registered_event(name="Székesfehérvár ☀ \u200d", **other)
    return replace(event, traceparent=TRACE)


def attributes(event: Stored) -> dict[str, Any]:
    """What the event says of itself, as the SDK names and types it."""
    return {
        "specversion": "1.0",
        "id": str(event.id),
        "type": event.type,
        "source": event.source,
        "subject": str(event.key),
        "time": event.time,
        "dataschema": f"urn:kei:schema:{event.type}",
        "partitionkey": str(event.key),
        "sequence": str(event.version),
        "datacontenttype": "application/json",
        "traceparent": TRACE,
    }


# --- against the SDK


def test_the_sdk_reads_our_binary_mode() -> None:
    event = stored()
    key, headers, value = event.record()
    assert value is not None
    read = kafka.from_binary_event(kafka.KafkaMessage(dict(headers), key, value))
    assert read.get_attributes() == attributes(event)
    assert read.get_data() == json.loads(event.data)


def test_the_sdk_reads_our_structured_mode() -> None:
    event = stored()
    message = kafka.KafkaMessage({"content-type": b"application/cloudevents+json"}, None, structured(event))
    read = kafka.from_structured_event(message)
    assert read.get_attributes() == attributes(event)
    assert read.get_data() == json.loads(event.data)


def test_we_read_the_sdks_binary_mode() -> None:
    event = stored()
    written = kafka.to_binary_event(CloudEvent(attributes(event), json.loads(event.data)))
    assert isinstance(written.key, str)
    record = Record(written.key.encode(), tuple(written.headers.items()), written.value)
    assert _same(parse(record, TOPIC), event)


def test_we_read_the_sdks_structured_mode() -> None:
    event = stored()
    written = kafka.to_structured_event(CloudEvent(attributes(event), json.loads(event.data)))
    assert _same(parse_structured(written.value), event)


def _same(read: Event[Data], event: Stored) -> bool:
    """Equal but for white space in the data."""
    again = mirrored(read)
    return json.loads(again.data) == json.loads(event.data) and attributes(again) == attributes(event)


# --- both ways, for whatever there may be


def some_event() -> st.SearchStrategy[Stored]:
    def of(data: Data) -> st.SearchStrategy[Stored]:
        entry = type_of(type(data))
        return st.builds(
            Stored,
            id=st.uuids(),
            type=st.just(entry.name),
            source=st.just(f"/kei/{entry.service}"),
            key=st.just(getattr(data, entry.key)),
            version=st.integers(1, 2**31 - 1),
            time=st.datetimes(*_TIMES, timezones=st.just(UTC)),
            traceparent=st.none() | st.just(TRACE),
            data=st.just(data.model_dump_json().encode()),
        )

    return st.sampled_from([entry.model for entry in registry().values()]).flatmap(_filled).flatmap(of)


def _filled(model: type[Data]) -> st.SearchStrategy[Data]:
    fields = {name: st.from_type(cast("type[Any]", field.annotation)) for name, field in model.model_fields.items()}
    return st.builds(model, **fields)


@settings(max_examples=60)
@given(some_event())
def test_a_record_is_read_and_written_the_same(event: Stored) -> None:
    entry = registry()[event.type]
    read = parse(event.record(), entry.topic)
    assert mirrored(read) == event
    assert mirrored(read).record() == event.record()
    assert read.data == entry.model.model_validate_json(event.data)
    if entry.public:
        assert parse(event.record(), PUBLIC_TOPIC) == read


@settings(max_examples=60)
@given(some_event())
def test_structured_mode_says_the_same_and_moves_the_data_unchanged(event: Stored) -> None:
    text = structured(event)
    assert text.endswith(b',"data":%b}' % event.data)
    assert b"\n" not in text
    assert _same(parse_structured(text), event) or event.traceparent is None
    assert parse_structured(text).data == parse(event.record(), registry()[event.type].topic).data


def test_structured_mode_keeps_bytes_that_json_would_write_otherwise() -> None:
    data = b'{ "cluster_id" : "x",\t"text": "\\u00e9\\/", "number": 1.0e0 }'
    event = Stored(uuid4(), "t", "s", uuid4(), 1, datetime(2026, 1, 1, tzinfo=UTC), None, data)
    assert structured(event).endswith(b',"data":%b}' % data)
    assert "traceparent" not in json.loads(structured(event))


def test_times_have_microseconds_and_their_zone() -> None:
    event = Stored(uuid4(), "t", "s", uuid4(), 1, datetime(2026, 1, 1, tzinfo=UTC), None, b"{}")
    assert dict(event.record().headers)["ce_time"] == b"2026-01-01T00:00:00.000000Z"


# --- poison

CLUSTER = UUID("01900000-0000-7000-8000-000000000001")
KEY = str(CLUSTER).encode()
DATA = b'{"cluster_id":"%b","consortium_id":"%b","mentor_capacity":1,"learner_capacity":1}' % (KEY, KEY)
HEADERS: dict[str, bytes] = {
    "ce_specversion": b"1.0",
    "ce_id": b"01900000-0000-7000-8000-0000000000ff",
    "ce_type": b"kei.members.capacity.changed.v1",
    "ce_source": b"/kei/members",
    "ce_time": b"2026-01-01T00:00:00Z",
    "ce_partitionkey": KEY,
    "ce_sequence": b"1",
}
ACCEPTED = b'{"pair_id":"%b","consortium_id":"%b","mentor_id":"%b","learner_id":"%b"}' % (KEY, KEY, KEY, KEY)


def record(*without: str, key: bytes | None = KEY, value: bytes | None = DATA, **headers: bytes) -> Record:
    """A valid record with the given changes."""
    present = {name: item for name, item in (HEADERS | headers).items() if name not in without}
    return Record(key, tuple(present.items()), value)


def test_the_record_that_is_spoilt_below_is_good() -> None:
    assert parse(record(), TOPIC).key == CLUSTER
    assert parse_structured(spoilt()).key == CLUSTER


HUGE = b"9" * 5000
BINARY: dict[str, tuple[Record, str]] = {
    "tombstone": (record(value=None), "no value"),
    "over 64 kB": (record(value=DATA + b" " * MAX_BYTES), "over the limit"),
    "no headers": (Record(KEY, (), DATA), "specversion is None"),
    "future specification": (record(ce_specversion=b"2.0"), "specversion is '2.0'"),
    "no type": (record("ce_type"), "unknown type ''"),
    "unknown type": (record(ce_type=b"kei.members.moon.landed.v1"), "unknown type"),
    "future version": (record(ce_type=b"kei.members.capacity.changed.v2"), "unknown type"),
    "long type": (record(ce_type=b"k" * 60_000), "^unknown type 'k{200}'$"),
    "other service's topic": (record(ce_type=b"kei.matching.pair.accepted.v1", value=ACCEPTED), "does not belong"),
    "other type's data": (record(ce_type=b"kei.matching.pair.accepted.v1"), "does not fit .*: pair_id"),
    **{
        f"no {name}": (record(f"ce_{name}"), f"attribute {name} is missing")
        for name in ("id", "source", "time", "partitionkey", "sequence")
    },
    "id no UUID": (record(ce_id=b"7"), "malformed"),
    "empty id": (record(ce_id=b""), "malformed"),
    "partitionkey no UUID": (record(ce_partitionkey=b"7", key=b"7"), "malformed"),
    "sequence no number": (record(ce_sequence=b"one"), "malformed"),
    "sequence with spaces": (record(ce_sequence=b" 1 "), "malformed"),
    "sequence with an underscore": (record(ce_sequence=b"1_0"), "malformed"),
    "sequence in other digits": (record(ce_sequence="٣".encode()), "malformed"),
    "sequence huge": (record(ce_sequence=HUGE), "malformed"),
    "sequence over the column": (record(ce_sequence=b"9223372036854775808"), "malformed"),
    "sequence zero": (record(ce_sequence=b"0"), "versions begin at 1"),
    "sequence negative": (record(ce_sequence=b"-1"), "malformed"),
    "time is text": (record(ce_time=b"yesterday"), "does not fit"),
    "time is a number": (record(ce_time=b"1796065687"), "does not fit"),
    "time before all": (record(ce_time=b"0001-01-01T00:00:00Z"), "between the years"),
    "time after all": (record(ce_time=b"9999-12-31T23:59:59Z"), "between the years"),
    "time without a zone": (record(ce_time=b"2026-01-01T00:00:00"), "with a zone"),
    "attribute no UTF-8": (record(ce_source=b"\xff\xfe"), "ce_source is not UTF-8"),
    "NUL in an attribute": (record(ce_source=b"/kei\0"), "ce_source contains the NUL"),
    "no key": (record(key=None), "not the event's partitionkey"),
    "other key": (record(key=b"01900000-0000-7000-8000-000000000002"), "not the event's partitionkey"),
    "key in another spelling": (record(key=KEY.upper().replace(b"-", b"")), "not the event's partitionkey"),
    "other aggregate": (record(ce_partitionkey=HEADERS["ce_id"], key=HEADERS["ce_id"]), "not the data's cluster_id"),
    "empty data": (record(value=b""), "does not fit"),
    "broken JSON": (record(value=b"{"), "does not fit"),
    "data no UTF-8": (record(value=b"\xff"), "does not fit"),
    "data a list": (record(value=b"[]"), "does not fit"),
    "data null": (record(value=b"null"), "does not fit"),
    "field missing": (record(value=b'{"cluster_id":"%b"}' % KEY), "does not fit .*: consortium_id"),
    "field of another type": (record(value=DATA.replace(b":1,", b':"many",')), "does not fit .*: mentor_capacity"),
    "NaN": (record(value=DATA.replace(b":1,", b":NaN,")), "does not fit"),
    "a number without end": (record(value=DATA.replace(b":1,", b":1e999,")), "does not fit"),
    "half a surrogate": (record(value=DATA.replace(b":1,", b':"\\ud800",')), "does not fit"),
    "deep": (record(value=b"[" * 60_000), "does not fit"),
}


@pytest.mark.parametrize("what", BINARY)
def test_a_record_that_is_no_event_is_refused_with_its_reason(what: str) -> None:
    poison, reason = BINARY[what]
    with pytest.raises(Poison, match=reason):
        parse(poison, TOPIC)


def test_foreign_headers_may_hold_anything() -> None:
    good = record()
    foreign = (("x", b"\xff\x00"), ("ce_", b"\xfe"), ("ce_colour", b"\xff"), ("content-type", b"text/plain"))
    assert parse(good._replace(headers=(*foreign, *good.headers)), TOPIC).key == CLUSTER


def spoilt(**other: Any) -> bytes:
    """A good event in structured mode, but for some attributes; `...` leaves one out."""
    whole = {name.removeprefix("ce_"): value.decode() for name, value in HEADERS.items()} | {"data": json.loads(DATA)}
    return json.dumps({name: value for name, value in (whole | other).items() if value is not ...}).encode()


STRUCTURED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not a structured event"),
    "no JSON": (b"{", "not a structured event"),
    "no UTF-8": (b"\xff\xff\xff", "not a structured event"),
    "a list": (b"[]", "not a structured event"),
    "a number": (b"1", "not a structured event"),
    "null": (b"null", "not a structured event"),
    "deep": (b"[" * 200_000, "not a structured event"),
    "huge number": (b'{"data":%b}' % HUGE, "not a structured event"),
    "no data": (spoilt(data=...), "not a structured event"),
    "half a surrogate": (spoilt(data={"cluster_id": "\ud800"}), "not a structured event"),
    "data null": (spoilt(data=None), "does not fit"),
    "data over 64 kB": (spoilt(data={**json.loads(DATA), "x": "x" * MAX_BYTES}), "over the limit"),
    "no specversion": (spoilt(specversion=...), "specversion is None"),
    "unknown type": (spoilt(type="kei.members.moon.landed.v1"), "unknown type"),
    "type is a list": (spoilt(type=["kei"]), "unknown type"),
    "no id": (spoilt(id=...), "attribute id is missing"),
    "id null": (spoilt(id=None), "attribute id is missing"),
    "id a number": (spoilt(id=7), "malformed"),
    "sequence null": (spoilt(sequence=None), "attribute sequence is missing"),
    "sequence zero": (spoilt(sequence="0"), "versions begin at 1"),
    "time without a zone": (spoilt(time="2026-01-01T00:00:00"), "with a zone"),
    "other aggregate": (spoilt(partitionkey=str(uuid4())), "not the data's cluster_id"),
    "field missing": (spoilt(data={}), "does not fit .*: cluster_id"),
}


@pytest.mark.parametrize("what", STRUCTURED)
def test_a_text_that_is_no_event_is_refused_with_its_reason(what: str) -> None:
    poison, reason = STRUCTURED[what]
    with pytest.raises(Poison, match=reason):
        parse_structured(poison)


def test_an_attribute_that_is_null_is_not_there() -> None:
    assert parse_structured(spoilt(traceparent=None)).traceparent is None


@given(st.binary(max_size=200), st.lists(st.tuples(st.sampled_from(sorted(HEADERS)), st.binary(max_size=40))))
def test_no_bytes_whatever_raise_anything_else(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    records = (Record(KEY, (*record().headers, *headers), value), Record(value, (*record().headers, *headers), DATA))
    for item in records:
        with suppress(Poison):
            assert parse(item, TOPIC).key == CLUSTER
    with suppress(Poison):
        parse_structured(value)
