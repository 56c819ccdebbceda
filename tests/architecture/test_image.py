"""The image contains all code: nothing that is imported is excluded from the build."""

from fnmatch import fnmatch
from pathlib import Path

from tests.architecture.checks import tracked

_ROOT = Path(__file__).parents[2]


def excluded(root: Path) -> list[str]:
    """The modules of shared, services and deploy that .dockerignore keeps out of the image."""
    rules = [line for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines() if line]
    patterns = [rule for rule in rules if not rule.startswith("!") and rule != "*"]
    modules = [
        path for path in tracked(root) if path.suffix == ".py" and path.parts[0] in {"shared", "services", "deploy"}
    ]
    return [
        str(path)
        for path in modules
        if any(fnmatch(str(part), pattern) for part in (path, *path.parents) for pattern in patterns)
    ]


def test_every_module_is_in_the_image() -> None:
    assert excluded(_ROOT) == []


def test_an_excluded_module_is_found(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("*\n!deploy\ndeploy/kafka\n")
    (tmp_path / "deploy/kafka").mkdir(parents=True)
    (tmp_path / "deploy/kafka/topics.py").touch()
    (tmp_path / "deploy/app.py").touch()
    assert excluded(tmp_path) == ["deploy/kafka/topics.py"]
