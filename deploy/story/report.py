"""What became of a story, in tables for a terminal."""

from rich.console import Console
from rich.table import Table

from deploy.api import Api, Json
from deploy.story.settle import Feed, Ledger, public_feed, settled


async def report(api: Api, console: Console) -> bool:
    """Print what was published, what each consumer did with it, and the pairs; return whether nothing is amiss."""
    ledger = await settled(api)
    feed = await public_feed(api)
    console.print(_published(ledger))
    console.print(_effects(ledger, feed))
    console.print(await _pairs(api))
    amiss = feed.lost + feed.doubled + feed.gaps + sum(e.lost + e.doubled + e.dead for e in ledger.effects)
    if amiss:
        console.print(f"[bold red]{amiss} events were lost, doubled or are dead.[/]")
    else:
        console.print("[bold]Nothing was lost, nothing was done twice.[/]")
    return not amiss


def _published(ledger: Ledger) -> Table:
    table = Table("service", "events published", title="Published", title_justify="left")
    table.columns[1].justify = "right"
    for service, count in ledger.published.items():
        table.add_row(service, str(count))
    return table


def _effects(ledger: Ledger, feed: Feed) -> Table:
    columns = ("consumer", "of", "published", "effects", "lost", "duplicated", "dead")
    table = Table(*columns, title="Handled", title_justify="left")
    for column in table.columns[2:]:
        column.justify = "right"
    for e in ledger.effects:
        counts = (e.published, e.handled, e.lost, e.doubled, e.dead)
        table.add_row(e.consumer, e.topic, *(str(count) for count in counts))
    counts = (feed.published, feed.shown, feed.lost + feed.gaps, feed.doubled, 0)
    table.add_row("partner feed", "public events", *(str(count) for count in counts))
    return table


async def _pairs(api: Api) -> Table:
    clusters = {one["id"]: one["name"] for one in await api.items("members", "/clusters")}
    table = Table("mentor", "learner", "score", "state", "first reason", title="Pairs", title_justify="left")
    table.columns[2].justify = "right"
    pairs = await api.items("matching", "/pairs")
    for pair in sorted(pairs, key=lambda one: -one["score_hundredths"]):
        table.add_row(
            clusters.get(pair["mentor_id"], pair["mentor_id"]),
            clusters.get(pair["learner_id"], pair["learner_id"]),
            f"{pair['score_hundredths'] / 100:.1f}",
            pair["state"],
            _first_reason(pair),
        )
    return table


def _first_reason(pair: Json) -> str:
    return str(max(pair["terms"], key=lambda term: term["hundredths"])["reason"])
