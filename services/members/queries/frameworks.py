"""Reading assessment frameworks."""

from collections.abc import Sequence

from sqlalchemy import select

from services.members.tables import Framework
from shared.db import ReadSession
from shared.errors import NotFound
from shared.keyset import page


async def frameworks(db: ReadSession, after: tuple[str] | None, limit: int) -> Sequence[Framework]:
    """Frameworks in order of code."""
    return (await db.scalars(page(select(Framework), [Framework.code], after, limit))).all()


async def framework(db: ReadSession, code: str) -> Framework:
    """One framework.

    Raises:
        NotFound
    """
    framework = await db.get(Framework, code)
    if framework is None:
        raise NotFound("no-such-framework", "There is no such framework.")
    return framework
