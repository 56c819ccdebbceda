"""`kei matching`: the projection built anew, a run shown in words, a run's question asked again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated
from uuid import UUID

import typer

from deploy.api_client import Api
from deploy.cli.common import HOME, URL, HomeOption, TokenOption, UrlOption, out
from deploy.cli.operate import over_api, post
from deploy.sample_data.wait import wait_until_idle
from shared.api_client import Json
from shared.clock import new_id

matching = typer.Typer(no_args_is_help=True, help="The matching service.")
REASONS = 3
"""How many terms are told of a pair, the weightiest first."""
EXPLAINED = 100
"""For how many learners is told who else could mentor, if nobody says for which."""
RunArgument = Annotated[UUID, typer.Argument(help="The run.")]


@matching.command("rebuild")
def rebuild(url: UrlOption = URL, home: HomeOption = HOME, given: TokenOption = None) -> None:
    """Build the projection anew from the other services' logs, and compare it with what was there."""

    async def work(api: Api) -> None:
        await wait_until_idle(api)
        before = (await api.get("matching", "/projection"))["state_hash"]
        await api.request("DELETE", "matching", "/projection")
        for service in ("members", "trainings"):
            await post(api, service, "/ops/replays", {"after": 0})
        await wait_until_idle(api)
        after = (await api.get("matching", "/projection"))["state_hash"]
        out.print(f"before {before}\nafter  {after}\n{'The same.' if before == after else 'They differ.'}")
        if before != after:
            raise typer.Exit(1)

    over_api(url, home, given, work)


@matching.command("replay")
def ask_again(
    run: RunArgument,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """Ask a run's question again, and say whether the plan is the same; ends with 1 if not. Nothing is changed."""

    async def work(api: Api) -> None:
        told = await api.write("matching", f"/runs/{run}/replay", None, key=str(new_id()))
        for difference in told["differences"]:
            out.print(difference)
        out.print("The same plan." if told["identical"] else "The plans differ.")
        if not told["identical"]:
            raise typer.Exit(1)

    over_api(url, home, given, work)


@matching.command("show")
def show(
    run: RunArgument,
    against: Annotated[UUID | None, typer.Option(help="A mentor; what it would take, for each learner.")] = None,
    learner: Annotated[UUID | None, typer.Option(help="Tell who else could mentor this one only.")] = None,
    url: UrlOption = URL,
    home: HomeOption = HOME,
    given: TokenOption = None,
) -> None:
    """Tell a run's plan in words: pairs and why, who else could mentor, what a place is worth, who goes without."""

    async def work(api: Api) -> None:
        shown = (await api.get("matching", f"/runs/{run}"))["run"]
        plan = await api.get("matching", f"/runs/{run}/plan")
        names = {one["id"]: one["name"] for one in await api.items("members", "/clusters")}
        learners = list(dict.fromkeys(pair["learner_id"] for pair in plan["pairs"]))
        learners = learners[:EXPLAINED] if learner is None else [str(learner)]
        query = {} if against is None else {"mentor_id": str(against)}
        told = [await api.get("matching", f"/runs/{run}/explanations/{one}", **query) for one in learners]
        for line in (*_plan(shown, plan, names), *_others(told, names)):
            out.print(line, markup=False, highlight=False)
        if learner is None and len(learners) == EXPLAINED:
            out.print(f"\nWho else could mentor was asked for {EXPLAINED} learners; --learner tells it of any other.")

    over_api(url, home, given, work)


def _plan(run: Json, plan: Json, names: Mapping[str, str]) -> Iterator[str]:
    proved = "no plan is better" if plan["exact"] else run["reason"]
    yield f"{len(plan['pairs'])} pairs, {_points(plan['total'])} points; {proved}."
    for pair in sorted(plan["pairs"], key=lambda one: -one["score"]):
        yield f"\n{names[pair['mentor_id']]} mentors {names[pair['learner_id']]}: {_points(pair['score'])} points"
        weighty = sorted(pair["terms"], key=lambda term: -term["hundredths"])[:REASONS]
        yield from (f"  {_points(term['hundredths']):>6}  {term['reason']}" for term in weighty)
    if plan["prices"]:
        yield "\nWhat one more place would add"
    for price in plan["prices"]:
        gainer = f"; {names[price['gainer_id']]} would gain most" if price["gainer_id"] else ""
        yield f"  {names[price['mentor_id']]}, whose places are taken: {_points(price['gain'])} points{gainer}"
    if plan["unmatched"]:
        yield "\nWho goes without a mentor"
    for one in plan["unmatched"]:
        yield f"  {names[one['learner_id']]}: {one['reason']} {one['remedy']}"
    yield from (f"  {one['reason']}" for one in plan["shortfalls"])


def _others(told: Sequence[Json], names: Mapping[str, str]) -> Iterator[str]:
    if any(one["alternates"] for one in told):
        yield "\nWho else could mentor"
    for one in told:
        yield from (f"  {names[one['learner_id']]}: {other['reason']}" for other in one["alternates"])
    asked = [one for one in told if one["counterfactual"]]
    if asked:
        yield f"\nWhat {names[asked[0]['counterfactual']['mentor_id']]} would take"
    yield from (f"  {names[one['learner_id']]}: {one['counterfactual']['reason']}" for one in asked)


def _points(hundredths: int) -> str:
    return f"{hundredths / 100:.2f}"
