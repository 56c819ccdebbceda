"""The import contracts, and that each contract breaks at a forbidden import."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PROJECT = (_ROOT / "pyproject.toml").read_text()
CONTRACTS = {contract["id"] for contract in tomllib.loads(_PROJECT)["tool"]["importlinter"]["contracts"]}

_MARK = "=== next ==="
# One process for all, since it is the start that takes the time; not this one, which has the real packages loaded.
_LINT = f"""
import json, pathlib, sys
sys.path.insert(0, "")
from importlinter.cli import lint_imports
lint_imports(no_cache=True)
for file, imported, contract in json.load(sys.stdin):
    path = pathlib.Path(file)
    before = path.read_text()
    path.write_text(before + "import " + imported)
    print("{_MARK}", flush=True)
    lint_imports(no_cache=True, limit_to_contracts=(contract,))
    path.write_text(before)
"""

_SHARED = sorted(set(re.findall(r'"(shared\.\w+)"', _PROJECT)) | {"shared.errors"})
_ROOMS = (
    *("main", "settings", "metrics", "consumers", "tables"),
    *("routes.a", "jobs.a", "push.a", "commands.a", "queries.a"),
)
_CONSOLE_ROOMS = ("main", "settings", "pages.a", "request.a", "view.a", "api.a", "jobs.a")
_RULES = {
    "members": ("a",),
    "matching": ("engine.a", "inputs.a", "scoring.a", "mentoring.a", "planning.a", "explaining.a", "report"),
}

# For each room: the contract that forbids the web framework, the routes, the tables; None where the room may.
_BY_ROOM = {
    "settings": ("web-at-the-door", "settings-alone", "settings-alone"),
    "metrics": ("web-at-the-door", "rooms", "doors-and-rows"),
    "consumers": ("web-at-the-door", "rooms", "doors-and-rows"),
    "routes.a": (None, None, "doors-and-rows"),
    "jobs.a": ("web-at-the-door", "rooms", "doors-and-rows"),
    "push.a": ("web-at-the-door", "rooms", "doors-and-rows"),
    "commands.a": ("web-at-the-door", "rooms", None),
    "queries.a": ("web-at-the-door", "rooms", None),
    "tables": ("web-at-the-door", "rooms", None),
    "rules.a": ("web-at-the-door", "rooms", "rooms"),
    "main": (None, None, None),
}
_IN_EVERY_ROOM = [
    (f"services.members.{room}", imported, contract)
    for room, contracts in _BY_ROOM.items()
    for imported, contract in zip(
        ("fastapi", "services.members.routes.a", "services.members.tables"), contracts, strict=True
    )
    if contract is not None
]

# Module, what it may not import, and the contract that says so.
PLANTED = [
    *_IN_EVERY_ROOM,
    ("shared.db", "services.members.tables", "houses"),
    ("services.members.main", "deploy.cli", "houses"),
    ("services.members.commands.a", "services.matching.tables", "independent"),
    ("services.console.main", "services.members.queries.a", "independent"),
    ("services.members.routes.a", "services.members.jobs.a", "rooms"),
    ("services.members.queries.a", "services.members.commands.a", "rooms"),
    ("services.members.commands.a", "services.members.push.a", "rooms"),
    ("services.members.metrics", "services.members.jobs.a", "rooms"),
    ("services.console.request.a", "services.console.pages.a", "console-rooms"),
    ("services.console.view.a", "services.console.request.a", "console-rooms"),
    ("services.console.api.a", "services.console.request.a", "console-rooms"),
    ("services.console.api.a", "services.console.view.a", "console-rooms"),
    ("services.console.jobs.a", "services.console.api.a", "console-rooms"),
    ("services.console.pages.a", "services.console.settings", "console-rooms"),
    ("services.console.api.a", "fastapi", "web-at-the-door"),
    ("services.members.rules.a", "sqlalchemy", "pure-rules"),
    ("services.members.rules.a", "shared.events", "pure-rules"),
    ("services.members.rules.a", "shared.clock", "pure-rules"),
    ("services.matching.rules.inputs.a", "services.matching.rules.scoring.a", "matching-rules"),
    ("services.matching.rules.engine.a", "services.matching.rules.scoring.a", "matching-rules"),
    ("services.matching.rules.engine.a", "services.matching.rules.inputs.a", "matching-rules"),
    ("services.matching.rules.scoring.a", "services.matching.rules.planning.a", "matching-rules"),
    ("services.matching.rules.scoring.a", "services.matching.rules.mentoring.a", "matching-rules"),
    ("services.matching.rules.planning.a", "services.matching.rules.explaining.a", "matching-rules"),
    ("services.matching.rules.explaining.a", "services.matching.rules.report", "matching-rules"),
    ("services.members.consumers", "shared.web", "web-at-the-door"),
    ("services.members.push.a", "starlette", "web-at-the-door"),
    ("services.members.consumers", "faststream", "broker-in-the-transport"),
    ("services.members.main", "aiokafka", "broker-in-the-transport"),
    ("services.members.routes.a", "shared.outbox", "events-by-commands"),
    ("services.members.consumers", "shared.outbox", "events-by-commands"),
    ("services.members.consumers", "services.members.queries.a", "consumers-and-queries"),
    ("services.members.commands.a", "services.members.settings", "settings"),
    ("services.members.routes.a", "shared.settings", "settings"),
]

# The ways that the design wants, so that no contract is kept only because nothing is imported.
WANTED = [
    ("deploy.cli", "services.members.main"),
    ("services.members.main", "fastapi"),
    ("services.members.main", "services.members.settings"),
    ("services.members.main", "shared.outbox"),
    ("services.members.routes.a", "services.members.commands.a"),
    ("services.members.routes.a", "services.members.queries.a"),
    ("services.members.routes.a", "shared.web"),
    ("services.members.routes.a", "services.members.push.a"),
    ("services.members.push.a", "services.members.queries.a"),
    ("services.members.push.a", "shared.web"),
    ("services.members.jobs.a", "services.members.commands.a"),
    ("services.members.metrics", "services.members.queries.a"),
    ("services.members.settings", "services.members.jobs.a"),
    ("services.members.consumers", "services.members.commands.a"),
    ("services.members.consumers", "shared.inbox"),
    ("services.members.commands.a", "services.members.tables"),
    ("services.members.commands.a", "services.members.rules.a"),
    ("services.members.commands.a", "shared.outbox"),
    ("services.members.tables", "shared.outbox"),
    ("services.members.tables", "services.members.rules.a"),
    ("services.console.main", "services.console.pages.a"),
    ("services.console.pages.a", "services.console.request.a"),
    ("services.console.request.a", "services.console.view.a"),
    ("services.console.request.a", "fastapi"),
    ("services.console.view.a", "services.console.api.a"),
    ("services.console.settings", "services.console.jobs.a"),
    ("services.members.rules.a", "shared.errors"),
    ("services.matching.rules.report", "services.matching.rules.explaining.a"),
    ("services.matching.rules.explaining.a", "services.matching.rules.planning.a"),
    ("services.matching.rules.planning.a", "services.matching.rules.scoring.a"),
    ("services.matching.rules.planning.a", "services.matching.rules.engine.a"),
    ("services.matching.rules.scoring.a", "services.matching.rules.inputs.a"),
    ("services.members.settings", "shared.settings"),
    ("shared.runtime", "shared.settings"),
    ("shared.transport", "aiokafka"),
    ("shared.web", "fastapi"),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small tree of the same shape, with the project's own contracts."""
    root = tmp_path_factory.mktemp("house")
    shutil.copy(_ROOT / "pyproject.toml", root)
    rooms = [f"services.{service}.{room}" for service in _RULES for room in _ROOMS]
    rooms += [f"services.{service}.rules.{module}" for service, modules in _RULES.items() for module in modules]
    rooms += [f"services.console.{room}" for room in _CONSOLE_ROOMS]
    for name in [*_SHARED, *rooms, "deploy.cli"]:
        path = _file(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for folder in {path.parent for path in root.rglob("*.py")}:
        for package in (folder, *folder.parents):
            if package.is_relative_to(root) and package != root:
                (package / "__init__.py").touch()
    for importer, imported in WANTED:
        _add(root, importer, imported)
    return root


def _file(root: Path, module: str) -> Path:
    return root / (module.replace(".", "/") + ".py")


def _add(root: Path, importer: str, imported: str) -> None:
    with _file(root, importer).open("a") as file:
        file.write(f"import {imported}\n")


def _lint(root: Path, plants: list[list[str]]) -> list[str]:
    """The results of all contracts without a plant, then of each plant's contract with it."""
    command = [sys.executable, "-c", _LINT]
    done = subprocess.run(
        command, cwd=root, input=json.dumps(plants), capture_output=True, text=True, timeout=25, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(_MARK)


@pytest.fixture(scope="module")
def reports(house: Path) -> list[str]:
    return _lint(house, [[str(_file(house, importer)), imported, contract] for importer, imported, contract in PLANTED])


def test_contracts_hold_when_all_wanted_ways_are_used(reports: list[str]) -> None:
    assert f"{len(CONTRACTS)} kept, 0 broken" in reports[0]


@pytest.mark.parametrize("number", range(len(PLANTED)), ids=[" ".join(plant) for plant in PLANTED])
def test_a_contract_breaks_when_somebody_imports_what_they_may_not(number: int, reports: list[str]) -> None:
    importer, imported, _ = PLANTED[number]
    assert "0 kept, 1 broken" in reports[number + 1]
    assert importer in reports[number + 1]
    assert imported in reports[number + 1]


def test_every_room_is_tried() -> None:
    assert set(_BY_ROOM) == {*_ROOMS, "rules.a"}


def test_every_contract_is_tried() -> None:
    assert {contract for _, _, contract in PLANTED} == CONTRACTS
