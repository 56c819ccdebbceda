"""The backup file: a zip archive with the rows of each table as text of COPY, and a manifest with their sums.

psql can read its members. The file gets its name only when it is complete.
"""

import fcntl
import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import BaseModel

from deploy.backup.catalogue import RELAY_TABLE, LogPartition, Sequence
from shared.dates import Time

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK = 256 * 1024
_COMPRESSION_LEVEL = 1
"""Of zlib: level 2 and above take three times as long for files a tenth smaller."""
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
"""Errors that a damaged zip archive can raise."""


class BackupError(Exception):
    """A backup was not created, or cannot be restored; the text is a message for the operator."""


class TableContent(BaseModel, frozen=True):
    """The rows of a table: their number, and the size in bytes and sum of their uncompressed text."""

    table: str
    columns: list[str]
    rows: int
    size: int
    sha256: str


class DatabaseContent(BaseModel, frozen=True):
    """A service's database: `assigned` and `sent` are positions of its relay; referenced tables come first."""

    revision: str
    assigned: int
    sent: int
    tables: list[TableContent]
    sequences: list[Sequence]
    months: list[LogPartition]

    @property
    def state(self) -> str:
        """SHA-256 of all rows except the relay's: equal for equal rows."""
        sums = sorted(f"{table.table} {table.sha256}" for table in self.tables if table.table != RELAY_TABLE)
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()


class _ManifestHead(BaseModel, frozen=True):
    """The part of a manifest that every format has."""

    format: int
    version: str


class Manifest(_ManifestHead, frozen=True):
    """The content of a backup. `version`: of Kei; `held_up`: the longest time without commits, in seconds."""

    cut_at: Time
    held_up: float
    services: dict[str, DatabaseContent]


class TableWriter:
    """Writes the member of a table."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file, self._digest = path, file, hashlib.sha256()
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Append bytes."""
        self._digest.update(data)
        self.size += len(data)
        try:
            self._file.write(data)
        except OSError as error:
            raise _write_error(self._path, error) from error

    @property
    def sha256(self) -> str:
        """The sum of the written bytes."""
        return self._digest.hexdigest()


class ArchiveWriter:
    """Writes an archive."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self._path, self._file = path, file

    @contextmanager
    def member(self, service: str, table: str) -> Iterator[TableWriter]:
        """A new member for the rows of a table."""
        try:
            with self._file.open(_member_name(service, table), "w", force_zip64=True) as inside:
                yield TableWriter(self._path, inside)
        except OSError as error:  # closing a member writes its end
            raise _write_error(self._path, error) from error

    def close(self, manifest: Manifest) -> None:
        """Write the manifest, the last member."""
        self._file.writestr(MANIFEST, manifest.model_dump_json(indent=1))


@contextmanager
def new_archive(path: Path) -> Iterator[ArchiveWriter]:
    """A new file. It is named `.NAME.partial` until the block has ended without an error.

    Raises:
        BackupError: the file exists, another process writes it, or it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with _partial_file(path, partial) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as inside:
                yield ArchiveWriter(path, inside)
            file.flush()
            os.fsync(file.fileno())
            partial.rename(path)
        _sync_folder(path)
    except FileExistsError as error:
        raise BackupError(f"{path} exists already; a backup is never overwritten.") from error
    except OSError as error:
        raise _write_error(path, error) from error


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _partial_file(path: Path, partial: Path) -> Iterator[IO[bytes]]:
    """The locked partial file. One that a killed process has left is used again."""
    if path.exists():
        raise FileExistsError
    with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupError(f"Another backup is being written to {path}.") from error
        if path.exists():  # the process that held the lock has just renamed this file
            raise FileExistsError
        file.truncate(0)
        try:
            yield file
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _write_error(path: Path, error: OSError) -> BackupError:
    return BackupError(f"{path} could not be written: {error.strerror or error}. The incomplete file was removed.")


def _member_name(service: str, table: str) -> str:
    return f"{service}/{table}.copy"


class Archive:
    """A backup file that was read completely and compared with its sums.

    Raises:
        BackupError: it cannot be read, is not a backup, is damaged, or has a later format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            raise BackupError(f"{path} cannot be read: {error.strerror}.") from error
        except _DAMAGE_ERRORS as error:
            raise self._damaged("it is not a backup, or its end is missing") from error
        try:
            with self._file.open(MANIFEST) as inside:
                text = inside.read()
            head = _ManifestHead.model_validate_json(text)
            if head.format > FORMAT:
                raise BackupError(f"{path} has a format that this version does not know: it is by {head.version}.")
            self.manifest = Manifest.model_validate_json(text)
        except _DAMAGE_ERRORS as error:
            raise self._damaged("its manifest cannot be read") from error
        self._verify()

    def _verify(self) -> None:
        expected = [
            _member_name(service, rows.table)
            for service, content in self.manifest.services.items()
            for rows in content.tables
        ]
        if sorted([*expected, MANIFEST]) != sorted(self._file.namelist()):
            raise self._damaged("it has other members than its manifest names")
        for service, content in self.manifest.services.items():
            for rows in content.tables:
                digest, size, lines = hashlib.sha256(), 0, 0
                for chunk in self.chunks(service, rows.table):
                    digest.update(chunk)
                    size += len(chunk)
                    lines += chunk.count(b"\n")
                if (digest.hexdigest(), size, lines) != (rows.sha256, rows.size, rows.rows):
                    raise self._damaged(f"{service}.{rows.table} is not as it was written")

    def chunks(self, service: str, table: str) -> Iterator[bytes]:
        """The text of a table's rows, in chunks.

        Raises:
            BackupError: it cannot be read.
        """
        try:
            with self._file.open(_member_name(service, table)) as inside:
                while chunk := inside.read(CHUNK):
                    yield chunk
        except _DAMAGE_ERRORS as error:
            raise self._damaged(f"{service}.{table} cannot be read") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _damaged(self, reason: str) -> BackupError:
        return BackupError(f"{self.path} is damaged: {reason}.")
