"""The partition of a key is the one that every other Kafka client chooses."""

from uuid import uuid4

from aiokafka.partitioner import DefaultPartitioner

from shared.transport.kafka import _partition_hash


def test_a_key_goes_to_the_partition_that_other_clients_choose() -> None:
    choose, parts = DefaultPartitioner(), list(range(8))
    for _ in range(200):
        key = str(uuid4()).encode()
        assert parts[_partition_hash(key) % len(parts)] == choose(key, parts, parts)
