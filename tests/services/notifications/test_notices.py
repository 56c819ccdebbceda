"""Whom an event concerns, and who may read of it."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx2

from services.notifications.commands.notices import AUDIENCES
from shared.auth import Role
from shared.events import Data, registry
from shared.events.matching import (
    MentorshipAsked,
    MentorshipConfirmed,
    MentorshipEnded,
    MentorshipMet,
    MentorshipNudged,
    MentorshipStarted,
    PairAccepted,
    PairDeclined,
    PairExpired,
    PairWithdrawn,
    RunPublished,
)
from shared.events.members import ClusterArchived, LabelExpired
from shared.events.trainings import RegistrationConfirmed, RegistrationWaitlisted, TrainingCompleted
from shared.transport.local import LocalTransport
from tests.services.notifications.actions import OPERATOR, arrive, problem
from tests.support import factories

A, B = uuid4(), uuid4()
HERE = {"consortium_id": factories.CONSORTIUM}
COORDINATOR = factories.signed_in(Role.coordinator, consortium=factories.CONSORTIUM)


def manager(cluster: UUID) -> dict[str, str]:
    return factories.signed_in(Role.manager, consortium=factories.CONSORTIUM, cluster=cluster)


async def notices(client: httpx2.AsyncClient, headers: dict[str, str]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get("/notices", headers=headers)).json()["items"]
    return items


def test_every_public_event_has_an_audience_or_says_that_it_has_none() -> None:
    assert AUDIENCES.keys() == {entry.model for entry in registry().values() if entry.public}


def test_an_audience_names_fields_of_its_event() -> None:
    for model, audience in AUDIENCES.items():
        if audience is not None:
            names = {"consortium_id", *audience.clusters, *audience.subjects}
            assert names <= model.model_fields.keys(), model


async def test_each_event_concerns_whom_it_should(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    seat: dict[str, Any] = HERE | {"activity_id": uuid4(), "registration_id": uuid4(), "cluster_id": A, "seats": 1}
    pair: dict[str, Any] = HERE | {"pair_id": uuid4(), "mentor_id": A, "learner_id": B}
    two: dict[str, Any] = HERE | {"mentorship_id": uuid4(), "mentor_id": A, "learner_id": B}
    own = {"mentorship_id", "mentor_id", "learner_id"}
    done: dict[str, Any] = HERE | {"activity_id": uuid4(), "kind": "study_visit", "host_cluster_id": A, "gains": []}
    done |= {"ended_on": "2017-06-29", "attended": [B]}
    cases: list[tuple[Data, list[UUID | None], set[str]]] = [
        (RegistrationConfirmed(**seat), [A], {"activity_id", "registration_id"}),
        (RegistrationWaitlisted(**seat, place_in_queue=1), [A], {"activity_id", "registration_id"}),
        (factories.pair_proposed(**pair), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (PairAccepted(**pair), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (PairDeclined(**pair, side="mentor"), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (PairExpired(**pair), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (PairWithdrawn(**pair), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (MentorshipStarted(**two, goals=[], every_days=14, ends_on=date(2018, 1, 1)), [A, B], own),
        (MentorshipNudged(**two, quiet_days=30), [A, B], own),
        (MentorshipAsked(**two, day=30), [A, B], own),
        (MentorshipEnded(**two, how="early", meetings=0, goals=[]), [A, B], own),
        (MentorshipConfirmed(**two, outcome=100, goals=[]), [A, B], own),
        (MentorshipMet(**two, meeting_id=uuid4(), on=date(2018, 1, 1), minutes=60), [], set()),
        (TrainingCompleted(**done), [B], {"activity_id"}),
        (RunPublished(run_id=uuid4(), pairs=1, total_hundredths=1, **HERE), [None], {"run_id"}),
        (ClusterArchived(**HERE, cluster_id=A), [None], {"cluster_id"}),
        (LabelExpired(**HERE, cluster_id=A, label="gold", label_valid_until=date(2018, 1, 1)), [A], {"cluster_id"}),
        (factories.service_requested(cluster_id=A), [None], {"request_id", "cluster_id"}),
        (factories.training_published(), [], set()),
        (factories.cluster_registered(), [], set()),
    ]
    for data, concerned, subjects in cases:
        (event,) = await arrive(client, transport, factories.stored(data))
        found = [one for one in await notices(client, OPERATOR) if one["event_id"] == str(event.id)]
        assert {one["cluster_id"] for one in found} == {None if one is None else str(one) for one in concerned}
        assert len(found) == len(concerned)
        for one in found:
            assert one["kind"] == ".".join(event.type.split(".")[2:4])
            assert one["subjects"] == {name: str(getattr(data, name)) for name in subjects}
            assert (one["consortium_id"], one["read_at"]) == (str(factories.CONSORTIUM), None)


async def test_everybody_sees_their_own_newest_first(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    first = factories.stored(factories.pair_proposed(mentor_id=A, learner_id=B))
    second = factories.stored(factories.service_requested(cluster_id=A))
    far = factories.stored(factories.service_requested(consortium_id=uuid4()))
    for event in (first, second, far):
        await arrive(client, transport, event)
    assert [one["event_id"] for one in await notices(client, manager(A))] == [str(first.id)]
    seen = [one["event_id"] for one in await notices(client, COORDINATOR)]
    assert seen == [str(second.id), str(first.id), str(first.id)]
    assert [one["event_id"] for one in await notices(client, OPERATOR)] == [str(far.id), *seen]
    page = (await client.get("/notices", params={"limit": "1"}, headers=COORDINATOR)).json()
    rest = (await client.get("/notices", params={"cursor": page["next"]}, headers=COORDINATOR)).json()
    assert [one["event_id"] for one in page["items"] + rest["items"]] == seen


async def test_a_notice_is_read_once_by_those_it_concerns(
    client: httpx2.AsyncClient, transport: LocalTransport
) -> None:
    await arrive(client, transport, factories.stored(factories.pair_proposed(mentor_id=A, learner_id=B)))
    (notice,) = await notices(client, manager(A))
    path = f"/notices/{notice['id']}/read"
    for headers in (manager(B), factories.signed_in(Role.coordinator, consortium=uuid4())):
        assert problem(await client.put(path, headers=headers)) == (404, "no-such-notice", [])
    first = await client.put(path, headers=manager(A))
    assert (first.status_code, first.json()["read_at"] is None) == (200, False)
    again = await client.put(path, headers=COORDINATOR)
    assert again.json() == first.json() == (await notices(client, manager(A)))[0]


async def test_who_acts_for_nobody_has_no_notices(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/notices")).status_code == 401
    nobody = factories.signed_in(Role.manager, consortium=factories.CONSORTIUM)
    assert problem(await client.get("/notices", headers=nobody)) == (403, "no-cluster", [])
    assert problem(await client.get("/notices", headers=factories.signed_in(Role.coordinator))) == (
        403,
        "no-consortium",
        [],
    )
    associate = factories.signed_in(Role.associate, consortium=factories.CONSORTIUM, cluster=A)
    assert problem(await client.get("/notices", headers=associate)) == (403, "forbidden", [])
