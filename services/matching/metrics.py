"""What matching tells of itself at each scrape."""

from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from services.matching.queries.projection import waiting
from shared.db import Database


async def requests_waiting(database: Database) -> Sequence[Metric]:
    """How many requests wait for their cluster to become known."""
    async with database.reading() as db:
        count = await waiting(db)
    told = "Requests of clusters that are not known yet"
    return [GaugeMetricFamily("kei_matching_requests_waiting", told, value=count)]
