"""Six event types over 200 keys, from seeded writers that first lock the row of the key, as every command does."""

import asyncio
import random
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from shared import outbox
from shared.clock import jitter
from shared.db import Database, WriteSession
from shared.events import Data
from shared.events.matching import PairDeclined, RunPublished
from shared.events.members import CapacityChanged, TargetSet
from shared.events.trainings import RegistrationConfirmed, RegistrationWaitlisted
from tests.support.waiting import passing

KEYS = 200
AGGREGATE = "CREATE TABLE aggregate (key uuid PRIMARY KEY, version bigint NOT NULL DEFAULT 0)"
_STEP = text("UPDATE aggregate SET version = version + 1 WHERE key = :key RETURNING version")
_OTHER = UUID(int=7)
_registration = {"consortium_id": _OTHER, "registration_id": _OTHER, "cluster_id": _OTHER}


def _capacity(key: UUID) -> Data:
    return CapacityChanged(cluster_id=key, consortium_id=_OTHER, mentor_capacity=1, learner_capacity=1)


def _target(key: UUID) -> Data:
    return TargetSet(cluster_id=key, consortium_id=_OTHER, framework="f", indicator="i", level=1, priority=1)


def _confirmed(key: UUID) -> Data:
    return RegistrationConfirmed(activity_id=key, **_registration, seats=1)


def _waitlisted(key: UUID) -> Data:
    return RegistrationWaitlisted(activity_id=key, **_registration, seats=1, place_in_queue=1)


def _run(key: UUID) -> Data:
    return RunPublished(run_id=key, consortium_id=_OTHER, pairs=1, total_hundredths=1)


def _declined(key: UUID) -> Data:
    return PairDeclined(pair_id=key, consortium_id=_OTHER, mentor_id=_OTHER, learner_id=_OTHER, side="mentor")


EVENT_FACTORIES: Sequence[tuple[Callable[[UUID], Data], ...]] = (
    (_capacity, _target),
    (_confirmed, _waitlisted),
    (_run, _declined),
)
"""By service; each key belongs to one service, so that its events go to one topic."""


class Writers:
    """Concurrent writers.

    Args:
        database: of the producer.
        keys: of the aggregates, which are in the table `aggregate`.
        rng: chooses keys and event types.
        rollbacks: the share of transactions that are rolled back.
        max_hold: maximum seconds between the lock and the commit of a transaction.
        crosses: the share of transactions that also change a second, random key, which causes deadlocks.
    """

    def __init__(
        self,
        database: Database,
        keys: Sequence[UUID],
        rng: random.Random,
        *,
        rollbacks: float = 0.0,
        max_hold: float = 0.0,
        crosses: float = 0.0,
    ) -> None:
        self._database, self._keys, self._rng = database, keys, rng
        self._rollbacks, self._dawdle, self._crosses = rollbacks, max_hold, crosses
        self.acked: list[UUID] = []
        self.refused = 0

    async def write(self, count: int, *, at_once: int = 8) -> None:
        """Write until `count` more commits have succeeded; after a failure, another transaction is tried."""
        goal = len(self.acked) + count
        await asyncio.gather(*(self._write_until(goal) for _ in range(at_once)))

    async def run(self, *, at_once: int = 4, pause: float = 0.02) -> None:
        """Write until cancelled."""
        await asyncio.gather(*(self._write_forever(pause) for _ in range(at_once)))

    async def _write_until(self, goal: int) -> None:
        while len(self.acked) < goal:
            await self._write_one()

    async def _write_forever(self, pause: float) -> None:
        while True:
            await self._write_one()
            await passing(jitter(pause))

    async def _write_one(self) -> None:
        numbers = self._rng.sample(range(len(self._keys)), 2 if self._rng.random() < self._crosses else 1)
        try:
            async with self._database.transaction() as tx:
                appended = [await self._append(tx, number) for number in numbers]
                await tx.flush_deferred()  # so that a rolled-back event has used a sequence number
                self._maybe_roll_back()
        except _RolledBack:
            return
        except (SQLAlchemyError, OSError, TimeoutError):
            self.refused += 1
            await passing(jitter(0.05))
        else:
            self.acked += appended

    def _maybe_roll_back(self) -> None:
        if self._rng.random() < self._rollbacks:
            raise _RolledBack

    async def _append(self, tx: WriteSession, number: int) -> UUID:
        key, make_data = self._keys[number], self._rng.choice(EVENT_FACTORIES[number % len(EVENT_FACTORIES)])
        version = await tx.scalar(_STEP, {"key": key})
        if self._dawdle:
            await passing(self._rng.uniform(0, self._dawdle))
        return outbox.append(tx, make_data(key), version=version).id


class _RolledBack(Exception):
    """Raised to roll back on purpose."""
