"""librdkafka's mock of a Kafka cluster, from the wheel of confluent-kafka. It refuses requests on demand.

One broker, in memory, in a thread of this process; one member per group. A real broker returns most of these codes at
times that a test cannot control.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from confluent_kafka import cimpl

_BROKER = 1


class Api(IntEnum):
    """The requests of a service, with their numbers in Kafka's protocol."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    SYNC_GROUP = 14
    INIT_PRODUCER_ID = 22


class MockBroker:
    """A cluster of one broker.

    Args:
        library: librdkafka.
        cluster: librdkafka's handle of the cluster.
    """

    def __init__(self, library: ctypes.CDLL, cluster: int) -> None:
        self._library, self._cluster = library, cluster

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        return ctypes.string_at(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)).decode()

    def create(self, topic: str, partitions: int) -> None:
        code = self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        assert not code, f"{topic}: error {code}"

    def refuse(self, api: Api, code: int, times: int) -> None:
        """Answer the next requests of one kind with an error code."""
        answers = [ctypes.c_int(value) for _ in range(times) for value in (code, 0)]  # each with no delay
        self._library.rd_kafka_mock_broker_push_request_error_rtts(self._cluster, _BROKER, api, times, *answers)

    def unanswered(self, api: Api) -> int:
        """The number of refusals that no request has received yet."""
        count = ctypes.c_size_t()
        self._library.rd_kafka_mock_broker_error_stack_cnt(self._cluster, _BROKER, api, ctypes.byref(count))
        return count.value


@contextmanager
def mock_broker() -> Iterator[MockBroker]:
    """A broker without topics."""
    library = _library()
    reason = ctypes.create_string_buffer(512)
    client = library.rd_kafka_new(0, None, reason, len(reason))
    assert client, reason.value.decode()
    cluster = library.rd_kafka_mock_cluster_new(client, 1)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    try:
        yield MockBroker(library, cluster)
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(client)


def _library() -> ctypes.CDLL:
    """The librdkafka that the Python module is linked with."""
    library = ctypes.CDLL(cimpl.__file__)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    library.rd_kafka_new.restype = pointer
    library.rd_kafka_new.argtypes = [ctypes.c_int, pointer, ctypes.c_char_p, size]
    library.rd_kafka_destroy.argtypes = [pointer]
    library.rd_kafka_mock_cluster_new.restype = pointer
    library.rd_kafka_mock_cluster_new.argtypes = [pointer, ctypes.c_int]
    library.rd_kafka_mock_cluster_destroy.argtypes = [pointer]
    library.rd_kafka_mock_cluster_bootstraps.restype = pointer
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [pointer]
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [pointer, ctypes.c_int32]
    library.rd_kafka_mock_topic_create.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    library.rd_kafka_mock_broker_push_request_error_rtts.argtypes = [pointer, ctypes.c_int32, ctypes.c_int16, size]
    count = library.rd_kafka_mock_broker_error_stack_cnt
    count.argtypes = [pointer, ctypes.c_int32, ctypes.c_int16, ctypes.POINTER(size)]
    return library
