"""What a run leaves when it ends, and what it does without: also after Ctrl-C, and where images cannot be fetched."""

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import cleanup, docker, kafka
from tests.support.kafka_local import LocalBroker
from tests.support.run import Run


@pytest.fixture
def other_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("TESTS_OF_RUN", "")
    root = tmp_path / "kei-tests-other"
    root.mkdir()
    return Run(root)


def test_every_process_of_a_run_ends_with_it_and_no_other(other_run: Run) -> None:
    begin = {"args": ["sleep", "60"], "start_new_session": True}
    stranger = subprocess.Popen(**begin)  # type: ignore[call-overload]
    cleanup.mark(other_run)
    child = subprocess.Popen(**begin)  # type: ignore[call-overload]
    try:
        assert [process.pid for process in cleanup.processes(other_run)] == [child.pid]
        cleanup.end(other_run)
        assert child.poll() is not None
        assert stranger.poll() is None
        assert not other_run.root.exists()
    finally:
        for process in (stranger, child):
            process.kill()
            process.wait()


class NoImages(BaseHTTPRequestHandler):
    """A Docker engine that has no image and reaches no registry."""

    wbufsize = -1
    asked: list[str]

    def do_GET(self) -> None:
        here = self.path.endswith(("/_ping", "/version"))
        self._reply(200 if here else 404, b'{"ApiVersion": "1.44", "message": "no such image"}')

    def do_POST(self) -> None:
        self.asked.append(self.path)
        self._reply(500, b'{"message": "registry is not reached"}')

    def log_message(self, *_: object) -> None:
        pass

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    NoImages.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), NoImages) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        docker.available.cache_clear()
        yield NoImages.asked
        docker.available.cache_clear()
        server.shutdown()
        thread.join()


def test_an_image_that_cannot_be_fetched_is_asked_for_once_said_once_and_done_without(
    engine: list[str], other_run: Run
) -> None:
    assert docker.available()
    for process_of_the_run in (other_run, Run(other_run.root)):
        assert not docker.provides(process_of_the_run, docker.KAFKA_IMAGE)
        assert isinstance(kafka.new_broker(process_of_the_run), LocalBroker)
        line = docker.missing_images_line(process_of_the_run)
        assert line.startswith(f"Docker: no image {docker.KAFKA_IMAGE} (")
        assert "registry is not reached" in line
        assert "\n" not in line
    assert len(engine) == 1
