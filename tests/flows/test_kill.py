"""kill -9 at any moment while the story plays loses nothing that was answered, and does nothing twice."""

import asyncio
import random
from collections import defaultdict
from typing import Any

import pytest

from deploy.api_client import Api
from deploy.sample_data.wait import compare_feed, read_log, wait_until_idle
from shared import clock
from tests.support import factories
from tests.support.kei import Kei
from tests.support.waiting import passing

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

KILLS = 20
SEED = 20170628


class Writer:
    """A client that writes whatever happens to Kei, and records the answered writes."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.clusters: dict[str, int] = {}
        """Ids that were answered, with the newest version that was."""
        self.enough = False

    async def run(self) -> None:
        """Register clusters and change their capacity, until it is enough; what was begun is brought to its answer."""
        body = factories.consortium()
        consortium = (await self._write("/consortia", body))["id"]
        while not self.enough:
            cluster = await self._write("/clusters", factories.cluster(consortium))
            self.clusters[cluster["id"]] = cluster["version"]
            for places in (3, 4):
                capacity = {"mentor_capacity": places, "learner_capacity": 1}
                at, seen = f"/clusters/{cluster['id']}/capacity", f'"v{self.clusters[cluster["id"]]}"'
                changed = await self._write(at, capacity, method="PUT", expected_version=seen)
                self.clusters[cluster["id"]] = changed["version"]

    async def _write(self, path: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self._api.write("members", path, body, key=str(clock.new_id()), **options)
        return answer


async def test_what_was_answered_survives_twenty_kills(kei: Kei) -> None:
    chance = random.Random(SEED)
    await kei.start()
    await kei.ready()
    async with kei.api() as api:
        writer = Writer(api)
        writing = asyncio.create_task(writer.run())
        for kill in range(KILLS):
            await passing(chance.uniform(0.1, 1.5))
            await kei.kill(database=kill % 4 == 3)
            assert not writing.done(), writing.result()
            await kei.start()
            await kei.ready()
        await kei.wait_for_output("Nothing was lost, nothing was done twice.")
        writer.enough = True
        await writing
        await check(api, writer.clusters)
    assert len(writer.clusters) > KILLS, "hardly anything was written between the kills"


async def check(api: Api, answered: dict[str, int]) -> None:
    """Every answered write is there, as a row, in the log and in the feed; versions have no gap."""
    rows = {cluster["id"]: cluster["version"] for cluster in await api.items("members", "/clusters")}
    assert {id for id, version in answered.items() if rows.get(id, 0) < version} == set()
    versions: dict[str, list[int]] = defaultdict(list)
    for item in await read_log(api, "members", "/ops/events"):
        versions[item["event"]["partitionkey"]].append(int(item["event"]["sequence"]))
    assert {id: list(range(1, version + 1)) for id, version in rows.items()} == dict(versions)
    feed = await compare_feed(api, await wait_until_idle(api))
    assert (feed.lost, feed.duplicated, feed.gaps) == (0, 0, 0)
    shown: dict[str, list[int]] = defaultdict(list)
    for item in await read_log(api, "notifications", "/feed"):
        shown[item["event"]["partitionkey"]].append(int(item["event"]["sequence"]))
    assert all(versions == sorted(set(versions)) for versions in shown.values())
    assert {id: shown[id][-1] for id in answered} == {id: rows[id] for id in answered}
