"""An obstacle to a start is reported in one sentence, and nothing is left half done."""

import socket
from pathlib import Path

import pytest

from tests.support.kei import Kei

pytestmark = pytest.mark.timeout(120)


async def refused(kei: Kei, *command: str) -> tuple[int, list[str]]:
    """Exit status and lines of a command that has to fail, without a stack trace."""
    status, output = await kei.run_command(*command)
    assert status != 0, output
    assert "Traceback" not in output
    return status, [line for line in output.splitlines() if not line.endswith("…")]


async def test_a_taken_port(kei: Kei) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", kei.port))
        taken.listen()
        _, (sentence,) = await refused(kei, "run")
    assert f"Port {kei.port} of 127.0.0.1 is in use" in sentence
    assert f"--port {kei.port + 1}" in sentence
    assert not kei.home.exists()


async def test_a_second_start_on_the_same_folder(kei: Kei) -> None:
    await kei.start("--no-import")
    await kei.ready()
    _, (sentence,) = await refused(kei, "run", "--port", str(kei.port - 1))
    assert sentence == f"Another Kei is running on {kei.home}. End it, or choose another KEI_DATA_DIR."
    assert await kei.stop() == 0


async def test_a_folder_that_cannot_be_made(kei: Kei, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kei.home = tmp_path / "file" / "kei"
    _, (sentence,) = await refused(kei, "run")
    assert sentence == f"Kei cannot write to its data directory {kei.home}: Not a directory."


async def test_a_broker_that_is_not_there(kei: Kei) -> None:
    kei.kafka = f"127.0.0.1:{kei.port - 1}"
    _, (sentence,) = await refused(kei, "run")
    assert sentence.startswith(f"Kafka at {kei.kafka} is not reached")


async def test_a_bad_story_names_every_fault_and_loads_nothing(kei: Kei, tmp_path: Path) -> None:
    story = tmp_path / "bad.yaml"
    story.write_text("story: bad\nconsortium: {slug: bad, name: Bad, programme: X, starts_on: soon}\nclusters: []\n")
    await kei.start("--no-import")
    await kei.ready()
    status, lines = await refused(kei, "import", str(story))
    assert status == 2
    assert lines[0] == "Nothing was loaded; 3 errors:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "line 2, consortium.ends_on",
        "line 2, consortium.starts_on",
        "line 3, clusters",
    ]
    async with kei.api() as api:
        assert await api.items("members", "/consortia") == []
    assert await kei.stop() == 0


async def test_a_kei_that_is_not_there(kei: Kei) -> None:
    _, (sentence,) = await refused(kei, "events", "tail", "members")
    assert sentence == f"There is no signing key in {kei.home}. Give --token, or --data-dir of a Kei that has run."
