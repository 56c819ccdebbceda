"""A backup has every row and gives it back; what cannot be restored is refused, and nothing is changed then."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from deploy.backup.archive import Archive, BackupError, Manifest
from deploy.backup.create import back_up
from deploy.backup.restore import STAGING_SCHEMA, restore
from deploy.databases import SERVICES
from deploy.migrate import differences, upgrade
from shared import clock
from shared.db import Database
from shared.outbox import maintain_partitions
from shared.version import revisions
from tests.deploy import services_fixture
from tests.support import factories
from tests.support.kei import ROOT
from tests.support.waiting import eventually

Create = Callable[[str], Awaitable[str]]
Filled = Callable[[], Awaitable[dict[str, str]]]
pytestmark = pytest.mark.timeout(120)
NEXT = f"members_{len(revisions('members')) + 1:04}"
"""The first revision that is not there yet."""
_SEQUENCE = "SELECT nextval(pg_get_serial_sequence('outbox', 'seq')) > (SELECT max(seq) FROM outbox)"
_PARTITIONS = "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'outbox'::regclass ORDER BY 1"
_STEP = """
from alembic import op
revision, down_revision = "members_{number:04}", "members_{before:04}"
branch_labels = depends_on = None


def upgrade():
    op.execute("{statement}")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "one.kei"


async def take_backup(file: Path, urls: Mapping[str, str]) -> Manifest:
    return await back_up(file, urls, services_fixture.show_nothing)


async def restore_backup(
    file: Path, urls: Mapping[str, str], *, replace: bool = False, agrees: bool = True
) -> list[str]:
    """Restore; return the databases for which it asked whether to replace them."""
    asked: list[str] = []

    def agree(filled: Sequence[str]) -> bool:
        asked.extend(filled)
        return agrees

    with closing(Archive(file)) as archive:
        await restore(archive, urls, replace=replace, agree=agree, show=services_fixture.show_nothing)
    return asked


async def refuse_restore(file: Path, urls: Mapping[str, str], *, replace: bool = False, agrees: bool = True) -> str:
    """The message of a restore that is refused and changes nothing."""
    before = await services_fixture.rows_by_service(urls)
    with pytest.raises(BackupError) as refusal:
        await restore_backup(file, urls, replace=replace, agrees=agrees)
    assert await services_fixture.rows_by_service(urls) == before
    for url in urls.values():
        assert not await factories.rows(url, "SELECT FROM pg_namespace WHERE nspname = $1", STAGING_SCHEMA)
    return str(refusal.value)


async def test_every_row_is_there_again_and_every_sequence_goes_on(
    filled: Filled, service_database: Create, file: Path
) -> None:
    old = await filled()
    log = Database(old["members"], name="test")
    await maintain_partitions(log, clock.now())
    await log.close()
    manifest = await take_backup(file, old)
    new = await services_fixture.migrated_databases(service_database)
    assert await restore_backup(file, new) == []
    assert await services_fixture.rows_by_service(new) == await services_fixture.rows_by_service(old)
    for service, url in new.items():
        assert await differences(service, url) == []
        assert await services_fixture.value(url, _SEQUENCE) in {True, None}
        assert await factories.rows(url, _PARTITIONS) == await factories.rows(old[service], _PARTITIONS)
    again = await take_backup(file.with_name("two.kei"), new)
    assert {name: service.state for name, service in again.services.items()} == {
        name: service.state for name, service in manifest.services.items()
    }


async def test_the_whole_log_is_to_be_sent_again(filled: Filled, service_database: Create, file: Path) -> None:
    old = await filled()
    query = "SELECT assigned, sent, epoch, holder FROM outbox_relay"
    before = (await factories.rows(old["members"], query))[0]
    assert before["sent"] == before["assigned"] > 30
    await take_backup(file, old)
    new = await services_fixture.migrated_databases(service_database)
    await restore_backup(file, new)
    after = (await factories.rows(new["members"], query))[0]
    assert after == {"assigned": before["assigned"], "sent": 0, "epoch": before["epoch"] + 1, "holder": ""}
    async with services_fixture.running(new) as made:
        callers = made.callers()
        async with callers.calling():
            await eventually(lambda: len(callers.answered) > 10)
        await made.settled()
    positions = [
        row["position"] for row in await factories.rows(new["members"], "SELECT position FROM outbox ORDER BY 1")
    ]
    assert positions == list(range(1, len(positions) + 1))
    assert callers.refused == []


