"""One pytest run: a directory that all its processes share, in which each server is started once.

The process that began the run ends its servers. What a killed run left behind is ended by the next one.
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
"""What one process tells the others about a server: addresses, ids."""

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
    def left_behind(cls) -> "Iterator[Run]":
        """Runs of this user whose process is gone."""
        for root in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            with suppress(OSError):
                if (
                    root.stat().st_uid == os.getuid()
                    and (root / "owner").exists()
                    and not recorded_process(root / "owner")
                ):
                    yield cls(root)

    def once(self, name: str, start: Callable[[], Facts]) -> Facts:
        """Call `start` in the first process that asks, and give its answer (or its failure) to all.

        Raises:
            ServerError: `start` failed, here or in another process.
        """
        answer = self.root / f"{name}.json"
        with self._locked(name):
            if not answer.exists():
                try:
                    facts = start()
                except Exception as error:  # noqa: BLE001 - whatever it was, every process has to hear of it
                    facts = {"error": f"{type(error).__name__}: {error}"}
                answer.write_text(json.dumps(facts))
        facts = self.facts(name)
        if "error" in facts:
            raise ServerError(facts["error"])
        return facts

    def folder(self) -> Path:
        """A new folder. Unlike those of pytest, another user may enter it: PostgreSQL, which does not run as root."""
        made = self.root / uuid.uuid4().hex[:8]
        made.mkdir()
        return made

    def facts(self, name: str) -> Facts:
        """What is known of a server; empty if nobody started it."""
        try:
            known: Facts = json.loads((self.root / f"{name}.json").read_text())
        except FileNotFoundError:
            return {}
        return known

    def forget(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        with (self.root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def record_process(file: Path, pid: int) -> None:
    """Note a process with the time it began, because numbers are used again."""
    file.write_text(f"{pid} {psutil.Process(pid).create_time()}")


def recorded_process(file: Path) -> psutil.Process | None:
    """The process noted in `file` if it still runs."""
    with suppress(OSError, ValueError, psutil.NoSuchProcess):
        pid, began = file.read_text().split()
        found = psutil.Process(int(pid))
        if abs(found.create_time() - float(began)) < 1 and found.status() != psutil.STATUS_ZOMBIE:
            return found
    return None
