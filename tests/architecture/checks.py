"""The house rules that no linter knows, as functions from the root of a tree to what is wrong in it."""

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

MAX_FILE = 300
MAX_FUNCTION = 40

_WAITING = "tests/support/waiting.py"
_NO_SOURCE = {".git", ".venv", ".cache", ".kei", "__pycache__"}

_SLEEPS = {"anyio.sleep", "asyncio.sleep", "time.sleep"}

ROOMS = frozenset(
    [
        "main",
        "settings",
        "metrics",
        "routes",
        "consumers",
        "jobs",
        "push",
        "commands",
        "queries",
        "tables",
        "rules",
        "migrations",
    ]
)
CONSOLE_ROOMS = frozenset(["main", "settings", "jobs", "api", "request", "view", "pages"])
_MIGRATIONS_IMPORT = {"__future__", "alembic", "shared.messaging_tables", "sqlalchemy", "typing", "uuid"}

_HABIT_WORDS = frozenset(
    [
        "anew",
        "beside",
        "found",
        "kept",
        "laid",
        "making",
        "one",
        "said",
        "situation",
        "telling",
        "told",
        "two",
        "who",
        "whoever",
        "worths",
    ]
)

_PLACES = re.compile(r"(?<![\w.~/-])/(?:root|work|farm)/|(?<![\w.~/-])/home/[a-z]|[A-Z]:\\+Users")
# In pieces, so that this file obeys its own rule.
_REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
        ("unpkg", "com"),
        ("jsdelivr", "net"),
    )
)


def too_long_files(root: Path) -> Iterator[str]:
    for path in tracked(root):
        if path.suffix in {".py", ".html", ".css"}:
            lines = _text(root / path).count("\n")
            if lines > MAX_FILE:
                yield f"{path}: {lines} lines, at most {MAX_FILE}"


def habit_words(root: Path) -> Iterator[str]:
    """Names that nobody can search for; docs/glossary.md has the terms."""
    for path, nodes in modules(root, ""):
        for line, name in _defined(nodes):
            if name.strip("_").lower() in _HABIT_WORDS:
                yield f"{path}:{line}: {name} says nothing; name the thing"


def _defined(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    """Each name that the module gives to a variable, parameter, attribute, function, class or import."""
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield node.lineno, name


def too_long_functions(root: Path) -> Iterator[str]:
    for path, nodes in modules(root, ""):
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION:
                    yield f"{path}:{node.lineno}: {node.name} has {lines} lines, at most {MAX_FUNCTION}"


def commits_in_services(root: Path) -> Iterator[str]:
    for path, nodes in modules(root, "services"):
        for node in nodes:
            if isinstance(node, ast.Attribute) and node.attr == "commit":
                yield f"{path}:{node.lineno}: the door that opened the transaction commits it"


def modules_outside_rooms(root: Path) -> Iterator[str]:
    """A contract guards rooms: a module outside of them could import anything."""
    for path, nodes in modules(root, "services"):
        if len(path.parts) < 3:
            continue
        _, service, room, *_ = path.with_suffix("").parts
        if room == "__init__":
            for node in nodes:
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield f"{path}:{node.lineno}: a plate imports nothing"
        elif room not in (CONSOLE_ROOMS if service == "console" else ROOMS):
            yield f"{path}: {room} is no room of {service}"


def imports_of_migrations(root: Path) -> Iterator[str]:
    """Import contracts do not see migrations: they are loaded by path, not as modules."""
    for path, nodes in modules(root, "services"):
        if "migrations" in path.parts:
            for line, name in _names(nodes):
                module = name.rpartition(".")[0]  # empty for an attribute of an expression
                if module and not any(f"{module}.".startswith(f"{known}.") for known in _MIGRATIONS_IMPORT):
                    yield f"{path}:{line}: {name}; migrations depend on no code that changes"


def tests_that_documents_invent(root: Path) -> Iterator[str]:
    for path in tracked(root):
        if path.suffix == ".md":
            for number, line in enumerate(_text(root / path).splitlines(), 1):
                for name in re.findall(r"`(tests/[\w/]+\.py)`", line):
                    if not (root / name).is_file():
                        yield f"{path}:{number}: there is no {name}"


def sleeps_in_tests(root: Path) -> Iterator[str]:
    for path, nodes in modules(root, "tests"):
        if path.as_posix() != _WAITING:
            for line, name in _names(nodes):
                if name in _SLEEPS or name.endswith(".wait_for_timeout"):
                    yield f"{path}:{line}: {name}; wait for what shall be true: tests.support.waiting.eventually"


def places_of_a_machine(root: Path) -> Iterator[str]:
    for path in tracked(root):
        for number, line in enumerate(_text(root / path).splitlines(), 1):
            if _PLACES.search(line):
                yield f"{path}:{number}: a path of one machine"


def registries(root: Path) -> Iterator[str]:
    for path in tracked(root):
        text = _text(root / path)
        for host in _REGISTRIES:
            if host in text:
                yield f"{path}: names the package registry {host}; the machine's configuration says where packages are"


def ignores_without_reason(root: Path) -> Iterator[str]:
    table = ""
    for number, line in enumerate(_text(root / "pyproject.toml").splitlines(), 1):
        if line.startswith("["):
            table = line
        elif table.startswith("[tool.ruff.lint") and re.match(r'\s+"[A-Z]+\d*",', line) and "#" not in line:
            yield f"pyproject.toml:{number}: a rule is switched off without a reason"


def tracked(root: Path) -> list[Path]:
    """What Git tracks or would track, relative to the root; every file if the tree is not a repository."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split("\0")
        return [Path(name) for name in listed if name and (root / name).is_file()]
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return [path for path in paths if _NO_SOURCE.isdisjoint(path.parts)]


def modules(root: Path, folder: str) -> Iterator[tuple[Path, list[ast.AST]]]:
    """The Python files below a folder, each with all nodes of its syntax tree."""
    for path in tracked(root):
        if path.suffix == ".py" and path.is_relative_to(folder):
            yield path, syntax_nodes(_text(root / path))


@functools.cache
def syntax_nodes(text: str) -> list[ast.AST]:
    """All nodes of a syntax tree. To parse and walk it takes longer than any check, so all checks share them."""
    return list(ast.walk(ast.parse(text)))


def _names(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    """Each imported or used name with its line, as `module.name` whatever it is called locally."""
    known: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else ""
                yield node.lineno, f"{alias.name}."
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    for node in nodes:
        if isinstance(node, ast.Attribute):
            yield node.lineno, _dotted(node, known)


def _dotted(node: ast.expr, known: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, known)}.{node.attr}"
    if isinstance(node, ast.Name):
        return known.get(node.id) or node.id
    return ""


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
