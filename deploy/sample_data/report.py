"""What became of a story, in tables for a terminal."""

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploy.api_client import Api
from deploy.sample_data.wait import DeliveryReport, FeedDelivery, compare_feed, wait_until_idle
from shared.api_client import Json


async def report(api: Api, console: Console) -> bool:
    """Print what was published, what each consumer did with it, and the pairs; return whether nothing is amiss."""
    ledger = await wait_until_idle(api)
    feed = await compare_feed(api, ledger)
    console.print(_published(ledger))
    console.print(_effects(ledger, feed))
    console.print(await _pairs(api))
    amiss = feed.lost + feed.doubled + feed.gaps + sum(e.lost + e.doubled + e.dead for e in ledger.effects)
    if amiss:
        console.print(f"[bold red]{amiss} events were lost, doubled or are dead.[/]")
    else:
        console.print("[bold]Nothing was lost, nothing was done twice.[/]")
    return not amiss


def _table(title: str, words: int, *columns: str) -> Table:
    """A table whose columns after the first `words` are numbers."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[words:]:
        column.justify = "right"
    return table


def _published(ledger: DeliveryReport) -> Table:
    table = _table("Events", 1, "service", "published")
    for service, count in ledger.published.items():
        table.add_row(service, str(count))
    return table


def _effects(ledger: DeliveryReport, feed: FeedDelivery) -> Table:
    columns = ("consumer", "events of", "published", "effects", "lost", "duplicated", "dead")
    table = _table("Effects", 2, *columns)
    for e in ledger.effects:
        counts = (e.published, e.handled, e.lost, e.doubled, e.dead)
        table.add_row(e.consumer, e.producer, *(str(count) for count in counts))
    counts = (feed.published, feed.shown, feed.lost + feed.gaps, feed.doubled, 0)
    table.add_row("partner feed", "all", *(str(count) for count in counts))
    return table


async def _pairs(api: Api) -> Table:
    """A pair in two lines, since reasons are sentences."""
    clusters = {one["id"]: one["name"] for one in await api.items("members", "/clusters")}
    table = _table("Pairs", 2, "score", "state", "who teaches whom, and the first reason")
    table.columns[0].justify, table.columns[2].justify = "right", "left"
    for pair in sorted(await api.items("matching", "/pairs"), key=lambda one: -one["score_hundredths"]):
        mentor, learner = (clusters.get(pair[f"{side}_id"], pair[f"{side}_id"]) for side in ("mentor", "learner"))
        said = Text.assemble(f"{mentor} teaches {learner}\n", (_first_reason(pair), "dim"))
        table.add_row(f"{pair['score_hundredths'] / 100:.1f}", pair["state"], Padding(said, (0, 0, 1, 0)))
    return table


def _first_reason(pair: Json) -> str:
    return str(max(pair["terms"], key=lambda term: term["hundredths"])["reason"])
