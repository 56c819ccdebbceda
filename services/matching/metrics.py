"""Metrics of matching, collected at each scrape."""

from collections.abc import Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from services.matching.queries.projection import count_unresolved_requests
from shared.db import Database


async def unresolved_requests(database: Database) -> Sequence[Metric]:
    """The number of service requests of clusters that are not in the projection yet."""
    async with database.reading() as db:
        count = await count_unresolved_requests(db)
    description = "Number of service requests of clusters that matching does not know yet"
    return [GaugeMetricFamily("kei_matching_unresolved_requests", description, value=count)]
