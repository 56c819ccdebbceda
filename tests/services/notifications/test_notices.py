"""The recipients of notices, and the access to them."""

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
from tests.services.notifications.actions import OPERATOR, deliver_to_feed, problem
from tests.support import factories

A, B = uuid4(), uuid4()
CONSORTIUM = {"consortium_id": factories.CONSORTIUM}
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


def expected_notices() -> list[tuple[Data, list[UUID | None], set[str]]]:
    """Events with the clusters that get a notice (None: the coordinator), and the fields that the notice copies."""
    ids: dict[str, Any] = CONSORTIUM | {"activity_id": uuid4(), "registration_id": uuid4()}
    registration: dict[str, Any] = ids | {"cluster_id": A, "seats": 1}
    pair: dict[str, Any] = CONSORTIUM | {"pair_id": uuid4(), "mentor_id": A, "learner_id": B}
    mentorship: dict[str, Any] = CONSORTIUM | {"mentorship_id": uuid4(), "mentor_id": A, "learner_id": B}
    mentorship_subjects = {"mentorship_id", "mentor_id", "learner_id"}
    training: dict[str, Any] = CONSORTIUM | {"activity_id": uuid4(), "kind": "study_visit", "host_cluster_id": A}
    training |= {"ended_on": "2017-06-29", "attended": [B], "gains": []}
    return [
        (RegistrationConfirmed(**registration), [A], {"activity_id", "registration_id"}),
        (RegistrationWaitlisted(**registration, place_in_queue=1), [A], {"activity_id", "registration_id"}),
        (factories.pair_proposed(**pair), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (PairAccepted(**pair), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (PairDeclined(**pair, side="mentor"), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (PairExpired(**pair), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (PairWithdrawn(**pair), [A, B], {"pair_id", "mentor_id", "learner_id"}),
        (
            MentorshipStarted(**mentorship, goals=[], every_days=14, ends_on=date(2018, 1, 1)),
            [A, B],
            mentorship_subjects,
        ),
        (MentorshipNudged(**mentorship, quiet_days=30), [A, B], mentorship_subjects),
        (MentorshipAsked(**mentorship, day=30), [A, B], mentorship_subjects),
        (MentorshipEnded(**mentorship, how="early", meetings=0, goals=[]), [A, B], mentorship_subjects),
        (MentorshipConfirmed(**mentorship, outcome=100, goals=[]), [A, B], mentorship_subjects),
        (MentorshipMet(**mentorship, meeting_id=uuid4(), on=date(2018, 1, 1), minutes=60), [], set()),
        (TrainingCompleted(**training), [B], {"activity_id"}),
        (RunPublished(run_id=uuid4(), pairs=1, total_hundredths=1, **CONSORTIUM), [None], {"run_id"}),
        (ClusterArchived(**CONSORTIUM, cluster_id=A), [None], {"cluster_id"}),
        (
            LabelExpired(**CONSORTIUM, cluster_id=A, label="gold", label_valid_until=date(2018, 1, 1)),
            [A],
            {"cluster_id"},
        ),
        (factories.service_requested(cluster_id=A), [None], {"request_id", "cluster_id"}),
        (factories.training_published(), [], set()),
        (factories.cluster_registered(), [], set()),
    ]


async def test_each_event_concerns_whom_it_should(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    for data, clusters, subjects in expected_notices():
        (event,) = await deliver_to_feed(client, transport, factories.stored(data))
        created = [notice for notice in await notices(client, OPERATOR) if notice["event_id"] == str(event.id)]
        assert {notice["cluster_id"] for notice in created} == {id if id is None else str(id) for id in clusters}
        assert len(created) == len(clusters)
        for notice in created:
            assert notice["kind"] == ".".join(event.type.split(".")[2:4])
            assert notice["subjects"] == {name: str(getattr(data, name)) for name in subjects}
            assert (notice["consortium_id"], notice["read_at"]) == (str(factories.CONSORTIUM), None)


async def test_everybody_sees_their_own_newest_first(client: httpx2.AsyncClient, transport: LocalTransport) -> None:
    first = factories.stored(factories.pair_proposed(mentor_id=A, learner_id=B))
    second = factories.stored(factories.service_requested(cluster_id=A))
    foreign = factories.stored(factories.service_requested(consortium_id=uuid4()))
    for event in (first, second, foreign):
        await deliver_to_feed(client, transport, event)
    assert [notice["event_id"] for notice in await notices(client, manager(A))] == [str(first.id)]
    own = [notice["event_id"] for notice in await notices(client, COORDINATOR)]
    assert own == [str(second.id), str(first.id), str(first.id)]
    assert [notice["event_id"] for notice in await notices(client, OPERATOR)] == [str(foreign.id), *own]
    page = (await client.get("/notices", params={"limit": "1"}, headers=COORDINATOR)).json()
    rest = (await client.get("/notices", params={"cursor": page["next"]}, headers=COORDINATOR)).json()
    assert [notice["event_id"] for notice in page["items"] + rest["items"]] == own


async def test_a_notice_is_read_once_by_those_it_concerns(
    client: httpx2.AsyncClient, transport: LocalTransport
) -> None:
    await deliver_to_feed(client, transport, factories.stored(factories.pair_proposed(mentor_id=A, learner_id=B)))
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
    no_cluster = factories.signed_in(Role.manager, consortium=factories.CONSORTIUM)
    assert problem(await client.get("/notices", headers=no_cluster)) == (403, "no-cluster", [])
    assert problem(await client.get("/notices", headers=factories.signed_in(Role.coordinator))) == (
        403,
        "no-consortium",
        [],
    )
    associate = factories.signed_in(Role.associate, consortium=factories.CONSORTIUM, cluster=A)
    assert problem(await client.get("/notices", headers=associate)) == (403, "forbidden", [])
