"""Tables of events, deliveries and pairs for a terminal."""

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploy.api_client import Api
from deploy.sample_data.wait import DeliveryReport, FeedDelivery, compare_feed, wait_until_idle
from shared.api_client import Json


async def report(api: Api, console: Console) -> bool:
    """Print published events, deliveries and pairs; return whether every event was delivered once."""
    deliveries = await wait_until_idle(api)
    feed = await compare_feed(api, deliveries)
    console.print(_published(deliveries))
    console.print(_effects(deliveries, feed))
    console.print(await _pairs(api))
    failed = sum(row.lost + row.duplicated + row.dead for row in deliveries.consumers)
    failed += feed.lost + feed.duplicated + feed.gaps
    if failed:
        console.print(f"[bold red]{failed} events were lost or duplicated, or are dead letters.[/]")
    else:
        console.print("[bold]Nothing was lost, nothing was done twice.[/]")
    return not failed


def _table(title: str, words: int, *columns: str) -> Table:
    """A table whose columns after the first `words` are numbers."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[words:]:
        column.justify = "right"
    return table


def _published(deliveries: DeliveryReport) -> Table:
    table = _table("Events", 1, "service", "published")
    for service, count in deliveries.published.items():
        table.add_row(service, str(count))
    return table


def _effects(deliveries: DeliveryReport, feed: FeedDelivery) -> Table:
    columns = ("consumer", "events of", "published", "effects", "lost", "duplicated", "dead")
    table = _table("Effects", 2, *columns)
    for row in deliveries.consumers:
        counts = (row.published, row.handled, row.lost, row.duplicated, row.dead)
        table.add_row(row.consumer, row.producer, *(str(count) for count in counts))
    counts = (feed.published, feed.shown, feed.lost + feed.gaps, feed.duplicated, 0)
    table.add_row("partner feed", "all", *(str(count) for count in counts))
    return table


async def _pairs(api: Api) -> Table:
    """Each pair takes two lines, since reasons are sentences."""
    clusters = {cluster["id"]: cluster["name"] for cluster in await api.items("members", "/clusters")}
    table = _table("Pairs", 2, "score", "state", "who teaches whom, and the first reason")
    table.columns[0].justify, table.columns[2].justify = "right", "left"
    for pair in sorted(await api.items("matching", "/pairs"), key=lambda pair: -pair["score_hundredths"]):
        mentor, learner = (clusters.get(pair[f"{side}_id"], pair[f"{side}_id"]) for side in ("mentor", "learner"))
        text = Text.assemble(f"{mentor} teaches {learner}\n", (_first_reason(pair), "dim"))
        table.add_row(f"{pair['score_hundredths'] / 100:.1f}", pair["state"], Padding(text, (0, 0, 1, 0)))
    return table


def _first_reason(pair: Json) -> str:
    return str(max(pair["terms"], key=lambda term: term["hundredths"])["reason"])
