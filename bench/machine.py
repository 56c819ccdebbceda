"""What a figure was measured on, and with what."""

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


def described(postgres: str, sync: float) -> list[str]:
    """The machine, its programs and its disk, a line each."""
    memory = psutil.virtual_memory().total / 2**30
    return [
        f"{os.cpu_count()} cores ({processor()}), {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"a write of 8 kB that waits for the disk: {sync:.2f} ms",
        f"Python {platform.python_version()}, PostgreSQL {postgres}, Apache Kafka {_kafka()} on {_java()}",
        ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    ]


def code() -> str:
    """The commit measured, and what differs from it, so that a change in the middle of a run can be seen."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    root = str(_POM.parents[2])
    commit, changed = (
        subprocess.run([git, "-C", root, *words], capture_output=True, text=True, timeout=30, check=False).stdout  # noqa: S603  found by PATH
        for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--", *_CODE))
    )
    files = [line[3:] for line in changed.splitlines()]
    return commit.strip() + (f" with changes in {', '.join(files)}" if files else "")


def processor() -> str:
    """Its name."""
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def _kafka() -> str:
    found = re.search(r"<kafka>([\d.]+)</kafka>", _POM.read_text())
    return found[1] if found else "?"


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        return "no Java"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr  # noqa: S603  found by PATH
    found = re.search(r'version "([^"]+)"', said)
    return f"Java {found[1]}" if found else "Java"


class Busy:
    """How much of the processors' time went elsewhere since this was made."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def stolen(self) -> float:
        """The share that the host took for others; 0 where the system does not tell."""
        now = psutil.cpu_times()
        total = sum(now) - sum(self._before)
        return float(getattr(now, "steal", 0.0) - getattr(self._before, "steal", 0.0)) / total if total else 0.0
