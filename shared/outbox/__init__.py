"""The outbox: every event a service publishes, written in the transaction that made it true.

It is an append-only log, partitioned by month. `seq` is the order of writing; `position` is given by the relay after
the commit, so positions have no gap and no reader ever waits for a transaction that may still roll back. Writers lock
the aggregate's row first, which makes `seq` the order of an aggregate's versions.
"""

from shared.outbox.append import append, forward
from shared.outbox.log import OutboxStats, find, oldest, read, replay, stats
from shared.outbox.relay import Relay
from shared.outbox.schema import OUTBOX_V1, OUTBOX_V2, keep_partitions
from shared.outbox.wake import Waker

__all__ = [
    "OUTBOX_V1",
    "OUTBOX_V2",
    "OutboxStats",
    "Relay",
    "Waker",
    "append",
    "find",
    "forward",
    "keep_partitions",
    "oldest",
    "read",
    "replay",
    "stats",
]
