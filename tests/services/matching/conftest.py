import httpx2
import pytest

from shared.transport.local import LocalTransport
from tests.services.matching.actions import Matching


@pytest.fixture
def matching(client: httpx2.AsyncClient, url: str, transport: LocalTransport) -> Matching:
    return Matching(client, url, transport)
