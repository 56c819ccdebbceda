"""The docstring of a service says which events it publishes and consumes; it is compared with the code."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from shared.events import registry
from shared.inbox import Consumer
from tests.architecture import checks

ROOT = Path(__file__).parents[2]
SERVICES = ("members", "trainings", "matching", "notifications", "console")
_EVENT = re.compile(r"(?<![.\w])[a-z]+\.[a-z]+(?!\w|\.\w)")


def short(name: str) -> str:
    """`cluster.registered`, of `kei.members.cluster.registered.v1`."""
    _, _, entity, fact, _ = name.split(".")
    return f"{entity}.{fact}"


PUBLIC = {short(entry.name) for entry in registry().values() if entry.public}


def stated(docstring: str, heading: str) -> set[str]:
    """The events below a heading of a plate."""
    match = re.search(rf"^{heading}\s+(.*?)(?=^[A-Z][a-z]+ {{2,}}|\Z)", docstring, re.MULTILINE | re.DOTALL)
    assert match, f"no line {heading}"
    text = " ".join(match[1].split())
    return PUBLIC if text.startswith("every public event") else set(_EVENT.findall(text))


def plate(service: str) -> str:
    return ast.get_docstring(ast.parse((ROOT / "services" / service / "__init__.py").read_text()), clean=False) or ""


def published(service: str) -> set[str]:
    """The registered events whose data a command of the service names."""
    used = {
        node.id
        for _, nodes in checks.modules(ROOT, f"services/{service}/commands")
        for node in nodes
        if isinstance(node, ast.Name)
    }
    return {
        short(entry.name) for entry in registry().values() if entry.service == service and entry.model.__name__ in used
    }


def consumed(service: str) -> set[str]:
    try:
        consumer: Consumer = importlib.import_module(f"services.{service}.consumers").consumer
    except ModuleNotFoundError:
        return set()
    return {short(name) for name in registry() if consumer.handler_of(name)}


def test_the_short_names_of_events_are_unique() -> None:
    assert len({short(name) for name in registry()}) == len(registry())


def test_every_registered_event_is_published_by_its_service() -> None:
    assert set().union(*map(published, SERVICES)) == {short(name) for name in registry()}


@pytest.mark.parametrize("service", SERVICES)
def test_a_plate_states_what_its_service_publishes_and_consumes(service: str) -> None:
    assert stated(plate(service), "Publishes") == published(service)
    assert stated(plate(service), "Consumes") == consumed(service)


@pytest.mark.parametrize("heading", ["Publishes", "Consumes"])
def test_an_event_that_is_missing_on_a_plate_is_found(heading: str) -> None:
    docstring = plate("trainings")
    event = min(stated(docstring, heading))
    assert stated(docstring.replace(event, ""), heading) == stated(docstring, heading) - {event}
