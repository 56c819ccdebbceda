"""Every public event has words of its own in the feed."""

import json

import pytest

from deploy.generate_docs import ROOT, SAMPLES
from services.console.api.models import FeedItem
from services.console.view.event_text import Names, happening
from shared.events import registry

PUBLIC = sorted(entry.name for entry in registry().values() if entry.public)
NAMES = Names(cluster=lambda _: "A cluster", skill=lambda _, code: code.title(), activity=lambda _: "A training")


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_event_is_told_in_a_sentence(name: str) -> None:
    sample = json.loads((ROOT / SAMPLES / f"{name}.json").read_bytes())
    told = happening(FeedItem(position=1, event=sample), NAMES).told
    assert told.sentence != "An event of a newer kind."
    assert told.sentence.endswith(".")
    assert told.tone in {"fact", "ask", "good", "stop"}
