"""What Prometheus is told to look at and when it calls somebody: held against the services and the operations page."""

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

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
IMAGE = "prom/prometheus:v2.53.3"
PAGE = "docs/operations.md"


def alerts() -> list[dict[str, Any]]:
    read = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


def promtool(*arguments: str) -> None:
    """Run promtool in the folder: that of this machine, else the image's."""
    command = ["promtool"]
    if shutil.which("promtool") is None:
        if not docker.answers() or shutil.which("docker") is None:
            pytest.skip("no promtool in PATH, and no Docker engine to run its image")
        if _run("docker", "image", "inspect", IMAGE).returncode and _run("docker", "pull", "--quiet", IMAGE).returncode:
            pytest.skip(f"no promtool in PATH, and the image {IMAGE} cannot be fetched here")
        inside = ("--volume", f"{FOLDER}:/rules:ro", "--workdir", "/rules", "--entrypoint", "promtool")
        command = ["docker", "run", "--rm", "--network", "none", *inside, IMAGE]
    done = _run(*command, *arguments)
    assert done.returncode == 0, f"promtool {' '.join(arguments)}:\n{done.stdout}"


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=FOLDER, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=os.environ
    )


@pytest.mark.timeout(180)
@pytest.mark.parametrize("what", [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml")])
def test_prometheus_can_read_them(what: tuple[str, ...]) -> None:
    promtool(*what)


@pytest.mark.timeout(180)
def test_every_alert_fires_when_it_should_and_not_just_below() -> None:
    promtool("test", "rules", "rules_test.yml")


def test_every_alert_is_tried() -> None:
    read = yaml.safe_load((FOLDER / "rules_test.yml").read_text(encoding="utf-8"))
    tried = [one for test in read["tests"] for one in test["alert_rule_test"] if one["exp_alerts"]]
    fired = {(one["alertname"], alert["exp_labels"]["severity"]) for one in tried for alert in one["exp_alerts"]}
    assert fired == {(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_says_what_is_wrong_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    said = rule["annotations"]
    assert said["summary"]
    assert said["description"].rstrip().endswith((".", "{{ end }}"))
    assert said["runbook"] == f"{PAGE}#{rule['alert'].lower()}"
    heading, _, rest = (ROOT / PAGE).read_text(encoding="utf-8").partition(f"\n### {rule['alert']}\n")
    paragraph = rest.partition("\n#")[0].strip()
    assert heading, PAGE
    assert len(paragraph) > 100, f"{PAGE} does not say what to do about {rule['alert']}"


async def test_every_metric_that_a_rule_names_is_one_that_a_service_has(
    service_database: Callable[[str], Awaitable[str]],
) -> None:
    async with world(service_database) as running:
        places = [*(f"/api/{name}/metrics" for name in running.services), "/metrics"]
        told = "\n".join([(await running.page(path)).text for path in places])
    has = set(re.findall(r"^# TYPE (\w+) ", told, re.MULTILINE))
    named = {rule["alert"]: set(re.findall(r"\bkei_\w+", rule["expr"])) for rule in alerts()}
    assert all(names or alert == "ServiceDown" for alert, names in named.items()), (
        "a rule that asks for nothing of ours"
    )
    assert {alert: names - has for alert, names in named.items() if names - has} == {}


def test_every_service_of_the_deployment_that_tells_anything_is_scraped() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    serving = {name for name, one in compose["services"].items() if (one.get("command") or [""])[0] == "serve"}
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    (discovery,) = config["scrape_configs"][0]["dns_sd_configs"]
    assert set(discovery["names"]) == serving
    assert (discovery["type"], discovery["port"]) == ("A", 8000)
