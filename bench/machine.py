"""The machine and the versions of a run."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

PACKAGES = (
    "asyncpg",
    "sqlalchemy",
    "aiokafka",
    "faststream",
    "fastapi",
    "uvicorn",
    "uvloop",
    "confluent-kafka",
    "faststream-outbox",
)
_CODE = ("services", "shared", "deploy")
_POM = Path(__file__).parents[1] / "tests" / "support" / "kafka.pom.xml"


def describe_machine(postgres: str, sync_ms: float) -> list[str]:
    """Lines about the CPU, the disk, the servers and the libraries."""
    memory = psutil.virtual_memory().total / 2**30
    return [
        f"{os.cpu_count()} cores ({processor()}), {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"a synced write of 8 kB: {sync_ms:.2f} ms",
        f"Python {platform.python_version()}, PostgreSQL {postgres}, Apache Kafka {_kafka()} on {_java()}",
        ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    ]


def code() -> str:
    """The commit and the changed files, to detect a change during a run."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    root = str(_POM.parents[2])
    commit, changed = (
        subprocess.run([git, "-C", root, *words], capture_output=True, text=True, timeout=30, check=False).stdout  # noqa: S603  its path is from shutil.which
        for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--", *_CODE))
    )
    files = [line[3:] for line in changed.splitlines()]
    return commit.strip() + (f" with changes in {', '.join(files)}" if files else "")


def processor() -> str:
    """The name of the CPU."""
    try:
        match = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        match = None
    return match[1] if match else platform.machine()


def _kafka() -> str:
    match = re.search(r"<kafka>([\d.]+)</kafka>", _POM.read_text())
    return match[1] if match else "?"


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        return "no Java"
    output = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr  # noqa: S603  its path is from shutil.which
    match = re.search(r'version "([^"]+)"', output)
    return f"Java {match[1]}" if match else "Java"


class Busy:
    """CPU time taken by the host since this object was created."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def stolen(self) -> float:
        """The stolen share; 0 where the system does not report it."""
        now = psutil.cpu_times()
        total = sum(now) - sum(self._before)
        return float(getattr(now, "steal", 0.0) - getattr(self._before, "steal", 0.0)) / total if total else 0.0
