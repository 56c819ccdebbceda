"""Links and paths in the documents lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.architecture.checks import tracked

_ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"`((?:services|shared|deploy|tests|bench|docs)/[\w./-]+)`")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_DOCUMENTS = sorted(path for path in tracked(_ROOT) if path.suffix == ".md")


def broken(root: Path, document: Path) -> list[str]:
    """Relative links and paths in code marks, outside of fenced code, that do not exist."""
    text = _FENCED.sub("", (root / document).read_text(encoding="utf-8"))
    links = [link for link in _LINK.findall(text) if not (root / document.parent / link).exists()]
    return links + [path for path in _PATH.findall(text) if not (root / path).exists()]


@pytest.mark.parametrize("document", _DOCUMENTS, ids=str)
def test_every_link_and_path_leads_somewhere(document: Path) -> None:
    assert broken(_ROOT, document) == []


def test_a_broken_link_and_a_broken_path_are_found(tmp_path: Path) -> None:
    document = Path("page.md")
    (tmp_path / document).write_text("[a](a.md) [b](https://example.org) [c](page.md#x) `shared/none.py` `shared`\n")
    assert broken(tmp_path, document) == ["a.md", "shared/none.py"]
