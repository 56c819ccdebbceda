"""`kei matching`: rebuild the projection, replay a run, show a run's plan."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated
from uuid import UUID

import typer

from deploy.api_client import Api
from deploy.cli.common import out
from deploy.cli.options import ApiOptions, with_option_groups
from deploy.sample_data.wait import wait_until_idle
from shared.api_client import Json
from shared.clock import new_id

matching = typer.Typer(no_args_is_help=True, help="Rebuild the projection, replay a run, show a plan.")
MAX_REASONS = 3
"""Terms shown per pair, the greatest first."""
MAX_EXPLAINED_LEARNERS = 100
"""Learners with other possible mentors shown, without --learner."""
RunArgument = Annotated[UUID, typer.Argument(help="Id of the run.")]


@matching.command("rebuild")
@with_option_groups
def rebuild(connection: ApiOptions) -> None:
    """Rebuild the projection from the other services' logs, and compare its hash with the one before."""

    async def work(api: Api) -> None:
        await wait_until_idle(api)
        before = (await api.get("matching", "/projection"))["state_hash"]
        await api.request("DELETE", "matching", "/projection")
        for service in ("members", "trainings"):
            await api.write(service, "/ops/replays", {"after": 0}, key=str(new_id()))
        await wait_until_idle(api)
        after = (await api.get("matching", "/projection"))["state_hash"]
        out.print(f"before {before}\nafter  {after}\n{'The same.' if before == after else 'They differ.'}")
        if before != after:
            raise typer.Exit(1)

    connection.run(work)


@matching.command("replay")
@with_option_groups
def replay_run(connection: ApiOptions, run: RunArgument) -> None:
    """Solve a run's input again and compare the plans; exit status 1 if they differ. Changes nothing."""

    async def work(api: Api) -> None:
        comparison = await api.write("matching", f"/runs/{run}/replay", None, key=str(new_id()))
        for difference in comparison["differences"]:
            out.print(difference)
        out.print("The same plan." if comparison["identical"] else "The plans differ.")
        if not comparison["identical"]:
            raise typer.Exit(1)

    connection.run(work)


@matching.command("show")
@with_option_groups
def show(
    connection: ApiOptions,
    run: RunArgument,
    against: Annotated[
        UUID | None, typer.Option(help="A mentor: show for each learner what a pair with it would take.")
    ] = None,
    learner: Annotated[UUID | None, typer.Option(help="Show other possible mentors of this learner only.")] = None,
) -> None:
    """Show a run's plan: pairs and reasons, shadow prices, unmatched learners, other possible mentors."""

    async def work(api: Api) -> None:
        shown = (await api.get("matching", f"/runs/{run}"))["run"]
        plan = await api.get("matching", f"/runs/{run}/plan")
        names = {cluster["id"]: cluster["name"] for cluster in await api.items("members", "/clusters")}
        learners = list(dict.fromkeys(pair["learner_id"] for pair in plan["pairs"]))
        learners = learners[:MAX_EXPLAINED_LEARNERS] if learner is None else [str(learner)]
        query = {} if against is None else {"mentor_id": str(against)}
        explanations = [
            await api.get("matching", f"/runs/{run}/explanations/{learner_id}", **query) for learner_id in learners
        ]
        for line in (*_plan(shown, plan, names), *_alternatives(explanations, names)):
            out.print(line, markup=False, highlight=False)
        if learner is None and len(learners) == MAX_EXPLAINED_LEARNERS:
            out.print(f"\nOther mentors are shown for {MAX_EXPLAINED_LEARNERS} learners; use --learner for any other.")

    connection.run(work)


def _plan(run: Json, plan: Json, names: Mapping[str, str]) -> Iterator[str]:
    proof = "no plan is better" if plan["exact"] else run["reason"]
    yield f"{len(plan['pairs'])} pairs, {_points(plan['total'])} points; {proof}."
    for pair in sorted(plan["pairs"], key=lambda pair: -pair["score"]):
        yield f"\n{names[pair['mentor_id']]} mentors {names[pair['learner_id']]}: {_points(pair['score'])} points"
        greatest = sorted(pair["terms"], key=lambda term: -term["hundredths"])[:MAX_REASONS]
        yield from (f"  {_points(term['hundredths']):>6}  {term['reason']}" for term in greatest)
    if plan["prices"]:
        yield "\nWhat one more slot would add"
    for price in plan["prices"]:
        gainer = f"; {names[price['gainer_id']]} would gain most" if price["gainer_id"] else ""
        yield f"  {names[price['mentor_id']]}, whose slots are taken: {_points(price['gain'])} points{gainer}"
    if plan["unmatched"]:
        yield "\nLearners without a mentor"
    for unmatched in plan["unmatched"]:
        yield f"  {names[unmatched['learner_id']]}: {unmatched['reason']} {unmatched['remedy']}"
    yield from (f"  {shortfall['reason']}" for shortfall in plan["shortfalls"])


def _alternatives(explanations: Sequence[Json], names: Mapping[str, str]) -> Iterator[str]:
    if any(explanation["alternates"] for explanation in explanations):
        yield "\nOther possible mentors"
    for explanation in explanations:
        learner = names[explanation["learner_id"]]
        yield from (f"  {learner}: {alternate['reason']}" for alternate in explanation["alternates"])
    answered = [explanation for explanation in explanations if explanation["counterfactual"]]
    if answered:
        yield f"\nWhat a pair with {names[answered[0]['counterfactual']['mentor_id']]} would take"
    for explanation in answered:
        yield f"  {names[explanation['learner_id']]}: {explanation['counterfactual']['reason']}"


def _points(hundredths: int) -> str:
    return f"{hundredths / 100:.2f}"
