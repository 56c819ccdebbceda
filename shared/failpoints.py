"""Named points on the way of an event. A test may have its process end at one; there is no setting that could.

request:  commit.before, commit.after          of every transaction, the inbox's included
relay:    relay.placed, relay.sent, relay.marked
arrival:  inbox.inserted, inbox.kept, ingest.committed
worker:   worker.taken, worker.handled, worker.done
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal

Point = Literal[
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


def _pass(_: Point) -> None:
    """Go on."""


act: ContextVar[Callable[[Point], None]] = ContextVar("kei_point", default=_pass)
"""What happens at a point, for whatever is begun while this is set."""


def reached(point: Point) -> None:
    """Say where the code is."""
    act.get()(point)
