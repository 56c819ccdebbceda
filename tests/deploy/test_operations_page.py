"""The page for operators says what is: the variables that can be set, and the sentences that processes end with."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
HERE = {"KEI_DATABASE_URL": "postgresql://members@127.0.0.1:1/none", "KEI_CURSOR_SECRET": "c" * 32}


def test_every_variable_of_the_deployment_is_in_the_table_and_no_other() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    table = PAGE.partition("\n## Settings\n")[2].partition("\n<!-- settings -->")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(set(re.findall(r"\$\{(\w+)", compose)))


def test_every_secret_of_the_deployment_is_in_the_table() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    files = set(re.findall(r"\{KEI_SECRETS:-\./\.secrets\}/([\w.]+)\"\}", compose))
    table = PAGE.partition("\n## Secrets\n")[2].partition("\n## ")[0]
    documented = set(
        re.findall(r"`([\w.<>]+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line))
    )
    assert {re.sub(r"^(members|trainings|matching|notifications)_", "<service>_", file) for file in files} <= documented


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"KEI_CURSOR_SECRET": ""}, "KEI_CURSOR_SECRET: Field required."),
        ({"KEI_CURSOR_SECRET": "short"}, "KEI_CURSOR_SECRET is weak: it needs 32 characters."),
        ({"KEI_POOL_SIZE": "1"}, "KEI_POOL_SIZE: Input should be greater than or equal to 2."),
    ],
)
def test_what_a_service_ends_with_is_on_the_page(settings: dict[str, str], message: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KEI_")}
    ended = subprocess.run(
        [sys.executable, "-c", "from deploy.cli import app; app()", "serve", "members"],
        cwd=ROOT,
        env={**inherited, **HERE, **settings, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.strip() == message
    assert f"`{message}`" in PAGE


@pytest.mark.parametrize(
    ("quote", "where"),
    [
        (
            "KEI_KAFKA_BOOTSTRAP_SERVERS is not set: a service that runs alone needs a broker (host:port)",
            "shared/runtime.py",
        ),
        (
            "A Kafka user needs a password and a password a user: KEI_KAFKA_USER, KEI_KAFKA_PASSWORD.",
            "shared/transport/kafka_connection.py",
        ),
        ("the password of user", "shared/transport/kafka_connection.py"),
        ("waiting for PostgreSQL", "deploy/schema_check.py"),
        ("the database is ahead of this version", "deploy/schema_check.py"),
        ("has no schema yet. Run: kei migrate", "deploy/schema_check.py"),
        ("which this version needs.", "deploy/schema_check.py"),
        ("was given is that of", "deploy/schema_check.py"),
        ("end what reads or migrates it, and try again.", "deploy/migrate.py"),
        ("Remove it to have it created again.", "deploy/secrets.py"),
        ("a loop of the service ended; the process ends", "shared/runtime.py"),
        ("metrics collector failed", "shared/web/ops.py"),
        ("request failed", "shared/web/edge.py"),
        ("request refused", "shared/web/edge.py"),
        ("transport send failed, retrying", "shared/outbox/relay.py"),
        ("relay lost its database, retrying", "shared/outbox/relay.py"),
        ("relay leader has no heartbeat, taking over", "shared/outbox/relay.py"),
        ("inbox worker", "shared/inbox/worker.py"),
        ("event failed", "shared/inbox/worker.py"),
        ("reading from Kafka failed, retrying", "shared/transport/kafka.py"),
        ("certificate check failed", "services/console/jobs/certificate_monitor.py"),
    ],
)
def test_what_the_page_quotes_is_what_the_code_says(quote: str, where: str) -> None:
    assert quote in " ".join(PAGE.split())
    assert quote in (ROOT / where).read_text(encoding="utf-8")
