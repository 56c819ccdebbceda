"""Histories of three services, drawn at random, against a model: commands, delays, repeats and crashes in any order."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import text, update
from structlog.testing import capture_logs

from services.matching.tables import Pair, Slots
from shared.db import WriteSession
from shared.events import Record
from shared.inbox import Inbox
from tests.faults import commands
from tests.faults.database_state import KINDS
from tests.faults.histories import Histories, Tally
from tests.faults.report import SEED, Result, count
from tests.faults.simulation import CRASHED, DONE, LATE, POINTS, Postbox, Trio, trio
from tests.support.postgres import Postgres

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
STEPS = 50
Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Theatre:
    """Where histories are played: one event loop and the three services for all of them."""

    runner: asyncio.Runner
    trio: Trio

    def play(self, histories: int, *phases: Phase) -> Tally:
        """Play them one after the other."""
        runner, stage, tally = self.runner, self.trio, Tally()

        class Here(Histories):
            def __init__(self) -> None:
                super().__init__(runner, stage, tally)

        run_state_machine_as_test(
            seed(SEED)(Here),
            settings=settings(
                max_examples=histories,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                print_blob=True,
                phases=phases or tuple(Phase),
                suppress_health_check=list(HealthCheck),
            ),
        )
        return tally


@pytest.fixture
def theatre(postgres: Postgres) -> Iterator[Theatre]:
    with asyncio.Runner() as runner, capture_logs():
        stack = AsyncExitStack()
        made = Theatre(runner, runner.run(stack.enter_async_context(trio(postgres))))
        assert runner.run(made.trio.attempt("members", commands.found)) == DONE
        yield made
        runner.run(stack.aclose())


def test_whatever_happens_is_what_the_model_says(theatre: Theatre, table: Path) -> None:
    histories = count(120, 2000)
    tally = theatre.play(histories, Phase.generate, Phase.shrink)
    Result(
        fault=f"model: {histories} x {STEPS}, {tally.steps} steps",
        transport="local",
        injected=tally.disturbances + theatre.trio.crashes.total(),
        acked=tally.acked,
        seen=tally.seen,
        raw_dup=tally.raw_dup,
        stall=0.0,
        recovery=tally.drain,
        findings=tally.findings,
    ).settle(table)
    assert tally.put.keys() == KINDS.keys(), "something never happened"
    assert tally.outcomes.keys() >= {"stale", "no-free-place", "already-decided", "unknown-cluster", LATE, CRASHED}
    assert theatre.trio.crashes.keys() == set(POINTS), "nobody ever died there"


async def _take_what_is_not_there(tx: WriteSession, pair: Pair) -> list[tuple[UUID, str]]:
    for cluster, side in sorted([(pair.mentor_id, "mentor"), (pair.learner_id, "learner")]):
        whose = update(Slots).where(Slots.cluster_id == cluster, Slots.role == side)
        await tx.execute(whose.values(used=Slots.used + 1, ceiling=Slots.ceiling + 1))
    return []


def no_capacity(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("services.matching.commands.proposal_replies._take_slots", _take_what_is_not_there)


def no_memory(patch: pytest.MonkeyPatch) -> None:
    """The inbox forgets what is done before the transport does."""
    kept = Inbox.receive

    async def receive(self: Inbox, records: Sequence[tuple[str, Record]]) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(text("DELETE FROM inbox WHERE state = 'done'"))
        await kept(self, records)

    patch.setattr(Inbox, "receive", receive)


def no_retry(patch: pytest.MonkeyPatch) -> None:
    """What is to be delivered counts as delivered before it is."""

    async def bring(self: Postbox, consumer: str, held: Collection[bytes]) -> int:
        if due := self.due(consumer, held):
            self.forget(consumer, held)
            await self.deliver(consumer, due)
        return len(due)

    patch.setattr(Postbox, "bring", bring)


@pytest.mark.parametrize("plant", [no_capacity, no_memory, no_retry])
def test_what_is_planted_is_found(theatre: Theatre, monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError, match="state = Here"):
        theatre.play(200, Phase.generate)
