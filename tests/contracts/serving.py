"""A process that serves one service to which something has happened.

python -m tests.contracts.serving SERVICE PORT DATABASE_URL KEY_FILE
"""

import asyncio
import importlib
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from uuid import UUID

from shared import logs
from shared.auth import Issuer, KeySource
from shared.events.envelope import Stored
from shared.events.members import AssessmentRecorded, IndicatorLevel, TargetSet
from shared.transport.local import LocalTransport
from shared.web import DRAIN, Drain, serve
from tests.support import factories

CLUSTERS = [UUID(int=0x01900000_0000_7000_8000_0000_0000_00C0 + number) for number in range(4)]
FRAMEWORK, INDICATORS = "self-check-8.1", ("foresight", "strategy")
TODAY = date(2026, 6, 28)


def past() -> Iterator[Stored]:
    """What has happened elsewhere: four clusters, two of which can teach what the others want to learn."""
    for place, cluster in enumerate(CLUSTERS):
        yield factories.cluster_registered_event(cluster_id=cluster, mentor_capacity=50, learner_capacity=50)
        level = 4 if place % 2 else 1
        common = {"cluster_id": cluster, "consortium_id": factories.CONSORTIUM, "framework": FRAMEWORK}
        levels = [
            IndicatorLevel(indicator=indicator, level=level, kind="self", assessed_on=TODAY) for indicator in INDICATORS
        ]
        assessed = {"kind": "self", "assessed_on": TODAY, "valid_until": date(2036, 1, 1), "scale_max": 5}
        scores = dict.fromkeys(INDICATORS, level)
        yield factories.stored(
            AssessmentRecorded.model_validate(
                {**common, **assessed, "assessment_id": cluster, "scores": scores, "levels": levels}
            ),
            2,
        )
        for version, indicator in enumerate(INDICATORS, 3):
            yield factories.stored(
                TargetSet.model_validate({**common, "indicator": indicator, "level": 5, "priority": 3}), version
            )
    wish = factories.service_requested(cluster_id=CLUSTERS[0], framework=FRAMEWORK, indicator=INDICATORS[0])
    yield factories.stored(wish, 9)


async def main(service: str, port: int, url: str, issuer: Issuer) -> None:
    transport = LocalTransport()
    build = importlib.import_module(f"services.{service}.main").build
    app = build(factories.settings(url), transport=transport, keys=KeySource.of(issuer.jwks()))
    await factories.deliver(transport, *past())
    # Streams and long polls end at once, as they do when a process is about to; nobody could test them to their end.
    DRAIN.begin()
    await serve(app, "127.0.0.1", port, drain=Drain())


def issuer_at(path: Path) -> Issuer:
    """The issuer both processes know, from its key file."""
    return Issuer.load(path, issuer="http://issuer.test", audience="kei")


if __name__ == "__main__":
    logs.set_up(sys.argv[1])
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], issuer_at(Path(sys.argv[4]))))
