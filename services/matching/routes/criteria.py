"""`/criteria-sets`: by what plans are made, under names and in versions."""

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
    """By what to plan: criteria, or the name of some; with neither, those that a consortium begins with."""

    consortium_id: UUID
    criteria: Criteria | None = None
    criteria_set_id: UUID | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.criteria is not None and self.criteria_set_id is not None:
            raise ValueError("Give criteria or criteria_set_id, not both.")
        return self

    async def chosen(self, tx: WriteSession, *, published: bool) -> Criteria:
        """The criteria; of a set that has to be `published` if so asked.

        Raises:
            NotFound, Conflict.
        """
        if self.criteria_set_id is not None:
            return await commands.usable_criteria(tx, self.criteria_set_id, self.consortium_id, published=published)
        return self.criteria or Criteria()


class NewCriteriaSet(RequestModel):
    """Criteria under a name; whatever is left out of them is as a consortium begins."""

    consortium_id: UUID
    name: Annotated[Name, Field(max_length=100)]
    criteria: Criteria = Criteria()


class ChangedCriteria(RequestModel):
    """What a draft is to hold from now on, as a whole."""

    criteria: Criteria


class CriteriaSetView(ResponseModel):
    """Criteria under a name, and which version (`number`) of them."""

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
    """The JSON Schema of criteria: every weight, rule, price and place that can be set, with what it means."""
    return Criteria.model_json_schema()


@router.post("/criteria-sets", status_code=201)
async def draft_criteria(caller: Coordinator, tx: Tx, body: NewCriteriaSet, response: Response) -> CriteriaSetView:
    """Draft criteria: the next version under their name."""
    caller.enter(body.consortium_id)
    made = await commands.draft(tx, clock.new_id(), body.consortium_id, body.name, body.criteria)
    response.headers["Location"] = f"criteria-sets/{made.id}"
    etag(response, made.version)
    return CriteriaSetView.model_validate(made)


@router.get("/criteria-sets")
async def list_criteria(caller: Anyone, db: Read, paging: Paging) -> Page[CriteriaSetView]:
    """The criteria sets of the caller's consortium, oldest first."""
    rows = await queries.criteria_sets(db, caller.scope(), paging.after, paging.limit + 1)
    return paging.page([CriteriaSetView.model_validate(row) for row in rows], lambda row: (row.id,))


@router.get("/criteria-sets/{id}")
async def show_criteria(caller: Anyone, db: Read, id: UUID, response: Response) -> CriteriaSetView:
    """One criteria set."""
    found = await queries.criteria_set(db, id, caller.within)
    etag(response, found.version)
    return CriteriaSetView.model_validate(found)


@router.put("/criteria-sets/{id}")
async def change_criteria(
    caller: Coordinator, tx: Tx, id: UUID, expected_version: IfMatch, body: ChangedCriteria, response: Response
) -> CriteriaSetView:
    """Change a draft. Published criteria stay as they are."""
    found = await commands.change(tx, id, expected_version, caller.within, body.criteria)
    etag(response, found.version)
    return CriteriaSetView.model_validate(found)


@router.post("/criteria-sets/{id}/publication")
async def publish_criteria(
    caller: Coordinator, tx: Tx, id: UUID, expected_version: IfMatch, response: Response
) -> CriteriaSetView:
    """Publish a draft, so that runs can be made by it."""
    found = await commands.publish(tx, id, expected_version, caller.within)
    etag(response, found.version)
    return CriteriaSetView.model_validate(found)
