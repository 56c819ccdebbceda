"""The tutorial's patches apply to this tree, and its event, page and score term pass the tests that it names."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.checks import tracked
from tests.support.postgres import Postgres

_ROOT = Path(__file__).parents[2]
_SECTIONS = (_ROOT / "docs/tutorial.md").read_text(encoding="utf-8").split("\n## ")[1:]
_PATCH = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TESTS = re.compile(r"^make test ARGS='?([^'\n]+)'?$", re.MULTILINE)


def section(title: str) -> str:
    (text,) = [text for text in _SECTIONS if title in text.partition("\n")[0]]
    return text


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what Git tracks."""
    copy = tmp_path_factory.mktemp("kei")
    for path in tracked(_ROOT):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_ROOT / path, copy / path)
    return copy


def apply(tree: Path, text: str, *options: str) -> None:
    patches = _PATCH.findall(text)
    assert patches
    for patch in patches:
        subprocess.run(["git", "apply", *options, "-"], cwd=tree, input=patch, text=True, check=True)


def run(tree: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tree,
        env=os.environ | environment | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_patch_of_the_rule_applies(tree: Path) -> None:
    apply(tree, section("Change a rule"), "--check")


@pytest.mark.timeout(300)
@pytest.mark.long
def test_the_event_the_page_and_the_term_pass_their_tests(tree: Path, postgres: Postgres) -> None:
    for title in ("Add an event", "Add a page", "Add a score term"):
        apply(tree, section(title))
    run(tree, "deploy.generate_docs")
    paths = [path for text in _SECTIONS[2:] for tests in _TESTS.findall(text) for path in tests.split()]
    assert "tests/services/members/test_target_reached.py" in paths
    out = run(tree, "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", *paths, KEI_TEST_POSTGRES=postgres.url)
    assert "passed" in out
