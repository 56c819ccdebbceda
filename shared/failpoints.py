"""Named points on the way of an event. A test may have its process end at one; there is no setting that could.

request:  commit.before, commit.after          of every transaction, the inbox's included
relay:    relay.placed, relay.sent, relay.marked
arrival:  inbox.inserted, inbox.kept, ingest.committed
worker:   worker.taken, worker.handled, worker.done
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal

Failpoint = Literal[
    "commit.before",
    "commit.after",
    "relay.placed",
    "relay.sent",
    "relay.marked",
    "inbox.inserted",
    "inbox.kept",
    "ingest.committed",
    "worker.taken",
    "worker.handled",
    "worker.done",
]


def _pass(_: Failpoint) -> None:
    """Go on."""


on_failpoint: ContextVar[Callable[[Failpoint], None]] = ContextVar("kei_point", default=_pass)
"""What happens at a point, for whatever is begun while this is set."""


def failpoint(point: Failpoint) -> None:
    """Say where the code is."""
    on_failpoint.get()(point)
