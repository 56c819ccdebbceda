"""`/desk/what-ifs`: what the plan would be with other weights and pairs, beside what it is."""

from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.console.api.plan_models import Figures, WhatIfInFull, Wished
from services.console.api.user_client import Deed, acting_of
from services.console.pages.desk import ours
from services.console.request import forms
from services.console.request.page_context import Visit, show
from services.console.request.session import Coordinator, from_here
from services.console.view import labels
from services.console.view.plan_diff import changes, pairs
from shared import clock
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)

Objective = Literal["total", "pairs", "fairest"]
OBJECTIVES = {"total": "best total", "pairs": "most pairs", "fairest": "fairest: the worst served first"}
KINDS = {"forced": "must be in the plan", "forbidden": "must not be in it"}
_ID = "[0-9a-f-]{36}"
Two = Annotated[str, Field(pattern=f"^{_ID}:{_ID}$")]
"""A pair on the form: mentor and learner."""
Weight = Annotated[int, Field(ge=0, le=10_000)]


class Slider(NamedTuple):
    """A weight on the form."""

    name: str
    title: str
    value: int


class Row(NamedTuple):
    """A figure of both plans."""

    name: str
    before: str
    after: str


class Wish(NamedTuple):
    """A pair that was to be in the plan or was not to be, and still is."""

    kind: str
    value: str
    labels: str


class Supposed(forms.Form):
    """Other weights, another objective, pairs that are to be in the plan or are not to be, and one more of them."""

    consortium_id: UUID
    name: str = Field(min_length=1, max_length=200)
    objective: Objective
    knowledge: Weight
    requests: Weight
    ecosystems: Weight
    cross_border: Weight
    value_chain: Weight
    languages: Weight
    record: Weight
    reciprocity: Weight
    novelty: Weight
    travel: Weight
    forced: list[Two] = Field(default=[])
    forbidden: list[Two] = Field(default=[])
    mentor_id: str = ""
    learner_id: str = ""
    pair: Literal["", "forced", "forbidden"] = ""
    once: UUID

    def body(self) -> dict[str, Any]:
        """As matching takes it."""
        weights = {name: getattr(self, name) for name in labels.TERMS}
        body: dict[str, Any] = {"consortium_id": str(self.consortium_id), "name": self.name}
        body["criteria"] = {"objective": self.objective, "weights": weights}
        for kind, kept in (("forced", self.forced), ("forbidden", self.forbidden)):
            more = [f"{self.mentor_id}:{self.learner_id}"] if self.pair == kind else []
            pairs = [two.split(":") for two in dict.fromkeys([*kept, *more])]
            body[kind] = [{"mentor_id": mentor, "learner_id": learner} for mentor, learner in pairs]
        return body


@router.get("/desk/what-ifs/new")
async def new(
    request: Request, caller: Coordinator, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """The form, as a consortium begins."""

    async def build(visit: Visit) -> dict[str, Any]:
        ours(visit, caller)
        weights = await visit.ask(visit.clients.weights(), {})
        visit.need("matching")
        return _form(weights, "total", "A try") | {"one": None, "wishes": []}

    return await show(request, "what_if.html", consortium, build)


@router.get("/desk/what-ifs/{id}")
async def what_if(
    request: Request, caller: Coordinator, id: UUID, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """What it would be, beside what it is, and the form to go on from there."""

    async def build(visit: Visit) -> dict[str, Any]:
        here = ours(visit, caller)
        found = await visit.ask(visit.clients.what_if(id), None)
        visit.need("matching")
        if found is None or found.consortium_id != here:
            raise NotFound("no-such-what-if", "There is no such what-if.")
        form = _form(found.criteria["weights"], found.criteria.get("objective", "total"), f"{found.name}, on")
        return form | _beside(visit, found)

    return await show(request, "what_if.html", consortium, build)


def _form(weights: dict[str, int], objective: str, name: str) -> dict[str, Any]:
    sliders = [Slider(one, labels.TERMS[one], weights[one]) for one in labels.TERMS]
    return {
        "sliders": sliders,
        "objective": objective,
        "objectives": OBJECTIVES,
        "kinds": KINDS,
        "name": name[:200],
        "once": clock.new_id,
    }


def _beside(visit: Visit, found: WhatIfInFull) -> dict[str, Any]:
    both = found.comparison
    return {
        "one": found,
        "wishes": [*_wishes(visit, "forced", found.forced), *_wishes(visit, "forbidden", found.forbidden)],
        "rows": _rows(both.before, both.after),
        "changes": changes(visit, {one.cluster_id: one.after - one.before for one in both.shifts}),
        "added": pairs(visit, both.added),
        "dropped": pairs(visit, both.dropped),
    }


def _wishes(visit: Visit, kind: str, pairs: list[Wished]) -> list[Wish]:
    return [
        Wish(
            kind,
            f"{two.mentor_id}:{two.learner_id}",
            f"{visit.name(two.mentor_id)} teaches {visit.name(two.learner_id)}: {KINDS[kind]}",
        )
        for two in pairs
    ]


def _rows(before: Figures, after: Figures) -> list[Row]:
    return [
        Row("Pairs", str(before.pairs), str(after.pairs)),
        Row("Learners served", str(before.served), str(after.served)),
        Row("Points together", labels.points(before.total), labels.points(after.total)),
        Row("The worst served learner", labels.points(before.worst), labels.points(after.worst)),
        Row("Gini (0: all the same)", f"{before.gini / 1000:.3f}", f"{after.gini / 1000:.3f}"),
    ]


@router.post("/desk/what-ifs", dependencies=[Depends(from_here)])
async def suppose(request: Request, caller: Coordinator) -> Response:
    """Plan for what is supposed."""
    form = await forms.read(request, Supposed)
    made = await acting_of(request).do(caller, Deed("POST", "/what-ifs", form.body(), None, form.once))
    return RedirectResponse(f"/desk/what-ifs/{made['id']}", 303)


class Drafting(forms.Form):
    """The form's own number."""

    once: UUID


@router.post("/desk/what-ifs/{id}/draft", dependencies=[Depends(from_here)])
async def draft(request: Request, caller: Coordinator, id: UUID) -> Response:
    """Make a draft of a what-if."""
    form = await forms.read(request, Drafting)
    made = await acting_of(request).do(caller, Deed("POST", f"/what-ifs/{id}/drafts", {}, None, form.once))
    return RedirectResponse(f"/desk/runs/{made['id']}", 303)
