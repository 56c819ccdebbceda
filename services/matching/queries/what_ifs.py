"""Queries for what-ifs. `within` limits a list to one consortium (None: all); `right(consortium)` permits one row."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select

from services.matching.rules.inputs.plan_input import PairKey, pair_keys
from services.matching.rules.inputs.plan_models import Plan
from services.matching.tables import WhatIf
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def what_ifs(db: ReadSession, within: UUID | None, after: tuple[UUID] | None, limit: int) -> Sequence[WhatIf]:
    """What-ifs, oldest first."""
    query = select(WhatIf)
    if within is not None:
        query = query.where(WhatIf.consortium_id == within)
    return (await db.scalars(page(query, [WhatIf.id], after, limit))).all()


async def what_if(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> WhatIf:
    """One what-if.

    Raises:
        NotFound
    """
    row = await db.get(WhatIf, id)
    if row is None or not right(row.consortium_id):
        raise NotFound("no-such-what-if", "There is no such what-if.")
    return row


async def plan(db: ReadSession, id: UUID, right: Callable[[UUID], bool]) -> Plan:
    """The plan of one what-if.

    Raises:
        NotFound
    """
    await what_if(db, id, right)
    return Plan.model_validate(await db.scalar(select(WhatIf.plan).where(WhatIf.id == id)))


async def planned_with(db: ReadSession, id: UUID) -> tuple[dict[str, Any], Sequence[PairKey], Sequence[PairKey]]:
    """The criteria, forced and forbidden pairs that an existing what-if was planned with."""
    parts = (WhatIf.inputs[name] for name in ("criteria", "forced", "forbidden"))
    criteria, forced, forbidden = (await db.execute(select(*parts).where(WhatIf.id == id))).one()
    return criteria, pair_keys(forced or ()), pair_keys(forbidden or ())
