"""Stops everything that a test run has started, also after Ctrl-C or a killed run."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress

import psutil

from tests.support import docker, kafka, postgres
from tests.support.run import Run

_MARK = "TESTS_OF_RUN"
"""Environment variable that every process of a run inherits. Tests remove the variables named KEI_…."""
_STOP_TIMEOUT = 10.0


def mark(run: Run) -> None:
    """Mark every process started from now on as part of the run."""
    os.environ[_MARK] = str(run.root)


def end(run: Run) -> None:
    """Stop and delete the run's brokers, PostgreSQL servers, containers, other processes and data."""
    try:
        postgres.end(run)
        kafka.end(run)
    finally:
        _end_processes(run)
        docker.remove_all(run)
        run.delete()


def processes(run: Run) -> list[psutil.Process]:
    """Running processes of the run, except this one and Python's resource trackers, which end after their owners."""
    leftovers = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            ours = process.environ().get(_MARK) == str(run.root) and process.pid != os.getpid()
            if ours and not any("multiprocessing.resource_tracker" in part for part in process.cmdline()):
                leftovers.append(process)
    return leftovers


def _end_processes(run: Run) -> None:
    """SIGQUIT for PostgreSQL, which then removes its shared memory; SIGKILL for the others."""
    every = processes(run)
    servers = [process for process in every if _is_postgres(process)]
    others = [process for process in every if process not in servers]
    _signal(others, signal.SIGKILL)
    _signal(servers, signal.SIGQUIT)
    _, alive = psutil.wait_procs(every, timeout=_STOP_TIMEOUT)
    _signal(alive, signal.SIGKILL)


def _is_postgres(process: psutil.Process) -> bool:
    try:
        return bool(process.name() == "postgres")
    except psutil.Error:
        return False


def _signal(targets: Sequence[psutil.Process], which: signal.Signals) -> None:
    for process in targets:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(which)
