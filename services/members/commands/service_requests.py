"""Service requests: a cluster asks for help in an indicator."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.exc import IntegrityError

from services.members.commands.clusters import lock_cluster, next_version
from services.members.commands.frameworks import IndicatorRef, require_indicator
from services.members.tables import ServiceRequest
from shared import outbox
from shared.db import WriteSession
from shared.errors import Conflict
from shared.events.members import ServiceRequested
from shared.schemas import LongText, RequestModel, Slug


class NewServiceRequest(RequestModel):
    """Help that a cluster asks for; urgency 1 (some day) to 5 (at once)."""

    framework: Slug
    indicator: Slug
    urgency: Annotated[int, Field(ge=1, le=5)]
    text: LongText = ""
    illustrative: bool = False


async def request_service(tx: WriteSession, id: UUID, cluster_id: UUID, new: NewServiceRequest) -> ServiceRequest:
    """Ask for help in an indicator.

    Raises:
        NotFound.
        Invalid: there is no such indicator.
        Conflict: the cluster has left, or has an open request for the indicator.
    """
    cluster = await lock_cluster(tx, cluster_id)
    await require_indicator(tx, IndicatorRef(new.framework, new.indicator))
    request = ServiceRequest(id=id, cluster_id=cluster_id, consortium_id=cluster.consortium_id, **new.model_dump())
    tx.add(request)
    try:
        await tx.flush()
    except IntegrityError as error:
        message = f"The cluster has an open request for {new.indicator} already."
        raise Conflict("already-requested", message, field="indicator") from error
    event = ServiceRequested(
        cluster_id=cluster_id,
        consortium_id=cluster.consortium_id,
        request_id=id,
        framework=new.framework,
        indicator=new.indicator,
        urgency=new.urgency,
        illustrative=new.illustrative,
    )
    outbox.append(tx, event, version=next_version(cluster))
    return request
