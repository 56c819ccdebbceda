"""The file: a zip archive with the rows of each table as COPY's text, and a manifest with the sums of them.

Other tools can open it, and psql can read its members. It has its name only when it is whole.
"""

import fcntl
import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from pydantic import BaseModel

from deploy.backup.catalogue import RELAY_TABLE, LogPartition, Sequence

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK = 256 * 1024
_COMPRESSION_LEVEL = 1
"""Of compression: the next ones take three times as long for a tenth less."""
_DAMAGE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    ValueError,
    RuntimeError,
    OSError,
)
"""What reading a damaged zip archive may raise."""


class BackupError(Exception):
    """A backup was not made, or cannot be restored; the text is a sentence for whoever asked for it."""


class TableContent(BaseModel, frozen=True):
    """The rows of a table: how many, and the size (bytes) and sum of what the file has of them, uncompressed."""

    table: str
    columns: list[str]
    rows: int
    size: int
    sha256: str


class DatabaseContent(BaseModel, frozen=True):
    """A service's database: `assigned` and `sent` are how far its relay was; tables that others refer to are first."""

    revision: str
    assigned: int
    sent: int
    tables: list[TableContent]
    sequences: list[Sequence]
    months: list[LogPartition]

    @property
    def state(self) -> str:
        """SHA-256 of all rows but the relay's: the same for the same rows, wherever they are."""
        sums = sorted(f"{one.table} {one.sha256}" for one in self.tables if one.table != RELAY_TABLE)
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()


class _ManifestHead(BaseModel, frozen=True):
    """What a manifest of any format tells."""

    format: int
    version: str


class Manifest(_ManifestHead, frozen=True):
    """What a file holds. `version` is that of Kei; `held_up` is for how long nobody could commit, in seconds."""

    cut_at: datetime
    held_up: float
    services: dict[str, DatabaseContent]


class TableWriter:
    """A member of an archive that is being written."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file, self._digest = path, file, hashlib.sha256()
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Add bytes."""
        self._digest.update(data)
        self.size += len(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise _write_error(self._path, error) from error

    @property
    def sha256(self) -> str:
        """The sum of what was written."""
        return self._digest.hexdigest()


class ArchiveWriter:
    """An archive that is being written."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self._path, self._file = path, file

    @contextmanager
    def member(self, service: str, table: str) -> Iterator[TableWriter]:
        """The place for the rows of a table."""
        try:
            with self._file.open(_member_name(service, table), "w", force_zip64=True) as inside:
                yield TableWriter(self._path, inside)
        except OSError as error:  # the end of a member is written when it is closed
            raise _write_error(self._path, error) from error

    def close(self, manifest: Manifest) -> None:
        """Write what the file holds; nothing may follow."""
        self._file.writestr(MANIFEST, manifest.model_dump_json(indent=1))


@contextmanager
def new_archive(path: Path) -> Iterator[ArchiveWriter]:
    """A new file, which has its name when the block has ended well. Until then it is beside it, as `.NAME.partial`.

    Raises:
        NotDone: there is such a file, somebody else is writing it, or it cannot be written.
    """
    aside = path.with_name(f".{path.name}.partial")
    try:
        with _partial_file(path, aside) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as inside:
                yield ArchiveWriter(path, inside)
            file.flush()
            os.fsync(file.fileno())
            aside.rename(path)
        _sync_folder(path)
    except FileExistsError as error:
        raise BackupError(f"{path} is there already; a backup is never written over.") from error
    except OSError as error:
        raise _write_error(path, error) from error


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _partial_file(path: Path, aside: Path) -> Iterator[IO[bytes]]:
    """The file beside, ours alone. One that a killed process has left is used again."""
    if path.exists():
        raise FileExistsError
    with os.fdopen(os.open(aside, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"Another backup is being written to {path}.") from error
        if path.exists():  # whoever had it has just given this very file its name
            raise FileExistsError
        file.truncate(0)
        try:
            yield file
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def _write_error(path: Path, error: OSError) -> BackupError:
    return BackupError(f"{path} could not be written: {error.strerror or error}. Nothing is left of it.")


def _member_name(service: str, table: str) -> str:
    return f"{service}/{table}.copy"


class Archive:
    """A file that was written, read wholly and found as it was written.

    Raises:
        NotDone: it cannot be read, is no backup, is damaged, or is of a later format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            raise BackupError(f"{path} cannot be read: {error.strerror}.") from error
        except _DAMAGE_ERRORS as error:
            raise self._damaged("it is no backup, or its end is missing") from error
        try:
            with self._file.open(MANIFEST) as inside:
                told = inside.read()
            made_by = _ManifestHead.model_validate_json(told)
            if made_by.format > FORMAT:
                raise BackupError(f"{path} is of a format that this version does not know: it is by {made_by.version}.")
            self.manifest = Manifest.model_validate_json(told)
        except _DAMAGE_ERRORS as error:
            raise self._damaged("its manifest cannot be read") from error
        self._verify()

    def _verify(self) -> None:
        wanted = [
            _member_name(service, one.table) for service, held in self.manifest.services.items() for one in held.tables
        ]
        if sorted([*wanted, MANIFEST]) != sorted(self._file.namelist()):
            raise self._damaged("it has other members than its manifest names")
        for service, held in self.manifest.services.items():
            for rows in held.tables:
                digest, size, lines = hashlib.sha256(), 0, 0
                for chunk in self.chunks(service, rows.table):
                    digest.update(chunk)
                    size += len(chunk)
                    lines += chunk.count(b"\n")
                if (digest.hexdigest(), size, lines) != (rows.sha256, rows.size, rows.rows):
                    raise self._damaged(f"{service}.{rows.table} is not as it was written")

    def chunks(self, service: str, table: str) -> Iterator[bytes]:
        """The rows of a table, in pieces.

        Raises:
            NotDone: they cannot be read.
        """
        try:
            with self._file.open(_member_name(service, table)) as inside:
                while chunk := inside.read(CHUNK):
                    yield chunk
        except _DAMAGE_ERRORS as error:
            raise self._damaged(f"{service}.{table} cannot be read") from error

    def close(self) -> None:
        """Read no more."""
        self._file.close()

    def _damaged(self, what: str) -> BackupError:
        return BackupError(f"{self.path} is damaged: {what}.")
