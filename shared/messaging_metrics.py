"""Prometheus metrics of a service's outbox, inbox, Kafka consumer and background loops."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from shared.inbox import PendingStats
from shared.outbox import OutboxStats

_OUTBOX: Mapping[str, tuple[str, Callable[[OutboxStats], float]]] = {
    "kei_outbox_unsent_events": (
        "Number of committed events that are not yet sent",
        lambda log: log.unsent,
    ),
    "kei_outbox_oldest_unsent_age_seconds": (
        "Age in seconds of the oldest committed event that is not yet sent; 0 if all are sent",
        lambda log: log.oldest_unsent_age,
    ),
    "kei_outbox_position": (
        "Position of the newest event in the log of this service",
        lambda log: log.assigned,
    ),
    "kei_relay_epoch": (
        "Number of times that a process became the leader of the relay",
        lambda log: log.epoch,
    ),
    "kei_relay_heartbeat_age_seconds": (
        "Seconds since the last heartbeat of the relay's leader",
        lambda log: log.heartbeat_age,
    ),
}
_INBOX: Mapping[str, tuple[str, Callable[[PendingStats], float]]] = {
    "kei_inbox_pending_events": (
        "Number of received events that are not yet handled, by topic",
        lambda topic: topic.pending,
    ),
    "kei_inbox_oldest_pending_age_seconds": (
        "Age in seconds of the oldest received event that is not yet handled, by topic; 0 if there is none",
        lambda topic: topic.oldest_age,
    ),
    "kei_inbox_dead_letters": (
        "Number of events that could not be handled and wait for an operator, by topic",
        lambda topic: topic.dead,
    ),
}


def outbox_metrics(log: OutboxStats, *, is_leader: bool) -> list[Metric]:
    """Gauges of the outbox and its relay. The database's row is the same for all copies of a service."""
    leader = GaugeMetricFamily(
        "kei_relay_is_leader", "1 if this process is the leader of the relay, else 0", int(is_leader)
    )
    return [leader, *(GaugeMetricFamily(name, text, value(log)) for name, (text, value) in _OUTBOX.items())]


def inbox_metrics(topics: Sequence[PendingStats]) -> list[Metric]:
    """Gauges of the inbox, labelled by topic."""
    return [
        _by_topic(GaugeMetricFamily(name, text, labels=["topic"]), {stats.topic: value(stats) for stats in topics})
        for name, (text, value) in _INBOX.items()
    ]


def consumer_metrics(topics: Iterable[str], lag: Mapping[str, int], lost: Mapping[str, int]) -> list[Metric]:
    """How far this process has read the topics, and what it can no longer read. A topic without a number has 0."""
    behind = GaugeMetricFamily(
        "kei_consumer_lag_records",
        "Number of Kafka records that this process has not read yet, by topic",
        labels=["topic"],
    )
    gone = CounterMetricFamily(
        "kei_consumer_lost_records",
        "Number of records that Kafka deleted before this process read them, by topic",
        labels=["topic"],
    )
    names = list(topics)
    return [
        _by_topic(behind, {name: lag.get(name, 0) for name in names}),
        _by_topic(gone, {name: lost.get(name, 0) for name in names}),
    ]


def job_metrics(errors: Mapping[str, int]) -> Metric:
    """Errors of background jobs, labelled by job. Prometheus sets the label `job` itself."""
    family = CounterMetricFamily(
        "kei_job_errors", "Number of errors of background loops, which went on, by what the loop does", labels=["loop"]
    )
    for job in sorted(errors):
        family.add_metric([job], errors[job])
    return family


def _by_topic(family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]) -> Metric:
    for topic in sorted(values):
        family.add_metric([topic], values[topic])
    return family
