"""Plays a story through the public APIs. Every write has a key of its own, so playing it again changes nothing."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from deploy.api_client import Api
from deploy.sample_data.mentorships import load_mentorship
from deploy.sample_data.model import Activity, ProposalReply, SampleData
from deploy.sample_data.read import ParsedFile
from deploy.sample_data.wait import wait_for_replan, wait_for_run, wait_until_idle
from shared.api_client import ApiError, Json

Say = Callable[[str], None]
"""Shows what is being done."""


class AlreadyLoadedDifferently(Exception):
    """A story of this name was loaded before, and the file says something else now."""


MAX_CONCURRENT = 32
"""Clusters whose levels are written together."""


class NoProposal(Exception):
    """The story answers a proposal that nobody made."""


class Loader:
    """One playing of a story."""

    def __init__(self, api: Api, loaded: ParsedFile, say: Say) -> None:
        self._api, self._say = api, say
        self._story: SampleData = loaded.content
        self._frameworks = loaded.frameworks
        self._clusters: dict[str, str] = {}
        self._assessments = {one.slug: one.assessment for one in self._story.clusters}
        self.consortium_id = ""

    def _once(self, *what: str) -> str:
        """The key of a write."""
        return "/".join((self._story.story, *what))

    async def load(self) -> None:
        """Load everything, in the story's order; between the chapters every service catches up.

        Raises:
            ApiError: a service refused something.
            Changed: the file differs from what was loaded before.
            Unplayable: the story answers a proposal that nobody made.
        """
        await self._consortium()
        await wait_until_idle(self._api)
        turns = asyncio.Semaphore(
            MAX_CONCURRENT
        )  # thousands at once would wait for a connection longer than patience lasts
        await asyncio.gather(*(self._levels(place, turns) for place in range(len(self._story.clusters))))
        for activity in self._story.activities:
            await self._activity(activity)
        await wait_until_idle(self._api)
        await self._requests()
        await wait_until_idle(self._api)
        await self._answers(self._story.answers_to_requests, "request")
        await self._plan()
        await wait_until_idle(self._api)
        await self._answers(self._story.answers_to_plan, "plan")
        await wait_until_idle(self._api)
        for work in self._story.mentorships:
            self._say(f"Working with {work.learner}")
            assessment = self._assessments.get(work.learner)
            await load_mentorship(self._api, self._once, self._clusters[work.learner], work, assessment)
        await self._followed()
        self._say("Waiting until every service has caught up")
        await wait_until_idle(self._api)

    async def _write(self, service: str, path: str, body: Json, *once: str, **options: Any) -> Json:
        try:
            return await self._api.write(service, path, body, key=self._once(*once), **options)
        except ApiError as error:
            if error.problem.slug == "idempotency-key-reused":
                message = (
                    f"{' '.join(once)} of {self._story.story} was loaded before with other content. It stays as it is."
                )
                raise AlreadyLoadedDifferently(message) from error
            raise

    async def _consortium(self) -> None:
        self._say(f"Registering {self._story.consortium.name} and its {len(self._story.clusters)} clusters")
        body = self._story.consortium.model_dump(mode="json")
        self.consortium_id = (await self._write("members", "/consortia", body, "consortium"))["id"]
        for framework in self._frameworks:
            await self._write("members", "/frameworks", framework.model_dump(), "framework", framework.code)
        for cluster in self._story.clusters:
            body = {"consortium_id": self.consortium_id, **cluster.registration()}
            made = await self._write("members", "/clusters", body, "cluster", cluster.slug)
            self._clusters[cluster.slug] = made["id"]

    async def _levels(self, place: int, turns: asyncio.Semaphore) -> None:
        cluster = self._story.clusters[place]
        at = f"/clusters/{self._clusters[cluster.slug]}"
        if cluster.assessment is None:
            return
        async with turns:
            self._say(f"Assessing {cluster.name}")
            body = cluster.assessment.model_dump(mode="json")
            await self._write("members", f"{at}/assessments", body, "assessment", cluster.slug)
            for indicator, aim in cluster.targets.items():
                path = f"{at}/targets/{cluster.assessment.framework}/{indicator}"
                once = ("target", cluster.slug, indicator)
                await self._write("members", path, aim.model_dump(), *once, method="PUT")

    async def _activity(self, activity: Activity) -> None:
        self._say(f"Running {activity.title} in {activity.place}")
        host = {"consortium_id": self.consortium_id, "host_cluster_id": self._clusters[activity.host]}
        body = {**host, **activity.draft()}
        made = await self._write("trainings", "/activities", body, "activity", activity.ref)
        at = f"/activities/{made['id']}"
        await self._write("trainings", f"{at}/publication", None, "publish", activity.ref, expected_version='"v1"')
        confirmed = []
        for seats in activity.registrations:
            wish = {"cluster_id": self._clusters[seats.cluster], "seats": seats.seats}
            got = await self._write("trainings", f"{at}/registrations", wish, "seats", activity.ref, seats.cluster)
            if got["state"] == "confirmed":
                confirmed.append(seats)
        if activity.completed:
            here = [self._clusters[one.cluster] for one in confirmed if not one.absent]
            away = [self._clusters[one.cluster] for one in confirmed if one.absent]
            once = ("attendance", activity.ref)
            await self._write("trainings", f"{at}/attendance", {"present": here, "absent": away}, *once, method="PUT")
            expected_version = (await self._api.request("GET", "trainings", at)).headers["etag"]
            await self._write(
                "trainings", f"{at}/completion", None, "complete", activity.ref, expected_version=expected_version
            )

    async def _requests(self) -> None:
        for wish in self._story.requests:
            self._say(f"Asking for help with {wish.indicator}")
            path = f"/clusters/{self._clusters[wish.cluster]}/requests"
            body = wish.model_dump(exclude={"cluster"})
            await self._write("members", path, body, "request", wish.cluster, wish.indicator)

    async def _plan(self) -> None:
        if self._story.plan is None:
            return
        self._say("Planning who should learn from whom")
        run = await self._write("matching", "/runs", {"consortium_id": self.consortium_id}, "run")
        made = await wait_for_run(self._api, run["id"])
        if self._story.plan == "publish":
            expected_version = f'"v{made["version"]}"'
            await self._write(
                "matching", f"/runs/{run['id']}/publication", None, "publish-run", expected_version=expected_version
            )

    async def _followed(self) -> None:
        """Wait for the plan that follows the answers to the story's own."""
        words = {"accept": "accepted", "decline": "declined"}
        causes = {
            (f"kei.matching.pair.{words[one.answer]}.v1", self._clusters[one.learner])
            for one in self._story.answers_to_plan
        }
        for work in self._story.mentorships:
            if work.completed:
                causes.add(("kei.matching.mentorship.ended.v1", self._clusters[work.learner]))
        if causes and self._story.plan == "publish":
            self._say("Waiting for the plan that follows the answers")
            await wait_for_replan(self._api, self.consortium_id, causes)

    async def _answers(self, answers: Sequence[ProposalReply], chapter: str) -> None:
        for answer in answers:
            self._say(f"Answering the proposals for {answer.learner}")
            sides = ("mentor", "learner") if answer.answer == "accept" else ("learner",)
            for side in sides:
                await self._answer(answer, side, chapter)

    async def _answer(self, answer: ProposalReply, side: str, chapter: str) -> None:
        """One side's answer to the learner's best proposal of a chapter."""
        pair = await self._best(self._clusters[answer.learner], chapter)
        if pair is None:
            raise NoProposal(f"{answer.learner} has no proposal from a {chapter} that it could {answer.answer}.")
        body = {"side": side, "answer": answer.answer}
        once = ("answer", chapter, answer.learner, side)
        await self._write(
            "matching", f"/pairs/{pair['id']}/answers", body, *once, expected_version=f'"v{pair["version"]}"'
        )

    async def _best(self, learner: str, chapter: str) -> Json:
        """The learner's best proposal of a chapter, decided or not, so that a second playing finds the same one."""
        origin = "request_id" if chapter == "request" else "run_id"
        pairs = [
            pair
            for pair in await self._api.items("matching", "/pairs")
            if pair["learner_id"] == learner and pair["consortium_id"] == self.consortium_id and pair[origin]
        ]
        return min(pairs, key=lambda pair: (-pair["score_hundredths"], pair["id"]), default=None)
