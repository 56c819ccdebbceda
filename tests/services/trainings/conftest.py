from uuid import UUID, uuid4

import httpx2
import pytest

from shared.transport.local import LocalTransport
from tests.services.trainings.actions import wait_until_handled
from tests.support import factories


@pytest.fixture
async def clusters(client: httpx2.AsyncClient, transport: LocalTransport) -> list[UUID]:
    """Four clusters of one consortium."""
    ids = [uuid4() for _ in range(4)]
    await factories.deliver(
        transport, *(factories.cluster_registered_event(cluster_id=id, name=f"Cluster {n}") for n, id in enumerate(ids))
    )
    await wait_until_handled(client, len(ids))
    return ids
