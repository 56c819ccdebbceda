"""Every value that the templates of the console show: what `page_fields.toml` has to list."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, meta, nodes

import services.console

TEMPLATES = Path(services.console.__file__).parent / "templates"
HELPERS = {"static", "labels", "formatting", "wording", "parts", "loop", "new_key", "caller", "context"}
"""Functions and components of the templates, and the context of the page."""


def shown_fields() -> dict[str, set[str]]:
    """The values given to each template, and the dotted names of what it shows of them."""
    environment = Environment(autoescape=True)
    fields = {}
    for file in sorted(TEMPLATES.glob("*.html")):
        tree = environment.parse(file.read_text())
        dotted = {name for name in _names(tree) if "." in name and name.split(".")[0] not in HELPERS}
        fields[file.name] = dotted | meta.find_undeclared_variables(tree) - HELPERS
    return {template: names for template, names in fields.items() if names}


def _names(node: nodes.Node) -> Iterator[str]:
    if name := _dotted(node):
        yield name
        return
    for child in node.iter_child_nodes():
        yield from _names(child)


def _dotted(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr) and (base := _dotted(node.node)):
        return f"{base}.{node.attr}"
    return None
