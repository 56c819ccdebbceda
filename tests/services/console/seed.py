"""A consortium with seven clusters, a completed training, a planned visit, a plan and a request, created over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from shared import clock
from tests.services.console.world import CODES, World, world
from tests.support.postgres import Postgres
from tests.support.run import Facts, Run
from tests.support.waiting import eventually

_CLUSTERS: list[tuple[str, str, str, str, str, str, str]] = [
    ("dare", "D.A.Re. Distretto Agroalimentare Regionale", "IT", "Foggia", "agri-food", "silver", "45432134"),
    ("innoskart", "INNOSKART ICT Cluster", "HU", "Central Transdanubia", "digital", "gold", "54345443"),
    ("biomastec", "BIOMASTEC", "DE", "", "energy-renewables", "bronze", "34254233"),
    ("madan-parque", "Madan Parque", "PT", "Setúbal peninsula", "digital", "none", "23325124"),
    ("agroco", "AGROCO", "RO", "", "agri-food", "bronze", "12212221"),
    ("green-synergy", "Green Synergy Cluster", "BG", "Yuzhen tsentralen", "energy-renewables", "none", "21132133"),
    ("cluee", "Cluster for Energy Efficiency", "RS", "", "energy-renewables", "none", "12123112"),
]
_STAGES = {
    "agri-food": ["production", "processing"],
    "digital": ["services"],
    "energy-renewables": ["inputs", "production"],
}


@asynccontextmanager
async def seeded_world(run: Run, postgres: Postgres) -> AsyncIterator[World]:
    """Everything running with the seeded consortium, on copies of databases that are seeded once per run."""
    facts = await asyncio.to_thread(run.once, "seeded-console", lambda: asyncio.run(_seeded(postgres)))
    templates, copies = json.loads(facts["databases"]), []

    async def copy(service: str) -> str:
        copies.append(await postgres.create(templates[service]))
        return copies[-1]

    try:
        async with world(copy) as running:
            running.ids.update(json.loads(facts["ids"]))
            yield running
    finally:
        for url in copies:
            await postgres.drop(url)


async def _seeded(postgres: Postgres) -> Facts:
    async with world(postgres.create_service) as running:
        await seed(running)
    connection = await asyncpg.connect(running.databases["matching"])
    await connection.execute("DELETE FROM replan_cause")  # else each copy begins with a replan that is overdue
    await connection.close()
    return {"databases": json.dumps(running.databases), "ids": json.dumps(running.ids)}


async def seed(world: World) -> None:
    """Tell the story up to the first answer."""
    consortium = await world.post(
        "members/consortia",
        {
            "slug": "trace-kei",
            "name": "TRACE-KEI",
            "programme": "COSME Cluster Excellence (COS-CLUSTER-2015-3-02)",
            "starts_on": "2016-11-16",
            "ends_on": "2018-11-15",
            "coordinator_slug": "dare",
        },
    )
    world.ids["consortium"] = consortium["id"]
    indicators = [{"code": code, "title": title} for code, title in CODES.items()]
    framework = {"code": "self-check", "title": "Self-check of eight areas", "scale_max": 5, "indicators": indicators}
    await world.post("members/frameworks", framework)
    for facts in _CLUSTERS:
        await _cluster(world, *facts)
    await world.settled()
    await _training(world)
    await _visit(world)
    await _plan(world)
    help_request = {"framework": "self-check", "indicator": "market-foresight", "urgency": 4, "illustrative": True}
    request = await world.post(
        f"members/clusters/{world.ids['cluee']}/requests",
        {**help_request, "text": "We want to see five years ahead in heating and need a method for it."},
    )
    world.ids["request"] = request["id"]
    await world.settled()


async def _cluster(
    world: World, slug: str, name: str, country: str, region: str, ecosystem: str, label: str, levels: str
) -> None:
    made = await world.post(
        "members/clusters",
        {
            "consortium_id": world.ids["consortium"],
            "slug": slug,
            "name": name,
            "country": country,
            "region": region or None,
            "founded_on": {"innoskart": "2006-07-20", "green-synergy": "2011-09-13"}.get(slug),
            "website": {"innoskart": "https://innoskart.eu"}.get(slug),
            "ecosystems": [ecosystem],
            "languages": ["en", country.lower()] if country not in {"RS", "PT"} else ["en"],
            "value_chain_stages": _STAGES[ecosystem],
            "specialisation": f"{name} brings together firms of its region and helps them to grow.",
            "label": label,
            "illustrative": ["specialisation", "languages", "mentor_capacity", "learner_capacity"]
            + (["label"] if label in {"silver", "gold"} else []),
            "mentor_capacity": 2 if label in {"silver", "gold"} else 1,
            "learner_capacity": 2 if label == "none" else 1,
        },
    )
    world.ids[slug] = made["id"]
    scores = dict(zip(CODES, map(int, levels), strict=True))
    assessment = {"framework": "self-check", "kind": "self" if label == "none" else "expert", "illustrative": True}
    dates = {"assessed_on": "2026-10-12", "valid_until": "2028-10-11"}
    await world.post(f"members/clusters/{made['id']}/assessments", {**assessment, **dates, "scores": scores})
    wanted = sorted(scores, key=lambda code: scores[code])[:4]
    for rank, code in enumerate(wanted):
        target = {"level": min(5, scores[code] + 2), "priority": 5 - rank, "illustrative": True}
        await world.put(f"members/clusters/{made['id']}/targets/self-check/{code}", target)


async def _activity(world: World, plan: dict[str, Any], guests: dict[str, int]) -> dict[str, Any]:
    draft = await world.post("trainings/activities", plan)
    made = await world.post(f"trainings/activities/{draft['id']}/publication", version=draft["version"])
    for slug, seats in guests.items():
        body = {"cluster_id": world.ids[slug], "seats": seats}
        await world.post(f"trainings/activities/{draft['id']}/registrations", body)
    return made


async def _training(world: World) -> None:
    taught = [
        {"framework": "self-check", "indicator": indicator, "gain": 1} for indicator in ("strategy", "market-foresight")
    ]
    made = await _activity(
        world,
        {
            "consortium_id": world.ids["consortium"],
            "kind": "joint_training",
            "title": "First joint training",
            "host_cluster_id": world.ids["dare"],
            "place": "Bari, Italy",
            "starts_on": "2017-06-28",
            "ends_on": "2017-06-29",
            "capacity": 14,
            "teaches": taught,
            "sector_groups": ["agri-food", "energy", "ICT"],
            "topics": ["PDCA", "industry analysis", "market foresight", "value chain"],
            "deliverables": ["joint value-chain templates"],
            "illustrative": ["year", "host", "teaches"],
        },
        {facts[0]: 2 for facts in _CLUSTERS},
    )
    present = {"present": [world.ids[facts[0]] for facts in _CLUSTERS], "absent": []}
    await world.put(f"trainings/activities/{made['id']}/attendance", present)
    now = await world.get(f"trainings/activities/{made['id']}")
    await world.post(f"trainings/activities/{made['id']}/completion", version=now["version"])


async def _visit(world: World) -> None:
    await _activity(
        world,
        {
            "consortium_id": world.ids["consortium"],
            "kind": "study_visit",
            "title": "Study visit to a digital cluster",
            "host_cluster_id": world.ids["innoskart"],
            "place": "Székesfehérvár, Hungary",
            "starts_on": "2027-03-09",
            "ends_on": "2027-03-11",
            "capacity": 4,
            "teaches": [{"framework": "self-check", "indicator": "services-to-firms", "gain": 1}],
            "illustrative": ["title", "place", "starts_on", "ends_on", "capacity", "registrations"],
        },
        {"agroco": 2, "green-synergy": 2, "cluee": 1},
    )


async def _plan(world: World) -> None:
    await world.settled()
    id = (await world.post("matching/runs", {"consortium_id": world.ids["consortium"]}))["id"]

    async def made() -> dict[str, Any]:
        run: dict[str, Any] = (await world.get(f"matching/runs/{id}"))["run"]
        return run if run["state"] == "draft" else {}

    run = await eventually(made)
    await world.post(f"matching/runs/{id}/publication", version=run["version"])
    pairs = (await world.get("matching/pairs"))["items"]
    first, second = pairs[0], pairs[1]
    for side in ("mentor", "learner"):
        answered = await world.get(f"matching/pairs/{first['id']}")
        body = {"side": side, "answer": "accept"}
        await world.post(f"matching/pairs/{first['id']}/answers", body, version=answered["version"])
    await _begin(world, first["id"])
    declined = {"side": "learner", "answer": "decline"}
    await world.post(f"matching/pairs/{second['id']}/answers", declined, version=second["version"])


async def _begin(world: World, pair: str) -> None:
    """Both sides confirm the mentorship, and meet once."""
    world.ids["mentorship"] = pair
    for side in ("mentor", "learner"):
        seen = (await world.get(f"matching/mentorships/{pair}"))["version"]
        await world.post(f"matching/mentorships/{pair}/confirmations", {"side": side}, version=seen)
    meeting = {"state": "held", "on": clock.now().date().isoformat(), "minutes": 90}
    await world.post(f"matching/mentorships/{pair}/meetings", meeting)