async def test_an_older_schema_is_restored_as_it_was_and_brought_up_to_date(
    filled: Filled, service_database: Create, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await filled(), await services_fixture.migrated_databases(service_database)
    await take_backup(file, old)
    before = await services_fixture.rows_by_service(old)
    plant(tmp_path, monkeypatch, "ALTER TABLE cluster ADD COLUMN motto text NOT NULL DEFAULT 'none'")
    await restore_backup(file, new)
    assert await services_fixture.value(new["members"], "SELECT version_num FROM alembic_version") == NEXT
    assert await services_fixture.value(
        new["members"], "SELECT count(*) FILTER (WHERE motto = 'none') FROM cluster"
    ) == len(before["members"]["cluster"])
    await upgrade("members", old["members"])
    assert await services_fixture.rows_by_service(new) == await services_fixture.rows_by_service(old)


async def test_a_table_that_somebody_has_added_is_left_out(
    filled: Filled, service_database: Create, file: Path
) -> None:
    old, new = await filled(), await services_fixture.migrated_databases(service_database)
    before = await services_fixture.rows_by_service(old)
    await services_fixture.run(
        old["members"], "CREATE TABLE mine (n int GENERATED ALWAYS AS IDENTITY)", "INSERT INTO mine DEFAULT VALUES"
    )
    await take_backup(file, old)
    assert await restore_backup(file, new) == []
    assert await services_fixture.rows_by_service(new) == before


async def test_a_newer_schema_is_refused(
    filled: Filled, service_database: Create, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await filled(), await services_fixture.migrated_databases(service_database)
    with monkeypatch.context() as later:
        plant(tmp_path, later, "ALTER TABLE cluster ADD COLUMN motto text")
        await upgrade("members", old["members"])
    await take_backup(file, old)
    assert f"members at {NEXT}, which this version does not know" in await refuse_restore(file, new)


async def test_a_migration_that_fails_leaves_what_was_there(
    filled: Filled, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = await filled(), await filled()
    await take_backup(file, old)
    plant(tmp_path, monkeypatch, "ALTER TABLE cluster ADD CONSTRAINT none_at_all CHECK (false)")
    message = await refuse_restore(file, new, replace=True)
    assert message.startswith('members could not be restored: check constraint "none_at_all" of relation "cluster"')


async def test_rows_are_removed_only_if_it_is_said_and_agreed(filled: Filled, file: Path) -> None:
    old, new = await filled(), await filled()
    await take_backup(file, old)
    assert "There are rows in members, trainings, matching, notifications." in await refuse_restore(file, new)
    assert await refuse_restore(file, new, replace=True, agrees=False) == "Nothing was changed."
    assert await restore_backup(file, new, replace=True) == list(SERVICES)
    assert await services_fixture.rows_by_service(new) == await services_fixture.rows_by_service(old)


async def test_one_service_alone_can_be_restored(filled: Filled, service_database: Create, file: Path) -> None:
    old, new = await filled(), await services_fixture.migrated_databases(service_database)
    await take_backup(file, old)
    await restore_backup(file, {"matching": new["matching"]})
    rows = await services_fixture.rows_by_service(new)
    assert rows["matching"] == (await services_fixture.rows_by_service(old))["matching"]
    assert not any(rows["members"].values())


async def test_a_database_that_is_used_is_refused(filled: Filled, service_database: Create, file: Path) -> None:
    old, new = await filled(), await services_fixture.migrated_databases(service_database)
    await take_backup(file, old)
    database = Database(new["trainings"], name="the trainings service")
    async with database.reading() as session:
        await session.connection()
        message = await refuse_restore(file, new)
    await database.close()
    assert "The database of trainings is in use by the trainings service" in message


async def test_another_services_database_is_refused(filled: Filled, service_database: Create, file: Path) -> None:
    old, new = await filled(), await services_fixture.migrated_databases(service_database)
    crossed = new | {"members": new["trainings"], "trainings": new["members"]}
    with pytest.raises(BackupError, match=r"The database that members was given is at trainings_\d+: it is another's"):
        await take_backup(file, crossed)
    assert not list(file.parent.glob(".*"))
    await take_backup(file, old)
    assert "it is another's" in await refuse_restore(file, crossed)


async def test_a_row_that_the_database_refuses_leaves_nothing(
    filled: Filled, service_database: Create, file: Path
) -> None:
    old, new = await filled(), await services_fixture.migrated_databases(service_database)
    await services_fixture.run(
        old["members"],
        "ALTER TABLE cluster DROP CONSTRAINT fk_cluster_consortium_id_consortium",
        "UPDATE cluster SET consortium_id = gen_random_uuid()",
    )
    await take_backup(file, old)
    message = await refuse_restore(file, new)
    assert message.startswith("members.cluster could not be written: insert or update on table")


def plant(folder: Path, monkeypatch: pytest.MonkeyPatch, *statements: str) -> None:
    """Give members migrations that are not there yet."""
    migrations = folder / "services" / "members" / "migrations"
    shutil.copytree(ROOT / "services", folder / "services", ignore=shutil.ignore_patterns("__*"))
    (folder / "deploy").symlink_to(ROOT / "deploy")
    newest = len(list(migrations.iterdir()))
    for number, statement in enumerate(statements, newest + 1):
        step = _STEP.format(number=number, before=number - 1, statement=statement)
        (migrations / f"{number:04}_planted.py").write_text(step)
    known = tuple(f"members_{number:04}" for number in range(newest + len(statements), 0, -1))
    monkeypatch.setattr("deploy.migrate._ROOT", folder)
    monkeypatch.setattr(
        "deploy.backup.restore.revisions", lambda service: known if service == "members" else revisions(service)
    )


async def test_migrations_and_new_months_meanwhile_tear_nothing(
    filled: Filled, service_database: Create, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls, first = await filled(), int(NEXT[-4:])
    plant(tmp_path, monkeypatch, *(f"ALTER TABLE cluster ADD COLUMN motto_{n} text" for n in range(4)))
    log = Database(urls["members"], name="test")
    files = [tmp_path / f"{number}.kei" for number in range(5)]

    async def months() -> None:
        for year in range(2040, 2044):
            await maintain_partitions(log, clock.now().replace(year=year))

    async def steps() -> None:
        for number in range(first, first + 4):
            await upgrade("members", urls["members"], f"members_{number:04}")

    async def copies() -> list[Manifest]:
        return [await take_backup(file, urls) for file in files]

    manifests, _, _ = await asyncio.gather(copies(), steps(), months())
    manifests.append(await take_backup(tmp_path / "last.kei", urls))
    await log.close()
    for manifest in manifests:
        held = manifest.services["members"]
        columns = next(table.columns for table in held.tables if table.table == "cluster")
        assert sum(name.startswith("motto") for name in columns) == int(held.revision[-4:]) - first + 1
    new = await services_fixture.migrated_databases(service_database)
    await restore_backup(tmp_path / "last.kei", new)
    assert await services_fixture.rows_by_service(new) == await services_fixture.rows_by_service(urls)
