"""One pytest run: a directory that all its worker processes share, in which each server is started once.

The process that began the run stops its servers. The next run cleans up after a run that was killed.
"""

import fcntl
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

Facts = dict[str, str]
"""Addresses and ids of a server, shared between the worker processes as JSON."""

_PREFIX = "kei-tests-"


class ServerError(Exception):
    """A server that tests need did not start."""


class Run:
    """The directory of a run. `name` is unique among the runs of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = root.name.removeprefix(_PREFIX)

    @classmethod
    def begin(cls) -> "Run":
        run = cls(Path(tempfile.mkdtemp(prefix=_PREFIX)))
        record_process(run.root / "owner", os.getpid())
        return run

    @classmethod
    def abandoned(cls) -> "Iterator[Run]":
        """Runs of this user whose process has ended without cleaning up."""
        for root in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            with suppress(OSError):
                if (
                    root.stat().st_uid == os.getuid()
                    and (root / "owner").exists()
                    and not recorded_process(root / "owner")
                ):
                    yield cls(root)

    def once(self, name: str, start: Callable[[], Facts]) -> Facts:
        """Call `start` in the first process that calls this; return its result, or raise its failure, in all of them.

        Raises:
            ServerError: `start` failed, here or in another process.
        """
        answer = self.root / f"{name}.json"
        with self._locked(name):
            if not answer.exists():
                try:
                    facts = start()
                except Exception as error:  # noqa: BLE001 - every process has to get the failure
                    facts = {"error": f"{type(error).__name__}: {error}"}
                answer.write_text(json.dumps(facts))
        facts = self.facts(name)
        if "error" in facts:
            raise ServerError(facts["error"])
        return facts

    def new_folder(self) -> Path:
        """A new folder. Unlike pytest's, other users may enter it: PostgreSQL does not run as root."""
        made = self.root / uuid.uuid4().hex[:8]
        made.mkdir()
        return made

    def facts(self, name: str) -> Facts:
        """The facts of a server; empty if it was not started."""
        try:
            known: Facts = json.loads((self.root / f"{name}.json").read_text())
        except FileNotFoundError:
            return {}
        return known

    def delete(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def record_process(file: Path, pid: int) -> None:
    """Write a process id with the start time, because process ids are reused."""
    file.write_text(f"{pid} {psutil.Process(pid).create_time()}")


def recorded_process(file: Path) -> psutil.Process | None:
    """The process recorded in `file` if it still runs."""
    with suppress(OSError, ValueError, psutil.NoSuchProcess):
        pid, began = file.read_text().split()
        process = psutil.Process(int(pid))
        if abs(process.create_time() - float(began)) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None
