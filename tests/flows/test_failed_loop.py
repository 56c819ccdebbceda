"""A process that one of its loops has ended exits with an error, so that its supervisor restarts it."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.support.kei import ROOT, Kei

pytestmark = pytest.mark.timeout(120)

_LOOP_THAT_ENDS = """
from services.members.jobs import label_expiry

async def expire_labels(database):
    return

label_expiry.expire_labels = expire_labels
"""
_EMBEDDED = f"{_LOOP_THAT_ENDS}\nfrom deploy.cli import app; app(prog_name='kei')"
_ALONE = f"""{_LOOP_THAT_ENDS}
import os
from deploy.cli.common import in_loop, user_errors
from services.members.main import build
from shared import web
from shared.settings import Settings
from shared.transport.local import LocalTransport

settings = Settings(database_url=os.environ["URL"], issuer="i", audience="a", cursor_secret="c" * 32,
                    jwks_url="http://127.0.0.1:9/jwks.json")
with user_errors():
    in_loop(web.serve(build(settings, transport=LocalTransport()), "127.0.0.1", 0))
"""


async def _run(script: str, *arguments: str, **environment: str) -> tuple[int | None, str]:
    """Exit status and output of a script."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", script, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **environment},
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_a_service_exits_with_an_error(service_database: Callable[[str], Awaitable[str]]) -> None:
    status, output = await _run(_ALONE, URL=await service_database("members"))
    assert status == 1
    assert "The loop expire_labels ended; see the log." in output


async def test_the_embedded_mode_exits_with_an_error(kei: Kei, tmp_path: Path) -> None:
    arguments = ("run", "--no-import", "--data-dir", str(kei.home), "--port", str(kei.port))
    status, output = await _run(_EMBEDDED, *arguments, HOME=str(tmp_path))
    assert status == 1, output
    assert "The loop expire_labels ended; see the log." in output
