"""Waking the relay after a commit: in process where it leads, else by one NOTIFY for many commits."""

import asyncio
from typing import Protocol

from sqlalchemy import text

from shared.background import every
from shared.db import Database

CHANNEL = "outbox"
_COALESCE = 0.005


class _Relay(Protocol):
    @property
    def leading(self) -> bool: ...

    def wake(self) -> None: ...


class Waker:
    """Called after each commit that put events. Without a leading relay in this process it notifies the one elsewhere.

    A NOTIFY inside the transaction would cost a third of the commits, so it goes out afterwards and at most once in
    5 ms. One that is lost is made good by the relay's polling.
    """

    def __init__(self, database: Database, relay: _Relay | None = None) -> None:
        self._database = database
        self._relay = relay
        self._asked = asyncio.Event()

    def __call__(self) -> None:
        """Note that there are new events. Never blocks."""
        if self._relay is not None and self._relay.leading:
            self._relay.wake()
        else:
            self._asked.set()

    async def run(self) -> None:
        """Send the requested notifications, until cancelled."""
        await every(_COALESCE, self._notify, failure_message="relay not notified; it will poll")

    async def _notify(self) -> None:
        await self._asked.wait()
        self._asked.clear()
        async with self._database.reading() as session:
            await session.execute(text(f"NOTIFY {CHANNEL}"))
