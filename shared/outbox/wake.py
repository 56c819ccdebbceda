"""Wakes the relay after a commit: directly if it leads in this process, else by one NOTIFY for many commits."""

import asyncio
from typing import Protocol

from sqlalchemy import text

from shared.background import every
from shared.db import Database

CHANNEL = "outbox"
_COALESCE_SECONDS = 0.005


class _Relay(Protocol):
    @property
    def leading(self) -> bool: ...

    def wake(self) -> None: ...


class Waker:
    """Called after each commit with events; notifies the relay of another process if it does not lead in this one.

    A NOTIFY inside the transaction would reduce the rate of commits by a third, so it is sent afterwards and about
    once in 5 ms. The relay polls, so a lost notification costs time only.
    """

    def __init__(self, database: Database, relay: _Relay | None = None) -> None:
        self._database = database
        self._relay = relay
        self._requested = asyncio.Event()

    def __call__(self) -> None:
        """Request a wake-up. Never blocks."""
        if self._relay is not None and self._relay.leading:
            self._relay.wake()
        else:
            self._requested.set()

    async def run(self) -> None:
        """Send the requested notifications, until cancelled."""
        await every(_COALESCE_SECONDS, self._notify, job="relay wake-up")

    async def _notify(self) -> None:
        await self._requested.wait()
        self._requested.clear()
        async with self._database.reading() as session:
            await session.execute(text(f"NOTIFY {CHANNEL}"))
