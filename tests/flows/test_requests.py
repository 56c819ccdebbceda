"""A service request is answered with proposals, each with its reasons, within a second of its commit."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from deploy.api_client import Api
from deploy.sample_data.wait import read_log
from tests.support.kei import Kei
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)

WISHES = {"agroco": "foresight", "biomastec": "cooperation", "dare": "firm-services"}


async def test_a_request_gives_proposals_within_a_second(kei: Kei) -> None:
    await kei.start()
    await kei.wait_for_output("Nothing was lost")
    async with kei.api() as api:
        delays = [await answered(api, learner, indicator) for learner, indicator in WISHES.items()]
    assert sorted(delays)[len(delays) // 2] < timedelta(seconds=1)


async def answered(api: Api, learner: str, indicator: str) -> timedelta:
    """Ask for help, check the proposals that this gives, and return how long after the request the last one came."""
    clusters = {cluster["slug"]: cluster["id"] for cluster in await api.items("members", "/clusters")}
    wish = {"framework": "self-check-8.1", "indicator": indicator, "urgency": 4}
    path, once = f"/clusters/{clusters[learner]}/requests", f"flow/{learner}/{indicator}"
    request = await api.write("members", path, wish, key=once)

    async def proposals() -> list[dict[str, Any]]:
        log = await read_log(api, "matching", "/ops/events")
        return [item["event"] for item in log if item["event"]["data"].get("request_id") == request["id"]]

    proposed = await eventually(proposals)
    for event in proposed:
        data = event["data"]
        assert data["learner_id"] == clusters[learner]
        assert sum(term["hundredths"] for term in data["terms"]) == data["score_hundredths"]
        assert all(term["reason"].endswith(".") for term in data["terms"])
        assert indicator.replace("-", " ") in next(
            term["reason"] for term in data["terms"] if term["term"] == "requests"
        )
    log = await read_log(api, "members", "/ops/events")
    asked = next(item["event"] for item in log if item["event"]["data"].get("request_id") == request["id"])
    return max(_time(event) for event in proposed) - _time(asked)


def _time(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])
