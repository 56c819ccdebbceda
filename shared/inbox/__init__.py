"""The inbox stores received records unparsed, then handles each event once, in order per key.

The effect of an event and its state `done` are committed together. A failing event holds up its own key only; it is
retried with back-off and becomes a dead letter, with its reason, after the last attempt. The primary key of the table
ignores repeated deliveries.
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
