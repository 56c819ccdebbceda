"""Every public event has words of its own in the feed."""

import json

import pytest

from deploy.generate_docs import ROOT, SAMPLES
from services.console.api.models.notifications import FeedEvent
from services.console.view.event_text import NEWER, NameLookup, feed_row
from shared.events import registry

PUBLIC = sorted(entry.name for entry in registry().values() if entry.public)
NAMES = NameLookup(
    cluster=lambda _: "A cluster", indicator=lambda _, code: code.title(), activity=lambda _: "A training"
)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_event_is_told_in_a_sentence(name: str) -> None:
    sample = json.loads((ROOT / SAMPLES / f"{name}.json").read_bytes())
    text = feed_row(FeedEvent(position=1, event=sample), NAMES, with_payload=False).text
    assert text.sentence != NEWER
    assert text.sentence.endswith(".")
    assert text.tone in {"fact", "ask", "good", "stop"}
