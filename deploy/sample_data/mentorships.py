"""Import of a mentorship: every step is dated on the day of its start."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from deploy.api_client import Api
from deploy.sample_data.model import Assessment, FileMentorship
from shared.api_client import Json

MakeKey = Callable[..., str]
"""Makes an idempotency key of its parts."""
DATE_LENGTH = len("2017-06-29")


async def load_mentorship(
    api: Api, make_key: MakeKey, learner_id: str, mentorship: FileMentorship, assessment: Assessment | None
) -> None:
    """Confirm the learner's first mentorship, record meetings and progress, end it, and assess the learner.

    Raises:
        ApiError: a service refused a request.
    """
    states = {"accepted", "ended"}
    pairs = await api.items("matching", "/pairs")
    ids = [pair["id"] for pair in pairs if pair["learner_id"] == learner_id and pair["state"] in states]
    if not ids:
        return
    loader = _MentorshipLoader(api, make_key, mentorship, f"/mentorships/{min(ids)}")
    await loader.confirm()
    await loader.record_progress()
    if mentorship.completed:
        ended = await loader.end()
        if mentorship.scores and assessment is not None:
            body = _assessment(mentorship, assessment, date.fromisoformat(ended["ended_at"][:DATE_LENGTH]))
            path = f"/clusters/{learner_id}/assessments"
            await api.write("members", path, body, key=make_key("work", mentorship.learner, "after"))


@dataclass(frozen=True, slots=True)
class _MentorshipLoader:
    """The mentorship at a path."""

    api: Api
    make_key: MakeKey
    mentorship: FileMentorship
    at: str

    async def confirm(self) -> None:
        for side in ("mentor", "learner"):
            await self._write("/confirmations", {"side": side}, "confirm", side, expected_version=await self._version())

    async def record_progress(self) -> None:
        shown = await self.api.get("matching", self.at)
        for number, minutes in enumerate(self.mentorship.meetings):
            meeting = {"state": "held", "on": shown["started_at"][:DATE_LENGTH], "minutes": minutes}
            await self._write("/meetings", meeting, "meeting", str(number))
        for side, feeling in self.mentorship.check_ins.items():
            await self._write("/check-ins", {"side": side, "feeling": feeling}, "check-in", side)
        for goal in shown["goals"]:
            reached = self.mentorship.reached.get(goal["indicator"])
            if reached is not None:
                path, key = f"/goals/{goal['framework']}/{goal['indicator']}", ("progress", goal["indicator"])
                await self._write(path, {"reached": reached}, *key, method="PUT")

    async def end(self) -> Json:
        body = {"side": "learner", "how": "completed"}
        return await self._write("/ending", body, "end", expected_version=await self._version())

    async def _version(self) -> str:
        return f'"v{(await self.api.get("matching", self.at))["version"]}"'

    async def _write(self, path: str, body: Json, *parts: str, **options: Any) -> Json:
        key = self.make_key("work", self.mentorship.learner, *parts)
        return await self.api.write("matching", self.at + path, body, key=key, **options)


def _assessment(mentorship: FileMentorship, assessment: Assessment, on: date) -> Json:
    """An assessment of that day in the framework of the cluster's first one, valid for two years."""
    return {
        "framework": assessment.framework,
        "kind": assessment.kind,
        "assessed_on": on.isoformat(),
        "valid_until": on.replace(year=on.year + 2, day=min(on.day, 28)).isoformat(),
        "scores": mentorship.scores,
        "illustrative": True,
    }
