"""The outbox: the log of all events that a service publishes, written in the transaction of their cause.

The log is append-only and partitioned by month. `seq` is the order of writing. The relay assigns `position` after the
commit, so positions have no gaps and no reader waits for a transaction that may still roll back. Writers lock the row
of the aggregate first, so `seq` is also the order of the versions of an aggregate.
"""

from shared.outbox.append import append, forward
from shared.outbox.log import OutboxStats, find, oldest, read, replay, stats
from shared.outbox.relay import Relay
from shared.outbox.schema import OUTBOX_V1, OUTBOX_V2, maintain_partitions
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
    "maintain_partitions",
    "oldest",
    "read",
    "replay",
    "stats",
]
