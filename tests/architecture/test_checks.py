"""The rules of the house hold here, and each of them finds what it is there to find."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.architecture import checks

_ROOT = Path(__file__).parents[2]
_LONG = "\n" * 301
_LONG_FUNCTION = "def f() -> None:\n" + "    print()\n" * 40
_DOT, _SLASH = ".", "/"  # what is planted must not stand in this file


class Check(Protocol):
    __name__: str

    def __call__(self, root: Path) -> Iterator[str]: ...


PLANTED: list[tuple[Check, str, str]] = [
    (checks.too_long_files, "shared/long.py", _LONG),
    (checks.too_long_files, "services/console/templates/long.html", _LONG),
    (checks.too_long_files, "services/console/static/long.css", _LONG),
    (checks.too_long_functions, "shared/long.py", _LONG_FUNCTION),
    (checks.too_long_functions, "tests/flows/test_long.py", "async " + _LONG_FUNCTION),
    (checks.commits_in_services, "services/members/commands/c.py", "async def c(tx):\n    await tx.commit()\n"),
    (checks.habit_words, "shared/c.py", "one = 1\n"),
    (checks.habit_words, "shared/c.py", "def told() -> None: ...\n"),
    (checks.habit_words, "shared/c.py", "async def f(*, who: str) -> None: ...\n"),
    (checks.habit_words, "shared/c.py", "class Situation: ...\n"),
    (checks.habit_words, "shared/c.py", "class A:\n    def __init__(self) -> None:\n        self._laid = 0\n"),
    (checks.habit_words, "services/members/rules/c.py", "print([two for two in range(3)])\n"),
    (checks.habit_words, "deploy/c.py", "import os as whoever\n"),
    (checks.habit_words, "deploy/c.py", "try: ...\nexcept OSError as telling: ...\n"),
    (checks.modules_outside_rooms, "services/members/helpers.py", ""),
    (checks.modules_outside_rooms, "services/members/pages/a.py", ""),
    (checks.modules_outside_rooms, "services/console/tables.py", ""),
    (checks.modules_outside_rooms, "services/members/__init__.py", "from shared import clock\n"),
    (checks.imports_of_migrations, "services/members/migrations/0001_a.py", "from services.members import tables\n"),
    (checks.imports_of_migrations, "services/members/migrations/0001_a.py", "import shared.db\n"),
    (checks.tests_that_documents_invent, "docs/d.md", "— F1, `tests/faults/test_none.py`\n"),
    (checks.sleeps_in_tests, "tests/flows/test_s.py", "import asyncio\nasync def f():\n    await asyncio.sleep(1)\n"),
    (checks.sleeps_in_tests, "tests/flows/test_s.py", "from time import sleep\n"),
    (checks.sleeps_in_tests, "tests/browser/test_s.py", "def f(page):\n    page.wait_for_timeout(100)\n"),
    (checks.places_of_a_machine, "docs/d.md", f"see {_SLASH}root/kei"),
    (checks.places_of_a_machine, "Makefile", f"A = {_SLASH}home/anna/kei"),
    (checks.places_of_a_machine, "deploy/d.py", f'A = r"C:{chr(92)}Users"\n'),
    (checks.registries, "requirements/run.lock", f"--find-links https://files.pythonhosted{_DOT}org/x\n"),
    (checks.ignores_without_reason, "pyproject.toml", '[tool.ruff.lint]\nignore = [\n  "D100",\n]\n'),
]

ALLOWED: list[tuple[Check, str, str]] = [
    (checks.too_long_files, "shared/full.py", "\n" * 300),
    (checks.too_long_files, "docs/long.md", _LONG),
    (checks.commits_in_services, "shared/db.py", "async def c(tx):\n    await tx.commit()\n"),
    (checks.habit_words, "shared/c.py", "row = session.scalars(query).one()\nnone_or_one = 'one told two'\n"),
    (checks.modules_outside_rooms, "services/__init__.py", ""),
    (checks.modules_outside_rooms, "services/members/jobs/label_expiry.py", "import shared.clock\n"),
    (
        checks.imports_of_migrations,
        "services/members/migrations/0001_a.py",
        "import sqlalchemy as sa\nsa.Column(sa.Text)\n",
    ),
    (checks.sleeps_in_tests, "tests/support/waiting.py", "import asyncio\nasyncio.sleep(1)\n"),
    (checks.places_of_a_machine, "docs/d.md", f"https://example.org{_SLASH}work/programme"),
    (checks.ignores_without_reason, "pyproject.toml", '[tool.ruff.lint]\nignore = [\n  "D100",  # why\n]\n'),
]

CHECKS = list(dict.fromkeys(check for check, _, _ in PLANTED))


def _names(cases: list[tuple[Check, str, str]]) -> list[str]:
    return [f"{check.__name__}-{number}" for number, (check, _, _) in enumerate(cases)]


def _plant(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="module", autouse=True)
def _forget_syntax_trees() -> Iterator[None]:
    yield
    checks.syntax_nodes.cache_clear()


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_the_rule_holds_in_this_tree(check: Check) -> None:
    assert list(check(_ROOT)) == []


@pytest.mark.parametrize(("check", "name", "text"), PLANTED, ids=_names(PLANTED))
def test_the_rule_finds_what_is_planted(check: Check, name: str, text: str, tmp_path: Path) -> None:
    _plant(tmp_path, name, text)
    findings = list(check(tmp_path))
    assert findings
    assert all(line.startswith(name) for line in findings)


@pytest.mark.parametrize(("check", "name", "text"), ALLOWED, ids=_names(ALLOWED))
def test_the_rule_leaves_alone_what_is_allowed(check: Check, name: str, text: str, tmp_path: Path) -> None:
    _plant(tmp_path, name, text)
    assert list(check(tmp_path)) == []


def test_files_that_git_ignores_are_not_looked_at() -> None:
    assert not [path for path in checks.tracked(_ROOT) if ".venv" in path.parts]
