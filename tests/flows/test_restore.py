"""A backup under load, the loss of everything, a restore on another machine: what was answered before is there."""

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from deploy.api_client import Api
from deploy.backup.archive import Archive, Manifest
from deploy.embedded.data_dir import DataDirectory
from deploy.embedded.issuer import operator_token
from deploy.sample_data.wait import compare_feed, read_log, wait_until_idle
from shared import clock, outbox
from shared.db import Database
from shared.events.members import CapacityChanged
from tests.faults import report
from tests.faults.checks import examine
from tests.faults.deployment import client
from tests.faults.http_clients import Ask, Callers, Log, read
from tests.faults.report import Result, count
from tests.flows.test_story import public_topic, seen
from tests.support import factories
from tests.support.kafka import Broker
from tests.support.kei import Kei
from tests.support.run import Run
from tests.support.waiting import eventually, passing

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
Machine = Callable[..., Kei]
STALL = 2.0
CLUSTERS = 500
_SPENT = """
    SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('inbox', 'seq')), 0) - count(*) AS spent FROM inbox
"""


class Noted:
    """Asks members, and notes when which version of which cluster was answered."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.answers: list[tuple[datetime, str, int]] = []

    async def __call__(self, method: str, path: str, **options: object) -> httpx2.Response:
        reply = await self._ask(method, path, **options)
        if reply.is_success and path.startswith("/clusters"):
            cluster = reply.json()
            self.answers.append((clock.now(), cluster["id"], cluster["version"]))
        return reply

    def before(self, moment: datetime) -> list[tuple[str, int]]:
        """The writes that were answered before a moment."""
        return [(id, version) for at, id, version in self.answers if at < moment]

    @property
    def stall(self) -> float:
        """The longest time without an answer, in seconds."""
        return max((after[0] - before[0]).total_seconds() for before, after in pairwise(self.answers))


@pytest.fixture
async def machine(run: Run) -> AsyncIterator[Machine]:
    """Makes installations that share nothing, with a broker (host:port) if one is given."""
    made: list[Kei] = []

    def another(kafka: str | None = None) -> Kei:
        made.append(Kei(run.new_folder(), kafka))
        return made[-1]

    yield another
    for installation in made:
        await installation.end()


async def done(kei: Kei, *command: str) -> str:
    status, output = await kei.run_command(*command)
    assert status == 0, output
    return output


def inside(file: Path) -> Manifest:
    with closing(Archive(file)) as archive:
        return archive.manifest


def states(manifest: Manifest) -> dict[str, str]:
    return {name: held.state for name, held in manifest.services.items()}


def door(kei: Kei, service: str) -> httpx2.AsyncClient:
    return client(f"{kei.url}/api/{service}", {"Authorization": f"Bearer {operator_token(DataDirectory(kei.home))}"})


async def under_load(kei: Kei, file: Path) -> Noted:
    """Make a backup during writes; return the answered writes."""
    async with door(kei, "members") as members:
        noted = Noted(members.request)
        callers = Callers(noted)
        async with callers.calling(50):
            await eventually(lambda: len(noted.answers) > 50)
            await done(kei, "backup", str(file))
            await passing(1.0)
    assert callers.failures + callers.refused == []
    return noted


async def test_what_was_answered_before_the_backup_is_there_again(machine: Machine, run: Run, tmp_path: Path) -> None:
    await lost_and_restored(machine(), machine(), tmp_path, report.table(run))


async def test_a_new_broker_has_everything_again(
    machine: Machine, own_kafka: Callable[[], Awaitable[Broker]], run: Run, tmp_path: Path
) -> None:
    brokers = [await own_kafka() for _ in range(2)]
    new = machine(brokers[1].address)
    feed = await lost_and_restored(machine(brokers[0].address), new, tmp_path, report.table(run))
    assert {event["id"] for event in await public_topic(brokers[1].address)} == {str(event.id) for event in feed.events}


async def lost_and_restored(lost: Kei, new: Kei, folder: Path, table: Path) -> Log:
    """Write, back up meanwhile, lose everything, restore elsewhere, and count; the feed."""
    file, second = folder / "one.kei", folder / "two.kei"
    await lost.start("--no-import")
    await lost.ready()
    noted = await under_load(lost, file)
    await lost.kill(database=True)
    manifest = inside(file)
    await done(new, "restore", str(file))
    await done(new, "backup", str(second))
    assert states(inside(second)) == states(manifest)
    begun = time.monotonic()
    await new.start("--no-import")
    await new.ready()
    async with new.api() as api:
        await wait_until_idle(api)
    recovery = time.monotonic() - begun
    async with door(new, "members") as members, door(new, "notifications") as feed:
        log, shown = await read(members.request, "/ops/events"), await read(feed.request, "/feed")
    await eventually(lambda: came_again(new, manifest))
    again = await repeated(new, manifest)
    ids = {(str(event.key), event.version): event.id for event in log.events}
    acked = [ids.get(write) or uuid4() for write in noted.before(manifest.cut_at)]
    findings = examine(acked, log.events, shown.events, shown.positions)
    fault, transport = f"F42 restored, {manifest.held_up * 1000:.0f} ms held up", "kafka" if new.kafka else "local"
    Result(fault, transport, 1, len(acked), len(shown.events), again, noted.stall, recovery, findings).settle(table)
    assert len(noted.answers) > len(acked) > 50
    assert noted.stall < STALL
    assert (await done(new, "matching", "rebuild")).endswith("The same.\n")
    return shown


async def came_again(kei: Kei, before: Manifest) -> bool:
    """Whether all that had come has come again."""
    had = [table.rows for held in before.services.values() for table in held.tables if table.table == "inbox"]
    return await repeated(kei, before) >= sum(had) > 0


async def repeated(kei: Kei, before: Manifest) -> int:
    """How many records have come since that had come before: each took a number in the inbox, and no row."""
    came = 0
    for service, held in before.services.items():
        rows = next(table.rows for table in held.tables if table.table == "inbox")
        last = next((sequence.last for sequence in held.sequences if sequence.table == "inbox"), 0)
        spent = (await factories.rows(database(kei, service), _SPENT))[0]["spent"]
        came += spent - (last - rows)
    return came


def database(kei: Kei, service: str) -> str:
    socket = (kei.home / "postgres" / "postmaster.pid").read_text().splitlines()[4]
    return f"postgresql://{service}:@/{service}?host={socket}"


async def test_the_story_is_the_same_after_a_restore(machine: Machine, tmp_path: Path) -> None:
    lost, new, file = machine(), machine(), tmp_path / "one.kei"
    await lost.start()
    await lost.wait_for_output("Nothing was lost, nothing was done twice.")
    async with lost.api() as api:
        before = await shown(api)
    await done(lost, "backup", str(file))
    await lost.kill(database=True)
    await done(new, "restore", str(file))
    await new.start()
    await new.wait_for_output("Nothing was lost, nothing was done twice.")
    async with new.api() as api:
        assert await shown(api) == before


async def shown(api: Api) -> list[object]:
    """What people, partners and operators see."""
    ledger = await wait_until_idle(api)
    feed = await read_log(api, "notifications", "/feed")
    return [await seen(api), await api.get("matching", "/projection"), await compare_feed(api, ledger), feed]


@pytest.mark.timeout(1800)
async def test_how_long_it_takes(machine: Machine, tmp_path: Path) -> None:
    """The figures of docs/backup.md: KEI_FAULTS=full make test WORKERS=0 ARGS='-s tests/flows/test_restore.py'."""
    events, file = count(2_000, 100_000), tmp_path / "one.kei"
    lost, new = machine(), machine()
    await lost.start("--no-import")
    await lost.ready()
    await publish(database(lost, "members"), events)
    async with lost.api() as api:
        await wait_until_idle(api, timeout=600)
        before = await api.get("matching", "/projection")
    written = await timed(done(lost, "backup", str(file)))
    await lost.kill(database=True)
    filled = await timed(done(new, "restore", str(file)))
    started = await timed(served(new))
    async with new.api() as api:
        replayed = await timed(wait_until_idle(api, timeout=600))
        assert await api.get("matching", "/projection") == before
    manifest = inside(file)
    rows = sum(table.rows for held in manifest.services.values() for table in held.tables)
    assert manifest.services["members"].assigned >= events
    sys.stdout.write(
        f"\n{events} events, {rows} rows: backup {written:.1f} s, {file.stat().st_size / 1e6:.1f} MB, writers held up"
        f" {manifest.held_up * 1000:.0f} ms; restore {filled:.1f} s, start {started:.1f} s, replay {replayed:.1f} s\n"
    )


async def timed(work: Awaitable[object]) -> float:
    begun = time.monotonic()
    await work
    return time.monotonic() - begun


async def served(kei: Kei) -> None:
    await kei.start("--no-import")
    await kei.ready()


async def publish(url: str, events: int) -> None:
    """Let members tell again and again of other capacities, many in a transaction."""
    log, ids = Database(url, name="test"), [uuid4() for _ in range(CLUSTERS)]
    for version in range(1, events // CLUSTERS + 1):
        async with log.transaction() as tx:
            for id in ids:
                change = CapacityChanged(
                    cluster_id=id, consortium_id=factories.CONSORTIUM, mentor_capacity=version % 100, learner_capacity=1
                )
                outbox.append(tx, change, version=version)
    await log.close()
