"""Consortia."""

from uuid import UUID

from sqlalchemy.exc import IntegrityError

from services.members.tables import Consortium
from shared.dates import Day
from shared.db import WriteSession
from shared.errors import Conflict, Invalid
from shared.schemas import Name, RequestModel, Slug


class NewConsortium(RequestModel):
    """A consortium to be created."""

    slug: Slug
    name: Name
    programme: Name
    starts_on: Day
    ends_on: Day
    coordinator_slug: Slug | None = None


async def create(tx: WriteSession, id: UUID, new: NewConsortium) -> Consortium:
    """Add a consortium.

    Raises:
        Invalid: it ends before it starts.
        Conflict: its slug is taken.
    """
    if new.ends_on < new.starts_on:
        raise Invalid("ends-before-start", "A consortium cannot end before it starts.", field="ends_on")
    consortium = Consortium(id=id, **new.model_dump())
    tx.add(consortium)
    try:
        await tx.flush()
    except IntegrityError as error:
        raise Conflict("slug-taken", f"There is a consortium {new.slug!r} already.", field="slug") from error
    return consortium
