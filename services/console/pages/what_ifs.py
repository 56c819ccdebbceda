"""`/desk/what-ifs`: the plan with other weights or fixed pairs, compared with the current plan."""

from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import Field

from services.console.api.models.matching import PairKey, PlanSummary, WhatIfDetails
from services.console.api.user_client import ApiCommand
from services.console.pages.desk import require_own_consortium
from services.console.request import forms
from services.console.request.page_context import PageContext, render_page
from services.console.request.session import Coordinator, require_same_origin
from services.console.view import formatting, labels
from services.console.view.plan_diff import FigureRow, learner_changes, pair_sentences
from shared import clock
from shared.errors import NotFound
from shared.web import Router

router = Router(include_in_schema=False)

Objective = Literal["total", "pairs", "fairest"]
OBJECTIVES = {"total": "best total", "pairs": "most pairs", "fairest": "fairest: the lowest scores first"}
PAIR_RULES = {"forced": "must be paired", "forbidden": "must not be paired"}
_ID = "[0-9a-f-]{36}"
PairField = Annotated[str, Field(pattern=f"^{_ID}:{_ID}$")]
"""A pair in the form: the ids of mentor and learner."""
Weight = Annotated[int, Field(ge=0, le=10_000)]


class Slider(NamedTuple):
    """A weight in the form."""

    name: str
    title: str
    value: int


class FixedPair(NamedTuple):
    """A forced or forbidden pair in the form."""

    rule: str
    value: str
    sentence: str


class WhatIfForm(forms.Form):
    """Weights, objective, forced and forbidden pairs, and one more pair."""

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
    forced: list[PairField] = Field(default=[])
    forbidden: list[PairField] = Field(default=[])
    mentor_id: str = ""
    learner_id: str = ""
    pair: Literal["", "forced", "forbidden"] = ""
    idempotency_key: UUID

    def body(self) -> dict[str, Any]:
        """The body of the API request."""
        weights = {name: getattr(self, name) for name in labels.SCORE_TERMS}
        body: dict[str, Any] = {"consortium_id": str(self.consortium_id), "name": self.name}
        body["criteria"] = {"objective": self.objective, "weights": weights}
        for rule, fields in (("forced", self.forced), ("forbidden", self.forbidden)):
            added = [f"{self.mentor_id}:{self.learner_id}"] if self.pair == rule else []
            pairs = [field.split(":") for field in dict.fromkeys([*fields, *added])]
            body[rule] = [{"mentor_id": mentor, "learner_id": learner} for mentor, learner in pairs]
        return body


@router.get("/desk/what-ifs/new")
async def new(
    request: Request, caller: Coordinator, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """The form with the default criteria."""

    async def build(context: PageContext) -> dict[str, Any]:
        require_own_consortium(context, caller)
        weights = await context.or_default(context.api.matching.default_weights(), {})
        context.require("matching")
        return _form_values(weights, "total", "Trial") | {"what_if": None, "fixed_pairs": []}

    return await render_page(request, "what_if.html", consortium, build)


@router.get("/desk/what-ifs/{id}")
async def what_if(
    request: Request, caller: Coordinator, id: UUID, consortium: Annotated[str | None, Query(max_length=100)] = None
) -> HTMLResponse:
    """The comparison, and the form with the criteria of this what-if."""

    async def build(context: PageContext) -> dict[str, Any]:
        own = require_own_consortium(context, caller)
        what_if = await context.or_default(context.api.matching.what_if(id), None)
        context.require("matching")
        if what_if is None or what_if.consortium_id != own:
            raise NotFound("no-such-what-if", "There is no such what-if.")
        criteria = what_if.criteria
        form = _form_values(criteria["weights"], criteria.get("objective", "total"), f"{what_if.name}, changed")
        return form | _comparison(context, what_if)

    return await render_page(request, "what_if.html", consortium, build)


def _form_values(weights: dict[str, int], objective: str, name: str) -> dict[str, Any]:
    return {
        "sliders": [Slider(term, title, weights[term]) for term, title in labels.SCORE_TERMS.items()],
        "objective": objective,
        "objectives": OBJECTIVES,
        "pair_rules": PAIR_RULES,
        "name": name[:200],
        "new_key": clock.new_id,
    }


def _comparison(context: PageContext, what_if: WhatIfDetails) -> dict[str, Any]:
    comparison, name = what_if.comparison, context.cluster_name
    changes = {delta.cluster_id: delta.after - delta.before for delta in comparison.shifts}
    return {
        "what_if": what_if,
        "fixed_pairs": [
            *_fixed_pairs(context, "forced", what_if.forced),
            *_fixed_pairs(context, "forbidden", what_if.forbidden),
        ],
        "rows": _figure_rows(comparison.before, comparison.after),
        "changes": learner_changes(changes, name),
        "added": pair_sentences(comparison.added, name),
        "removed": pair_sentences(comparison.dropped, name),
    }


def _fixed_pairs(context: PageContext, rule: str, pairs: list[PairKey]) -> list[FixedPair]:
    return [
        FixedPair(
            rule,
            f"{pair.mentor_id}:{pair.learner_id}",
            f"{context.cluster_name(pair.mentor_id)} and {context.cluster_name(pair.learner_id)} {PAIR_RULES[rule]}",
        )
        for pair in pairs
    ]


def _figure_rows(before: PlanSummary, after: PlanSummary) -> list[FigureRow]:
    return [
        FigureRow("Pairs", str(before.pairs), str(after.pairs)),
        FigureRow("Learners served", str(before.served), str(after.served)),
        FigureRow("Total points", formatting.points(before.total), formatting.points(after.total)),
        FigureRow("Lowest points of a learner", formatting.points(before.worst), formatting.points(after.worst)),
        FigureRow("Inequality (0 = equal)", f"{before.gini / 1000:.3f}", f"{after.gini / 1000:.3f}"),
    ]


@router.post("/desk/what-ifs", dependencies=[Depends(require_same_origin)])
async def create_what_if(request: Request, caller: Coordinator) -> Response:
    """Plan with the criteria of the form."""
    form = await forms.read(request, WhatIfForm)
    command = ApiCommand("POST", "/what-ifs", form.body(), None, form.idempotency_key)
    what_if = await request.app.state.user_client.send(caller.token, command)
    return RedirectResponse(f"/desk/what-ifs/{what_if['id']}", 303)


class DraftForm(forms.Form):
    """The button that makes a draft."""

    idempotency_key: UUID


@router.post("/desk/what-ifs/{id}/draft", dependencies=[Depends(require_same_origin)])
async def create_draft(request: Request, caller: Coordinator, id: UUID) -> Response:
    """Make a draft of a what-if."""
    form = await forms.read(request, DraftForm)
    command = ApiCommand("POST", f"/what-ifs/{id}/drafts", {}, None, form.idempotency_key)
    run = await request.app.state.user_client.send(caller.token, command)
    return RedirectResponse(f"/desk/runs/{run['id']}", 303)
