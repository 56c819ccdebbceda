"""Plays a mentorship of a story: what happens in it happens on the day on which it starts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from deploy.api_client import Api
from deploy.sample_data.model import Assessment, FileMentorship
from shared.api_client import Json

Once = Callable[..., str]
"""Makes the key of a write of its parts."""
DATE_LENGTH = len("2017-06-29")


async def load_mentorship(
    api: Api, once: Once, learner_id: str, work: FileMentorship, assessment: Assessment | None
) -> None:
    """Both sides confirm the learner's first mentorship, meet, report, and end it; an assessment says what it gained.

    Every write has a key of its own, so playing it again changes nothing.

    Raises:
        ApiError: a service refused something.
    """
    pairs = await api.items("matching", "/pairs")
    ours = [one["id"] for one in pairs if one["learner_id"] == learner_id and one["state"] in {"accepted", "ended"}]
    if not ours:
        return
    stage = _MentorshipLoader(api, once, work, f"/mentorships/{min(ours)}")
    await stage.confirmed()
    await stage.worked()
    if work.completed:
        ended = await stage.ended()
        if work.scores and assessment is not None:
            body = _assessed(work, assessment, date.fromisoformat(ended["ended_at"][:DATE_LENGTH]))
            path = f"/clusters/{learner_id}/assessments"
            await api.write("members", path, body, key=once("work", work.learner, "after"))


@dataclass(frozen=True, slots=True)
class _MentorshipLoader:
    """One mentorship, at its address."""

    api: Api
    once: Once
    work: FileMentorship
    at: str

    async def confirmed(self) -> None:
        for side in ("mentor", "learner"):
            await self._write("/confirmations", {"side": side}, "confirm", side, expected_version=await self._version())

    async def worked(self) -> None:
        shown = await self.api.get("matching", self.at)
        for number, minutes in enumerate(self.work.meetings):
            meeting = {"state": "held", "on": shown["started_at"][:DATE_LENGTH], "minutes": minutes}
            await self._write("/meetings", meeting, "meeting", str(number))
        for side, feeling in self.work.check_ins.items():
            await self._write("/check-ins", {"side": side, "feeling": feeling}, "check-in", side)
        for goal in shown["goals"]:
            reached = self.work.reached.get(goal["indicator"])
            if reached is not None:
                path, once = f"/goals/{goal['framework']}/{goal['indicator']}", ("progress", goal["indicator"])
                await self._write(path, {"reached": reached}, *once, method="PUT")

    async def ended(self) -> Json:
        body = {"side": "learner", "how": "completed"}
        return await self._write("/ending", body, "end", expected_version=await self._version())

    async def _version(self) -> str:
        return f'"v{(await self.api.get("matching", self.at))["version"]}"'

    async def _write(self, path: str, body: Json, *what: str, **options: Any) -> Json:
        once = self.once("work", self.work.learner, *what)
        return await self.api.write("matching", self.at + path, body, key=once, **options)


def _assessed(work: FileMentorship, assessment: Assessment, on: date) -> Json:
    """An assessment like the cluster's first, of that day, and good for two years."""
    return {
        "framework": assessment.framework,
        "kind": assessment.kind,
        "assessed_on": on.isoformat(),
        "valid_until": on.replace(year=on.year + 2, day=min(on.day, 28)).isoformat(),
        "scores": work.scores,
        "illustrative": True,
    }
