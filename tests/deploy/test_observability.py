"""The scrape configuration and alerts of Prometheus, compared with the services and the operations page."""

import os
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.services.console.world import world
from tests.support import docker
from tests.support.run import Run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
IMAGE = "prom/prometheus:v2.53.3"
PAGE = "docs/operations.md"
UNITS = (
    "_seconds",
    "_events",
    "_records",
    "_requests",
    "_letters",
    "_collectors",
    "_errors",
    "_position",
    "_epoch",
    "_is_leader",
)
"""What a metric may count: the last word of its name, before `_total`."""


def alerts() -> list[dict[str, Any]]:
    read = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


def promtool(run: Run, *arguments: str) -> None:
    """Run promtool in the folder: that of this machine, else the image's."""
    command = ["promtool"]
    if shutil.which("promtool") is None:
        if not docker.available() or shutil.which("docker") is None:
            pytest.skip("no promtool in PATH, and no Docker engine to run its image")
        if not docker.provides(run, IMAGE):
            pytest.skip(f"no promtool in PATH, and the image {IMAGE} cannot be fetched here")
        inside = ("--volume", f"{FOLDER}:/rules:ro", "--workdir", "/rules", "--entrypoint", "promtool")
        command = ["docker", "run", "--rm", "--network", "none", *inside, IMAGE]
    completed = _run(*command, *arguments)
    assert completed.returncode == 0, f"promtool {' '.join(arguments)}:\n{completed.stdout}"


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=os.environ
    )


@pytest.mark.timeout(180)
@pytest.mark.parametrize("what", [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml")])
def test_prometheus_can_read_them(run: Run, what: tuple[str, ...]) -> None:
    promtool(run, *what)


@pytest.mark.timeout(180)
def test_every_alert_fires_when_it_should_and_not_just_below(run: Run) -> None:
    promtool(run, "test", "rules", "rules_test.yml")


def test_every_alert_is_tried() -> None:
    read = yaml.safe_load((FOLDER / "rules_test.yml").read_text(encoding="utf-8"))
    tried = [case for test in read["tests"] for case in test["alert_rule_test"] if case["exp_alerts"]]
    fired = {(case["alertname"], alert["exp_labels"]["severity"]) for case in tried for alert in case["exp_alerts"]}
    assert fired == {(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_says_what_is_wrong_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    annotations = rule["annotations"]
    assert annotations["summary"]
    assert annotations["description"].endswith(f" See {rule['alert']} in {PAGE}.")
    assert re.search(r"minute|hour|humanizeDuration|since when", annotations["description"]), "since when"
    assert annotations["runbook"] == f"{PAGE}#{rule['alert'].lower()}"
    heading, _, rest = (ROOT / PAGE).read_text(encoding="utf-8").partition(f"\n### {rule['alert']}\n")
    paragraph = rest.partition("\n#")[0].strip()
    assert heading, PAGE
    assert len(paragraph) > 100, f"{PAGE} does not say what to do about {rule['alert']}"


async def _scraped(service_database: Callable[[str], Awaitable[str]]) -> str:
    """The metrics of all services and of the console, as Prometheus reads them."""
    async with world(service_database) as running:
        paths = [*(f"/api/{name}/metrics" for name in running.services), "/metrics"]
        return "\n".join([(await running.page(path)).text for path in paths])


async def test_every_metric_that_a_rule_names_is_one_that_a_service_has(
    service_database: Callable[[str], Awaitable[str]],
) -> None:
    has = set(re.findall(r"^# TYPE (\w+) ", await _scraped(service_database), re.MULTILINE))
    named = {rule["alert"]: set(re.findall(r"\bkei_\w+", rule["expr"])) for rule in alerts()}
    assert all(names or alert == "ServiceDown" for alert, names in named.items()), (
        "a rule that asks for nothing of ours"
    )
    assert {alert: names - has for alert, names in named.items() if names - has} == {}


def naming_faults(exposition: str) -> list[str]:
    """What is wrong with the names and HELP texts of Kei's metrics in an exposition."""
    kinds = dict(re.findall(r"^# TYPE (kei_\w+) (\w+)$", exposition, re.MULTILINE))
    texts = dict(re.findall(r"^# HELP (kei_\w+) (.*)$", exposition, re.MULTILINE))
    faults = [f"{name}: no HELP" for name in kinds if name not in texts]
    for name, kind in sorted(kinds.items()):
        if (kind == "counter") != name.endswith("_total"):
            faults.append(f"{name}: _total is for counters, and every counter ends with it")
        if not name.removesuffix("_total").endswith(UNITS):
            faults.append(f"{name}: ends with no unit of {UNITS}")
    for name, text in sorted(texts.items()):
        if not re.match(r"[A-Z0-9]", text) or len(text.split()) < 4:
            faults.append(f"{name}: HELP is no complete description: {text!r}")
        if "_seconds" in name and "second" not in text.lower():
            faults.append(f"{name}: HELP does not name the unit: {text!r}")
    return faults


async def test_every_metric_has_a_name_with_its_unit_and_a_complete_help_text(
    service_database: Callable[[str], Awaitable[str]],
) -> None:
    exposition = await _scraped(service_database)
    assert len(re.findall(r"^# TYPE kei_", exposition, re.MULTILINE)) > 50, "all services were scraped"
    assert naming_faults(exposition) == []


def test_a_metric_that_breaks_the_naming_is_found() -> None:
    planted = """\
# HELP kei_outbox_age Age of the oldest of them
# TYPE kei_outbox_age gauge
# HELP kei_lost_records Number of records that were lost
# TYPE kei_lost_records counter
# HELP kei_wait_seconds Time until the answer began
# TYPE kei_wait_seconds gauge
# HELP kei_events_total events sent
# TYPE kei_events_total counter
"""
    assert [fault.partition(":")[0] for fault in naming_faults(planted)] == [
        "kei_lost_records",
        "kei_outbox_age",
        "kei_events_total",
        "kei_wait_seconds",
    ]


def test_every_service_of_the_deployment_that_tells_anything_is_scraped() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    serving = {name for name, service in compose["services"].items() if (service.get("command") or [""])[0] == "serve"}
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    (discovery,) = config["scrape_configs"][0]["dns_sd_configs"]
    assert set(discovery["names"]) == serving
    assert (discovery["type"], discovery["port"]) == ("A", 8000)
