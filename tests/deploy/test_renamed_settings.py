"""A setting under its old name ends every command, with the new name."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.renamed_settings import RENAMED

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*RENAMED, "KEI_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
@pytest.mark.parametrize("command", ["serve members", "serve console", "migrate", "status"])
def test_a_command_refuses_an_old_name_and_names_the_new_one(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str, command: str
) -> None:
    monkeypatch.setenv(old, "a value")
    result = CliRunner().invoke(app, command.split())
    assert (result.exit_code, result.output) == (1, f"{old} is now {new}: rename it.\n")


def test_a_secret_file_with_an_old_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kei_jwks").write_text("https://issuer.example/jwks.json")
    monkeypatch.setenv("KEI_SECRETS_DIR", str(tmp_path))
    result = CliRunner().invoke(app, ["migrate"])
    assert (result.exit_code, result.output) == (1, "KEI_JWKS is now KEI_JWKS_URL: rename it.\n")


def test_an_empty_old_name_counts_as_unset_and_help_needs_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEI_HOME", "")
    assert "rename" not in CliRunner().invoke(app, ["migrate"]).output
    monkeypatch.setenv("KEI_HOME", "a value")
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0


def test_nothing_of_the_deployment_uses_an_old_name() -> None:
    files = [ROOT / name for name in ("docker-compose.yml", "Makefile", "docs/operations.md", "docs/backup.md")]
    files += [file for file in (ROOT / "deploy").rglob("*") if file.suffix in {".sh", ".py", ".yml"}]
    pattern = re.compile(rf"\b({'|'.join(RENAMED)})\b")
    leftovers = {
        file.name: names
        for file in files
        if (names := pattern.findall(re.sub(r"KEI_\w+ is now", "", file.read_text())))
        if file.stem != "renamed_settings"
    }
    assert leftovers == {}
