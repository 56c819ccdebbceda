"""The console as a process of its own: put together from its environment."""

import json
from pathlib import Path

import httpx2
import pytest
from pydantic import ValidationError

from services.console.main import from_environment
from services.console.settings import ConsoleSettings
from shared.auth import Issuer
from tests.services.console.world import ISSUER, Create, world

PAGES = ("/", "/trainings", "/pairs", "/mentorships", "/ledger", "/next", "/feed")


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    """An issuer whose key and keys are files, as a deployment has them."""
    made = Issuer.load(tmp_path / "issuer.json", issuer=ISSUER, audience="kei")
    (tmp_path / "jwks.json").write_text(json.dumps(made.jwks()))
    return made


def settings(monkeypatch: pytest.MonkeyPatch, folder: Path, api: str) -> ConsoleSettings:
    wanted = {"API_URL": api, "ISSUER": ISSUER, "AUDIENCE": "kei"}
    wanted |= {"JWKS_URL": str(folder / "jwks.json"), "ISSUER_KEY": str(folder / "issuer.json")}
    for name, value in wanted.items():
        monkeypatch.setenv(f"KEI_{name}", value)
    return ConsoleSettings()


async def test_it_asks_with_a_token_that_it_signs_itself(
    service_database: Create, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, issuer: Issuer
) -> None:
    async with world(service_database, issuer=issuer) as running:
        dates = {"starts_on": "2026-01-01", "ends_on": "2027-12-31"}
        await running.post("members/consortia", {"slug": "one", "name": "Number One", "programme": "P", **dates})
        app = from_environment(settings(monkeypatch, tmp_path, f"{running.url}/api"))
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            for path in PAGES:
                page = await client.get(path, headers={"Accept": "text/html"})
                assert page.status_code == 200
                assert "Part of this page is missing" not in page.text, path
            assert "Number One" in (await client.get("/")).text
            page = await client.get("/operations", headers={"Cookie": f"kei={running.token}"})
            assert "4 of 4 services respond." in page.text


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("JWKS_URL", "", "Field required"), ("ISSUER_KEY", "nowhere", "does not point to a file")],
)
async def test_without_keys_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, issuer: Issuer, name: str, value: str, message: str
) -> None:
    assert issuer.jwks()
    settings(monkeypatch, tmp_path, "http://127.0.0.1:1/api")
    monkeypatch.setenv(f"KEI_{name}", value)
    with pytest.raises(ValidationError, match=message):
        ConsoleSettings()
