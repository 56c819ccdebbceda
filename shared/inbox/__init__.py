"""The inbox: what arrives for a service is kept raw first, then handled in order per key, each event once.

An event's effect and its `done` mark commit together. A failing event parks its key only; it is tried again with
back-off and is dead, with its reason, after the last try. The inbox's key absorbs whatever the transport repeats.
"""

from shared.inbox.consumer import Consumer
from shared.inbox.dead_letters import DeadLetter, dead_letters, discard, retry
from shared.inbox.receive import (
    DoneStats,
    HandledEvent,
    Inbox,
    PendingStats,
    done_stats,
    newest_handled,
    pending_stats,
    purge,
)
from shared.inbox.schema import INBOX_V1, INBOX_V2
from shared.inbox.worker import Worker

__all__ = [
    "INBOX_V1",
    "INBOX_V2",
    "Consumer",
    "DeadLetter",
    "DoneStats",
    "HandledEvent",
    "Inbox",
    "PendingStats",
    "Worker",
    "dead_letters",
    "discard",
    "done_stats",
    "newest_handled",
    "pending_stats",
    "purge",
    "retry",
]
