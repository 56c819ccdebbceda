"""What no consumer can read is dead with its reason, on both transports, and holds up nothing."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.events.envelope import MAX_BYTES, Record
from shared.inbox.receive import event_id_of
from tests.shared.messaging.harness import TOPIC, Harness, effects_consumer, put
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(90)


def _binary(**changes: bytes | None) -> Record:
    """A good record, but for the headers given; None leaves one out. `value` and `key` change those."""
    key = str(uuid4()).encode()
    headers: dict[str, bytes | None] = {
        "ce_specversion": b"1.0",
        "ce_id": str(uuid4()).encode(),
        "ce_type": b"kei.members.capacity.changed.v1",
        "ce_source": b"/kei/members",
        "ce_time": b"2026-01-01T00:00:00Z",
        "ce_partitionkey": key,
        "ce_sequence": b"1",
    }
    data = b'{"cluster_id":"%b","consortium_id":"%b","mentor_capacity":1,"learner_capacity":1}' % (key, key)
    rest = {name: value for name, value in changes.items() if name not in {"key", "value"}}
    headers |= rest
    present = tuple((name, value) for name, value in headers.items() if value is not None)
    return Record(changes.get("key", key), present, changes.get("value", data))


def _with_capacity(number: bytes) -> Record:
    """A good record, but for one number."""
    good = _binary()
    return Record(good.key, good.headers, (good.value or b"").replace(b":1,", b":%b," % number))


POISON = {
    "unknown-type": (_binary(ce_type=b"kei.members.moon.landed.v1"), "unknown type"),
    "future-version": (_binary(ce_type=b"kei.members.capacity.changed.v2"), "unknown type"),
    "other-topic": (_binary(ce_type=b"kei.matching.pair.accepted.v1"), "does not fit|does not belong"),
    "specversion": (_binary(ce_specversion=b"9"), "specversion"),
    "no-headers": (Record(b"k", (), b"{}"), "specversion"),
    "no-id": (_binary(ce_id=None), "id is missing"),
    "id-no-uuid": (_binary(ce_id=b"abc"), "malformed"),
    "no-sequence": (_binary(ce_sequence=None), "sequence is missing"),
    "sequence-zero": (_binary(ce_sequence=b"0"), "versions begin at 1"),
    "binary-header": (_binary(ce_source=b"\xff\xfe\x00"), "not UTF-8"),
    "broken-json": (_binary(value=b"{"), "does not fit"),
    "not-utf8": (_binary(value=b"\xff\xff"), "does not fit"),
    "missing-field": (_binary(value=b"{}"), "does not fit"),
    "tombstone": (_binary(value=None), "no value"),
    "wrong-key": (_binary(key=str(uuid4()).encode()), "key"),
    "huge-key": (_binary(key=b"k" * 5000), "key"),
    "no-key": (_binary(key=None), "key"),
    "other-aggregate": (_binary(ce_partitionkey=str(uuid4()).encode()), "partitionkey"),
    "over-64kB": (_binary(value=b" " * (MAX_BYTES + 1)), "over the limit"),
    "nothing-in-it": (_binary(value=b""), "does not fit"),
    "deep": (_binary(value=b"[" * 30_000), "does not fit"),
    "not-a-number": (_with_capacity(b"NaN"), "does not fit"),
    "number-of-5000-digits": (_with_capacity(b"9" * 5000), "does not fit"),
    "empty-header": (_binary(ce_time=b""), "does not fit"),
    "header-of-10-kB": (_binary(ce_id=b"x" * 10_240), "malformed"),
    "nul-in-a-header": (_binary(ce_source=b"/kei/\x00"), "NUL"),
    "time-without-zone": (_binary(ce_time=b"2026-01-01T00:00:00"), "with a zone"),
}


async def test_poison_is_dead_with_its_reason_and_the_rest_flows(harness: Harness, consumer_name: str) -> None:
    good = uuid4()
    transport = harness.make_transport()
    async with harness.consuming(effects_consumer(consumer_name), transport), harness.relaying(transport):
        await put(harness.source, good, [1])
        for record, _ in POISON.values():
            await transport.send(TOPIC, [record])
        for record in _strange_but_good(good):
            await transport.send(TOPIC, [record])
        await put(harness.source, good, [2])
        await eventually(lambda: _effects(harness, consumer_name, good, [1, 3, 4, 2]))
        wanted = {event_id_of(TOPIC, record): reason for record, reason in POISON.values()}

        async def all_dead() -> dict[Any, str] | None:
            reasons = {letter.event_id: letter.reason for letter in await harness.dead(consumer_name)}
            return reasons if wanted.keys() <= reasons.keys() else None

        reasons = await eventually(all_dead, deadline=20.0)
        for id, reason in wanted.items():
            assert any(part in reasons[id] for part in reason.split("|")), (reasons[id], reason)


def _strange_but_good(key: UUID) -> list[Record]:
    """Two more versions of a key: with headers of others and one of ours twice, and with all the data that fits."""
    name = str(key).encode()
    data = b'{"cluster_id":"%b","consortium_id":"%b","mentor_capacity":1,"learner_capacity":1}' % (name, name)
    third = _binary(key=name, ce_partitionkey=name, ce_sequence=b"3", value=data)
    foreign = (("x-binary", b"\x00\xff"), ("trace", b"\xfe"), ("ce_source", b"/kei/members"))
    fourth = _binary(key=name, ce_partitionkey=name, ce_sequence=b"4", value=data.ljust(MAX_BYTES))
    return [Record(third.key, (*third.headers, *foreign), third.value), fourth]


async def _effects(harness: Harness, consumer: str, key: UUID, versions: list[int]) -> bool:
    return [version for _, version in await harness.effects(consumer, [key])] == versions
