"""`/criteria-sets`: weights, exclusion rules and objectives of plans, with names and versions."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import Response
from pydantic import Field, model_validator

from services.matching.commands import criteria as commands
from services.matching.queries import criteria as queries
from services.matching.rules.inputs.criteria import Criteria
from shared import clock
from shared.auth import Anyone, Coordinator
from shared.db import WriteSession
from shared.web import IfMatch, Name, Page, Paging, Read, RequestModel, ResponseModel, Router, Tx, etag

router = Router()


class ByCriteria(RequestModel):
    """Criteria, or the id of a criteria set; without both, the default criteria."""

    consortium_id: UUID
    criteria: Criteria | None = None
    criteria_set_id: UUID | None = None

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.criteria is not None and self.criteria_set_id is not None:
            raise ValueError("Give criteria or criteria_set_id, not both.")
        return self

    async def chosen_criteria(self, tx: WriteSession, *, published: bool) -> Criteria:
        """The criteria; with `published` a set that is a draft is refused.

        Raises:
            NotFound, Conflict.
        """
        if self.criteria_set_id is not None:
            return await commands.usable_criteria(tx, self.criteria_set_id, self.consortium_id, published=published)
        return self.criteria or Criteria()


class NewCriteriaSet(RequestModel):
    """Criteria under a name; what is left out of them is the default."""

    consortium_id: UUID
    name: Annotated[Name, Field(max_length=100)]
    criteria: Criteria = Criteria()


class ChangedCriteria(RequestModel):
    """The new criteria of a draft, as a whole."""

    criteria: Criteria


class CriteriaSetView(ResponseModel):
    """A version (`number`) of the criteria under a name."""

    id: UUID
    consortium_id: UUID
    name: str
    number: int
    state: Literal["draft", "published"]
    criteria: dict[str, Any]
    version: int
    created_at: datetime


@router.get("/criteria-schema")
async def show_schema(_: Anyone) -> dict[str, Any]:
    """The JSON Schema of criteria, with a description of each weight, rule, price and capacity."""
    return Criteria.model_json_schema()


@router.post("/criteria-sets", status_code=201)
async def draft_criteria(caller: Coordinator, tx: Tx, body: NewCriteriaSet, response: Response) -> CriteriaSetView:
    """Add a draft: the next version under this name."""
    caller.enter(body.consortium_id)
    criteria_set = await commands.draft(tx, clock.new_id(), body.consortium_id, body.name, body.criteria)
    response.headers["Location"] = f"criteria-sets/{criteria_set.id}"
    etag(response, criteria_set.version)
    return CriteriaSetView.model_validate(criteria_set)


@router.get("/criteria-sets")
async def list_criteria(caller: Anyone, db: Read, paging: Paging) -> Page[CriteriaSetView]:
    """The criteria sets of the caller's consortium, oldest first."""
    rows = await queries.criteria_sets(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([CriteriaSetView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.get("/criteria-sets/{id}")
async def show_criteria(caller: Anyone, db: Read, id: UUID, response: Response) -> CriteriaSetView:
    """One criteria set."""
    criteria_set = await queries.criteria_set(db, id, caller.within)
    etag(response, criteria_set.version)
    return CriteriaSetView.model_validate(criteria_set)


@router.put("/criteria-sets/{id}")
async def change_criteria(
    caller: Coordinator, tx: Tx, id: UUID, expected_version: IfMatch, body: ChangedCriteria, response: Response
) -> CriteriaSetView:
    """Replace the criteria of a draft. A published version cannot be changed."""
    criteria_set = await commands.change(tx, id, expected_version, caller.within, body.criteria)
    etag(response, criteria_set.version)
    return CriteriaSetView.model_validate(criteria_set)


@router.post("/criteria-sets/{id}/publication")
async def publish_criteria(
    caller: Coordinator, tx: Tx, id: UUID, expected_version: IfMatch, response: Response
) -> CriteriaSetView:
    """Publish a draft, so that runs can use it."""
    criteria_set = await commands.publish(tx, id, expected_version, caller.within)
    etag(response, criteria_set.version)
    return CriteriaSetView.model_validate(criteria_set)
