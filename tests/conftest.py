"""Servers for the tests that ask for one. They start before the first test, so that this counts against no time-out.

`database_url`, `service_database` and `postgres` give PostgreSQL; `kafka`, `topic`, `own_kafka` and `secured_kafka` a
broker.
"""

import multiprocessing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from shared import gc_tuning
from tests.faults.report import results
from tests.support import cleanup, docker
from tests.support import kafka as brokers
from tests.support import postgres as databases
from tests.support.kafka import Broker
from tests.support.kafka_secured import SecuredBroker
from tests.support.kernel import compile_kernel
from tests.support.postgres import Postgres
from tests.support.run import Run, ServerError

# How fast examples are drawn says more about the machine than about the code.
settings.register_profile("kei", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("kei")

_ROOT = Path(__file__).parents[1]
_RUN = pytest.StashKey[Run]()
_KAFKA_FIXTURES = {"kafka", "topic", "own_kafka"}


def pytest_configure(config: pytest.Config) -> None:
    theirs = getattr(config, "workerinput", None)
    if theirs is not None:
        config.stash[_RUN] = Run(Path(theirs["run"]))
        return
    for run in Run.abandoned():
        cleanup.end(run)
    run = config.stash[_RUN] = Run.begin()
    cleanup.mark(run)
    brokers.require_broker(run)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    node.workerinput["run"] = str(node.config.stash[_RUN].root)  # type: ignore[attr-defined] # xdist has no types


def pytest_sessionfinish() -> None:
    for solver in multiprocessing.active_children():  # Python would wait for the end of a plan that is being made
        solver.kill()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and _RUN in config.stash:
        cleanup.end(config.stash[_RUN])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if not _KAFKA_FIXTURES.isdisjoint(_fixtures(item)):
            item.add_marker(pytest.mark.kafka)
        if item.get_closest_marker("kafka"):
            reason = brokers.unavailable_reason(config.stash[_RUN], own="own_kafka" in _fixtures(item))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))
    items.sort(key=_time_limit, reverse=True)  # so that no worker is left alone with a long test at the end


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    gc_tuning.freeze_startup_objects()  # as the services do: a twelfth of the processor time of the console's tests
    run = session.config.stash[_RUN]
    items = [item for item in session.items if not item.get_closest_marker("skip")]
    used = {name for item in items for name in _fixtures(item)}
    marked = [item for item in items if item.get_closest_marker("kafka")]
    compile_kernel(run, (item.path.relative_to(_ROOT) for item in items))
    with suppress(ServerError):  # the fixtures raise it again, in each test that needs the server
        if "postgres" in used:
            databases.shared_server(run)
        if any("own_kafka" not in _fixtures(item) for item in marked):
            brokers.shared_broker(run)
        elif marked:
            brokers.download(run)


def _time_limit(item: pytest.Item) -> float:
    """Seconds; 0 if it has none but that of all tests."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker and marker.args else 0.0


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around all others, so that these are the last lines
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield
    run = terminalreporter.config.stash[_RUN]
    for line in results(run):
        terminalreporter.write_line(line)
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in sorted({brokers.skip_reason(report) for report in skipped} - {""}):
        names = [report.nodeid for report in skipped if brokers.skip_reason(report) == reason]
        lines = [*names, f"Kafka tests skipped: {len(names)} ({reason})"]
        terminalreporter.write_line("\n".join(lines), yellow=True, bold=True)
    for reason in sorted({docker.deployment_skip_reason(report) for report in skipped} - {""}):
        number = sum(docker.deployment_skip_reason(report) == reason for report in skipped)
        terminalreporter.write_line(f"Deployment tests skipped: {number} ({reason})", yellow=True, bold=True)
    if line := docker.missing_images_line(run):
        terminalreporter.write_line(line, yellow=True, bold=True)


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Run:
    return pytestconfig.stash[_RUN]


@pytest.fixture(scope="session")
def postgres(run: Run, worker_id: str) -> Postgres:
    return Postgres(run, worker_id, databases.shared_server(run))


@pytest.fixture
async def database_url(postgres: Postgres) -> AsyncIterator[str]:
    url = await postgres.create()
    yield url
    await postgres.drop(url)


@pytest.fixture
async def service_database(postgres: Postgres) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    urls: list[str] = []

    async def create(service: str) -> str:
        urls.append(await postgres.create_service(service))
        return urls[-1]

    yield create
    for url in urls:
        await postgres.drop(url)


@pytest.fixture(scope="session")
def kafka(run: Run) -> str:
    return brokers.shared_broker(run)


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    async with brokers.Topics(kafka) as topics:
        yield topics.create


@pytest.fixture
async def own_kafka(run: Run) -> AsyncIterator[Callable[..., Awaitable[Broker]]]:
    started: list[Broker] = []

    async def create(properties: dict[str, str] | None = None, advertised: str = "") -> Broker:
        started.append(brokers.new_broker(run))
        await started[-1].start(properties, advertised)
        return started[-1]

    yield create
    for broker in started:
        await broker.end()


@pytest.fixture
async def secured_kafka(run: Run, own_kafka: object) -> AsyncIterator[SecuredBroker]:
    """One that obeys access rules. It is a test's own, so it is had, or wanting, as `own_kafka` is."""
    del own_kafka
    broker = brokers.new_secured_broker(run)
    await broker.start()
    yield broker
    await broker.end()
