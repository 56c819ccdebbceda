"""Each command of `kei` imports what it needs and no more: a start of the process costs half a second, not two."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.cli.lazy_group import COMMANDS
from tests.support.kei import ROOT

_SLOW = ("aiokafka", "alembic", "deploy.sample_data", "faststream", "kafka", "numpy", "services", "uvicorn", "yaml")
_IMPORTED = f"""
import sys
from deploy.cli import app
app(["token", "--help"], standalone_mode=False)
print("imported:", [name for name in {_SLOW} if name in sys.modules])
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_called_by_its_name(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"], prog_name="kei")
    assert result.exit_code == 0
    assert f"Usage: kei {name} " in result.output


def test_help_lists_every_command_in_order() -> None:
    lines = CliRunner().invoke(app, ["--help"]).output.partition("Commands")[2].splitlines()
    first_words = [line.strip("│ ").partition(" ")[0] for line in lines if line.startswith("│ ")]
    assert [word for word in first_words if word in COMMANDS] == list(COMMANDS)


def test_a_misspelt_command_gets_a_suggestion() -> None:
    result = CliRunner().invoke(app, ["statsu"])
    assert result.exit_code == 2
    assert "Did you mean 'status'?" in result.output


def test_a_command_does_not_import_what_others_need() -> None:
    command = [sys.executable, "-P", "-c", _IMPORTED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"
