"""Execution of runs: one per consortium at a time, progress, cancellation, and a new attempt if a process dies."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from multiprocessing.process import BaseProcess
from uuid import UUID, uuid4

import pytest

from services.matching import main
from services.matching.commands import run_execution
from shared.auth import Role
from shared.transport.local import LocalTransport
from tests.services.matching.actions import OPERATOR, Json, Matching, learner, mentor, problem
from tests.support import factories
from tests.support.connection import database_connection
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(60)
Solvers = Callable[[], set[BaseProcess]]


@pytest.fixture(autouse=True)
def solvers() -> Solvers:
    """The solver processes that have started since the test began."""
    before = set(multiprocessing.active_children())
    return lambda: set(multiprocessing.active_children()) - before


@pytest.fixture
async def matching(url: str, transport: LocalTransport) -> AsyncIterator[Matching]:
    async with factories.running(main.build, url, transport=transport) as client:
        matching = Matching(client, url, transport)
        await matching.register(mentor("Able"), learner("Baker"))
        await matching.draft_run()
        yield matching


@asynccontextmanager
async def held(solvers: Solvers) -> AsyncIterator[None]:
    """Suspend the solver processes for the duration of the block."""
    stopped = [process.pid for process in solvers() if process.pid is not None]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def requested_run(matching: Matching) -> Json:
    reply = await matching.request_run()
    assert reply.status_code == 201, reply.text
    run: Json = reply.json()
    return run


async def cancel(matching: Matching, run: str, headers: dict[str, str] = OPERATOR) -> tuple[int, Json]:
    reply = await matching.client.post(f"/runs/{run}/cancellation", headers=headers)
    return reply.status_code, reply.json()


async def test_one_run_of_a_consortium_at_a_time_and_the_other_is_named(matching: Matching, solvers: Solvers) -> None:
    elsewhere = uuid4()
    await matching.register(mentor(consortium_id=elsewhere), learner(consortium_id=elsewhere))
    async with held(solvers):
        run = await requested_run(matching)
        reply = await matching.request_run()
        assert problem(reply) == (409, "run-under-way")
        assert run["id"] in reply.json()["detail"]
        other = (await matching.request_run(elsewhere)).json()["id"]
        refused = await matching.publish(run["id"], version=1)
        assert problem(refused) == (409, "no-draft")
        assert problem(await matching.client.get(f"/runs/{run['id']}/plan", headers=OPERATOR)) == (404, "no-such-plan")
    assert len((await matching.finished_run(run["id"]))["pairs"]) == 1
    assert len((await matching.finished_run(other))["pairs"]) == 1
    assert len((await matching.draft_run())["pairs"]) == 1


async def test_of_many_that_ask_at_once_one_is_made_and_the_others_hear_which(
    matching: Matching, solvers: Solvers
) -> None:
    async with held(solvers):
        replies = await asyncio.gather(*(matching.request_run() for _ in range(8)))
    (run,) = [reply.json()["id"] for reply in replies if reply.status_code == 201]
    refused = [reply for reply in replies if reply.status_code != 201]
    assert {problem(reply) for reply in refused} == {(409, "run-under-way")}
    assert all(run in reply.json()["detail"] for reply in refused)


async def test_a_run_is_cancelled_and_leaves_nothing(matching: Matching, solvers: Solvers) -> None:
    async with held(solvers):
        run = (await requested_run(matching))["id"]
        stranger = factories.signed_in(Role.coordinator, consortium=uuid4())
        assert (await cancel(matching, run, stranger))[0] == 404
        assert (await cancel(matching, run, factories.signed_in(Role.manager, consortium=factories.CONSORTIUM)))[
            0
        ] == 403
        status, body = await cancel(matching, run)
        assert (status, body["state"], body["version"]) == (200, "cancelled", 2)
        following = (await requested_run(matching))["id"]
    assert len((await matching.finished_run(following))["pairs"]) == 1
    assert (await matching.finished_run(run, "cancelled"))["pairs"] == []
    status, body = await cancel(matching, run)
    assert (status, body["type"]) == (409, "urn:kei:problem:not-running")
    assert (await cancel(matching, following))[0] == 409


async def test_a_solver_that_died_is_replaced_and_the_run_is_made_once(matching: Matching, solvers: Solvers) -> None:
    async with held(solvers):
        run = (await requested_run(matching))["id"]
        await eventually(lambda: _begun(matching, run))
        killed = solvers()
        for process in killed:
            process.kill()
    assert len((await matching.finished_run(run))["pairs"]) == 1
    assert solvers()
    assert not solvers() & killed


async def test_a_run_whose_solver_dies_again_and_again_fails_with_its_reason(
    matching: Matching, solvers: Solvers
) -> None:
    async with held(solvers):
        run = (await requested_run(matching))["id"]
        await eventually(lambda: _begun(matching, run))

        async def failed() -> bool:
            for process in solvers():
                process.kill()
            state: str = (await matching.get(f"/runs/{run}"))["run"]["state"]
            return state != "running"

        await eventually(failed, 40.0)
    failed_run = (await matching.finished_run(run, "failed"))["run"]
    assert (
        failed_run["reason"]
        == "The plan could not be made: the solver process ended 2 times. The plan may be too large."
    )
    assert len((await matching.draft_run())["pairs"]) == 1


async def _begun(matching: Matching, run: str) -> bool:
    (row,) = await factories.rows(matching.url, "SELECT attempts FROM run WHERE id = $1", UUID(run))
    return bool(row["attempts"])


@pytest.mark.parametrize(
    ("attempts", "state"), [(run_execution.MAX_ATTEMPTS - 1, "draft"), (run_execution.MAX_ATTEMPTS, "failed")]
)
async def test_what_a_service_that_died_was_making_is_begun_again_but_not_for_ever(
    matching: Matching, url: str, attempts: int, state: str
) -> None:
    run = (await matching.draft_run())["run"]["id"]
    abandoned = "UPDATE run SET state = 'running', attempts = $2, heartbeat_at = now() - interval '1 min' WHERE id = $1"
    async with database_connection(url) as db, db.transaction():
        await db.execute("DELETE FROM pair WHERE run_id = $1", UUID(run))
        await db.execute(abandoned, UUID(run), attempts)
        await db.execute("SELECT pg_notify($1, '')", run_execution.RUNS_CHANNEL)
    shown = await matching.finished_run(run, state)
    assert len(shown["pairs"]) == (state == "draft")
    assert shown["run"]["reason"] == (
        None if state == "draft" else f"The worker process ended {run_execution.MAX_ATTEMPTS} times during this run."
    )


async def test_a_run_of_a_service_that_ends_is_another_ones_at_once(
    url: str, transport: LocalTransport, solvers: Solvers
) -> None:
    async with AsyncExitStack() as resumed:
        async with factories.running(main.build, url, transport=transport) as client:
            matching = Matching(client, url, transport)
            await matching.register(mentor(), learner())
            await matching.draft_run()
            await resumed.enter_async_context(held(solvers))
            run = (await requested_run(matching))["id"]
            await eventually(lambda: _begun(matching, run))
        (row,) = await factories.rows(url, "SELECT state, attempts, heartbeat_at FROM run WHERE id = $1", UUID(run))
        assert (row["state"], row["attempts"], row["heartbeat_at"]) == ("running", 0, None)
    async with factories.running(main.build, url, transport=LocalTransport()) as client:
        assert len((await Matching(client, url, transport).finished_run(run))["pairs"]) == 1


async def test_whoever_lost_a_run_to_another_keeps_nothing_of_it(
    matching: Matching, url: str, solvers: Solvers
) -> None:
    elsewhere = uuid4()
    await matching.register(mentor(consortium_id=elsewhere), learner(consortium_id=elsewhere))
    async with held(solvers):
        run = (await requested_run(matching))["id"]
        await eventually(lambda: _begun(matching, run))
        taken = "UPDATE run SET attempts = 2, heartbeat_at = now() + interval '1 h' WHERE id = $1 RETURNING id"
        assert await factories.rows(url, taken, UUID(run))
        following = (await matching.request_run(elsewhere)).json()["id"]
    assert len((await matching.finished_run(following))["pairs"]) == 1
    shown = await matching.get(f"/runs/{run}")
    assert (shown["run"]["state"], shown["pairs"]) == ("running", [])
