"""Random histories of three services against a model: commands, delays, duplicates and crashes in any order."""

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
from tests.faults.simulation import CRASHED, DONE, LATE, POINTS, ManualTransport, ServiceSimulation, simulation
from tests.support.postgres import Postgres

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
STEPS = 50
Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class HistoryRunner:
    """Runs histories on one event loop and one simulation of the three services."""

    runner: asyncio.Runner
    simulation: ServiceSimulation

    def run(self, histories: int, *phases: Phase) -> Tally:
        """Run histories one after the other."""
        runner, simulation, tally = self.runner, self.simulation, Tally()

        class SeededHistories(Histories):
            def __init__(self) -> None:
                super().__init__(runner, simulation, tally)

        run_state_machine_as_test(
            seed(SEED)(SeededHistories),
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
def history_runner(postgres: Postgres) -> Iterator[HistoryRunner]:
    with asyncio.Runner() as runner, capture_logs():
        stack = AsyncExitStack()
        history_runner = HistoryRunner(runner, runner.run(stack.enter_async_context(simulation(postgres))))
        assert runner.run(history_runner.simulation.attempt("members", commands.set_up_members)) == DONE
        yield history_runner
        runner.run(stack.aclose())


def test_whatever_happens_is_what_the_model_says(history_runner: HistoryRunner, table: Path) -> None:
    histories = count(120, 2000)
    tally = history_runner.run(histories, Phase.generate, Phase.shrink)
    Result(
        fault=f"model: {histories} x {STEPS}, {tally.steps} steps",
        transport="local",
        injected=tally.disturbances + history_runner.simulation.crashes.total(),
        acked=tally.acked,
        seen=tally.seen,
        raw_dup=tally.raw_dup,
        stall=0.0,
        recovery=tally.drain,
        findings=tally.findings,
    ).settle(table)
    assert tally.appended.keys() == KINDS.keys(), "something never happened"
    assert tally.outcomes.keys() >= {"stale", "no-free-place", "already-decided", "unknown-cluster", LATE, CRASHED}
    assert history_runner.simulation.crashes.keys() == set(POINTS), "nobody ever died there"


async def _take_without_capacity(tx: WriteSession, pair: Pair) -> list[tuple[UUID, str]]:
    for cluster, side in sorted([(pair.mentor_id, "mentor"), (pair.learner_id, "learner")]):
        slots = update(Slots).where(Slots.cluster_id == cluster, Slots.role == side)
        await tx.execute(slots.values(used=Slots.used + 1, ceiling=Slots.ceiling + 1))
    return []


def no_capacity(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("services.matching.commands.proposal_replies._take_slots", _take_without_capacity)


def no_memory(patch: pytest.MonkeyPatch) -> None:
    """The inbox deletes handled events before the transport stops redelivering them."""
    receive_original = Inbox.receive

    async def receive(self: Inbox, records: Sequence[tuple[str, Record]]) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(text("DELETE FROM inbox WHERE state = 'done'"))
        await receive_original(self, records)

    patch.setattr(Inbox, "receive", receive)


def no_retry(patch: pytest.MonkeyPatch) -> None:
    """Records count as delivered before the delivery."""

    async def deliver_due(self: ManualTransport, consumer: str, held: Collection[bytes]) -> int:
        if due := self.due(consumer, held):
            self.remove_delivered(consumer, held)
            await self.deliver(consumer, due)
        return len(due)

    patch.setattr(ManualTransport, "deliver_due", deliver_due)


@pytest.mark.parametrize("plant", [no_capacity, no_memory, no_retry])
def test_what_is_planted_is_found(history_runner: HistoryRunner, monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError, match="state = SeededHistories"):
        history_runner.run(200, Phase.generate)
