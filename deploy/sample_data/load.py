"""Import of sample data through the public APIs. By idempotency keys, a repeated import changes nothing."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from deploy.api_client import Api
from deploy.errors import UserError
from deploy.sample_data.mentorships import load_mentorship
from deploy.sample_data.model import Activity, Cluster, ProposalReply, SampleData
from deploy.sample_data.read import ParsedFile
from deploy.sample_data.wait import wait_for_replan, wait_for_run, wait_until_idle
from shared.api_client import ApiError, Json

ShowStep = Callable[[str], None]
"""Shows the current step."""


class AlreadyLoadedDifferently(UserError):
    """Data of this name were imported before with other content."""


MAX_CONCURRENT = 32
"""Clusters whose assessments are written concurrently; more would wait longer for a connection than the client does."""


class NoProposal(UserError):
    """The data reply to a proposal that does not exist."""


class Loader:
    """One import."""

    def __init__(self, api: Api, parsed: ParsedFile, show: ShowStep) -> None:
        self._api, self._show = api, show
        self._data: SampleData = parsed.content
        self._frameworks = parsed.frameworks
        self._clusters: dict[str, str] = {}
        self._assessments = {cluster.slug: cluster.assessment for cluster in self._data.clusters}
        self.consortium_id = ""

    def _key(self, *parts: str) -> str:
        """The idempotency key of a write."""
        return "/".join((self._data.story, *parts))

    async def load(self) -> None:
        """Import everything in the order of the file. The services are idle before each step.

        Raises:
            ApiError: a service refused a request.
            AlreadyLoadedDifferently: the file differs from data that were imported before.
            NoProposal: the file replies to a proposal that does not exist.
        """
        await self._consortium()
        await wait_until_idle(self._api)
        slots = asyncio.Semaphore(MAX_CONCURRENT)
        await asyncio.gather(*(self._assess(cluster, slots) for cluster in self._data.clusters))
        for activity in self._data.activities:
            await self._activity(activity)
        await wait_until_idle(self._api)
        await self._requests()
        await wait_until_idle(self._api)
        await self._reply_all(self._data.answers_to_requests, "request")
        await self._plan()
        await wait_until_idle(self._api)
        await self._reply_all(self._data.answers_to_plan, "plan")
        await wait_until_idle(self._api)
        for mentorship in self._data.mentorships:
            self._show(f"Recording the mentorship of {mentorship.learner}")
            assessment = self._assessments.get(mentorship.learner)
            await load_mentorship(self._api, self._key, self._clusters[mentorship.learner], mentorship, assessment)
        await self._wait_for_replan()
        self._show("Waiting until all events are handled")
        await wait_until_idle(self._api)

    async def _write(self, service: str, path: str, body: Json, *key: str, **options: Any) -> Json:
        try:
            return await self._api.write(service, path, body, key=self._key(*key), **options)
        except ApiError as error:
            if error.problem.slug == "idempotency-key-reused":
                message = (
                    f"{' '.join(key)} of {self._data.story} was imported before with other content, which is unchanged."
                )
                raise AlreadyLoadedDifferently(message) from error
            raise

    async def _consortium(self) -> None:
        self._show(f"Registering {self._data.consortium.name} and its {len(self._data.clusters)} clusters")
        body = self._data.consortium.model_dump(mode="json")
        self.consortium_id = (await self._write("members", "/consortia", body, "consortium"))["id"]
        for framework in self._frameworks:
            await self._write("members", "/frameworks", framework.model_dump(), "framework", framework.code)
        for cluster in self._data.clusters:
            body = {"consortium_id": self.consortium_id, **cluster.registration()}
            created = await self._write("members", "/clusters", body, "cluster", cluster.slug)
            self._clusters[cluster.slug] = created["id"]

    async def _assess(self, cluster: Cluster, slots: asyncio.Semaphore) -> None:
        at = f"/clusters/{self._clusters[cluster.slug]}"
        if cluster.assessment is None:
            return
        async with slots:
            self._show(f"Assessing {cluster.name}")
            body = cluster.assessment.model_dump(mode="json")
            await self._write("members", f"{at}/assessments", body, "assessment", cluster.slug)
            for indicator, target in cluster.targets.items():
                path = f"{at}/targets/{cluster.assessment.framework}/{indicator}"
                key = ("target", cluster.slug, indicator)
                await self._write("members", path, target.model_dump(), *key, method="PUT")

    async def _activity(self, activity: Activity) -> None:
        self._show(f"Running {activity.title} in {activity.place}")
        host = {"consortium_id": self.consortium_id, "host_cluster_id": self._clusters[activity.host]}
        body = {**host, **activity.draft()}
        created = await self._write("trainings", "/activities", body, "activity", activity.ref)
        at = f"/activities/{created['id']}"
        await self._write("trainings", f"{at}/publication", None, "publish", activity.ref, expected_version='"v1"')
        confirmed = []
        for registration in activity.registrations:
            body = {"cluster_id": self._clusters[registration.cluster], "seats": registration.seats}
            key = ("seats", activity.ref, registration.cluster)
            registered = await self._write("trainings", f"{at}/registrations", body, *key)
            if registered["state"] == "confirmed":
                confirmed.append(registration)
        if activity.completed:
            present = [self._clusters[row.cluster] for row in confirmed if not row.absent]
            absent = [self._clusters[row.cluster] for row in confirmed if row.absent]
            body = {"present": present, "absent": absent}
            await self._write("trainings", f"{at}/attendance", body, "attendance", activity.ref, method="PUT")
            expected_version = (await self._api.request("GET", "trainings", at)).headers["etag"]
            await self._write(
                "trainings", f"{at}/completion", None, "complete", activity.ref, expected_version=expected_version
            )

    async def _requests(self) -> None:
        for request in self._data.requests:
            self._show(f"Requesting help with {request.indicator}")
            path = f"/clusters/{self._clusters[request.cluster]}/requests"
            body = request.model_dump(exclude={"cluster"})
            await self._write("members", path, body, "request", request.cluster, request.indicator)

    async def _plan(self) -> None:
        if self._data.plan is None:
            return
        self._show("Planning who should learn from whom")
        run = await self._write("matching", "/runs", {"consortium_id": self.consortium_id}, "run")
        finished = await wait_for_run(self._api, run["id"])
        if self._data.plan == "publish":
            expected_version = f'"v{finished["version"]}"'
            await self._write(
                "matching", f"/runs/{run['id']}/publication", None, "publish-run", expected_version=expected_version
            )

    async def _wait_for_replan(self) -> None:
        """Wait for the plan that follows the replies to the first one."""
        states = {"accept": "accepted", "decline": "declined"}
        causes = {
            (f"kei.matching.pair.{states[reply.answer]}.v1", self._clusters[reply.learner])
            for reply in self._data.answers_to_plan
        }
        for mentorship in self._data.mentorships:
            if mentorship.completed:
                causes.add(("kei.matching.mentorship.ended.v1", self._clusters[mentorship.learner]))
        if causes and self._data.plan == "publish":
            self._show("Waiting for the plan that follows the replies")
            await wait_for_replan(self._api, self.consortium_id, causes)

    async def _reply_all(self, replies: Sequence[ProposalReply], source: str) -> None:
        for reply in replies:
            self._show(f"Replying to the proposals for {reply.learner}")
            sides = ("mentor", "learner") if reply.answer == "accept" else ("learner",)
            for side in sides:
                await self._reply(reply, side, source)

    async def _reply(self, reply: ProposalReply, side: str, source: str) -> None:
        """Reply, as one side, to the learner's best proposal from a plan or a request."""
        pair = await self._best_proposal(self._clusters[reply.learner], source)
        if pair is None:
            raise NoProposal(f"{reply.learner} has no proposal from a {source} that it could {reply.answer}.")
        body = {"side": side, "answer": reply.answer}
        key = ("answer", source, reply.learner, side)
        await self._write(
            "matching", f"/pairs/{pair['id']}/answers", body, *key, expected_version=f'"v{pair["version"]}"'
        )

    async def _best_proposal(self, learner: str, source: str) -> Json:
        """The learner's best proposal, in any state, so that a repeated import finds the same one."""
        origin = "request_id" if source == "request" else "run_id"
        pairs = [
            pair
            for pair in await self._api.items("matching", "/pairs")
            if pair["learner_id"] == learner and pair["consortium_id"] == self.consortium_id and pair[origin]
        ]
        return min(pairs, key=lambda pair: (-pair["score_hundredths"], pair["id"]), default=None)
