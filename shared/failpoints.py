"""Named points on the way of an event at which a test can end the process. No setting enables them.

request:  commit.before, commit.after          of every transaction, including those of the inbox
relay:    relay.assigned, relay.sent, relay.marked
arrival:  inbox.inserted, inbox.committed, ingest.committed
worker:   worker.claimed, worker.handled, worker.done
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal

Failpoint = Literal[
    "commit.before",
    "commit.after",
    "relay.assigned",
    "relay.sent",
    "relay.marked",
    "inbox.inserted",
    "inbox.committed",
    "ingest.committed",
    "worker.claimed",
    "worker.handled",
    "worker.done",
]


def _ignore(_: Failpoint) -> None:
    """Do nothing."""


on_failpoint: ContextVar[Callable[[Failpoint], None]] = ContextVar("kei_point", default=_ignore)
"""Called at each failpoint, in tasks that start while it is set."""


def failpoint(point: Failpoint) -> None:
    """Mark that the code has reached this point."""
    on_failpoint.get()(point)
