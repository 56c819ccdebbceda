"""Making a backup: the cut, and then table by table into the file."""

from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.backup import catalogue
from deploy.backup.archive import FORMAT, Held, Manifest, NotDone, Rows, Writer, writing
from deploy.backup.catalogue import Table, quoted
from deploy.backup.snapshot import AWAY, Side, cut, reason
from shared.version import version


async def back_up(path: Path, urls: Mapping[str, str], tell: Callable[[str], None]) -> Manifest:
    """Write the databases at `urls`, by service, into a new file, as they are at one moment.

    Needs some MiB of memory, however large they are.

    Raises:
        NotDone: nothing is left of the file.
    """
    with writing(path) as writer:
        async with cut(urls) as moment:
            services = {side.service: await _copied(side, writer, tell) for side in moment.sides}
        manifest = Manifest(
            format=FORMAT,
            version=version(),
            cut_at=moment.at,
            held_up=moment.held_up,
            services=services,
        )
        writer.close(manifest)
    return manifest


async def _copied(side: Side, writer: Writer, tell: Callable[[str], None]) -> Held:
    tell(f"Copying {side.service}")
    try:
        return Held(
            revision=side.revision,
            assigned=side.assigned,
            sent=side.sent,
            tables=[await _rows(side, table, writer) for table in side.tables],
            sequences=await catalogue.sequences(side.connection),
            months=await catalogue.months(side.connection),
        )
    except AWAY as error:
        raise NotDone(f"The database of {side.service} failed: {reason(error)}.") from error


async def _rows(side: Side, table: Table, writer: Writer) -> Rows:
    """Sorted, so that the same rows have the same sum wherever they are."""
    columns = ", ".join(map(quoted, table.columns))
    order = f" ORDER BY {', '.join(table.key)}" if table.key else ""
    query = f"SELECT {columns} FROM {quoted(table.name)}{order}"  # noqa: S608  names from the database itself, quoted
    with writer.member(side.service, table.name) as member:
        try:
            told = await side.connection.copy_from_query(query, output=member.write)
        except AWAY as error:
            raise NotDone(f"{side.service}.{table.name} could not be read: {reason(error)}.") from error
    rows = int(told.split()[1])
    return Rows(table=table.name, columns=table.columns, rows=rows, size=member.size, sha256=member.sha256)
