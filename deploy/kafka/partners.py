"""Partners on Kafka: each is a user with a password, rights to the public topics, and a rate."""

import re
from collections.abc import Iterable

from deploy.databases import SettingsError
from deploy.kafka.acls import partner_rules
from deploy.kafka.admin import KafkaAdmin
from shared import clock

BYTES_PER_SECOND = 1024 * 1024
_USER = "partner-"
_NAME = re.compile(r"[a-z0-9-]{1,40}")


def user_of(name: str) -> str:
    """The Kafka user of a partner; the names of its groups begin with it and a dot.

    Raises:
        BadSettings: the partner's name cannot be a user's.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} cannot be on Kafka: names there are of lower-case letters, digits and hyphens, 40 at most."
        )
    return f"{_USER}{name}"


def grant_access(cluster: KafkaAdmin, name: str, rate: int | None) -> str:
    """Have the partner's user, whatever there was before; its new password. The user comes last, when all else is set.

    Args:
        cluster: Kafka.
        name: of the partner.
        rate: bytes a second that it may read from each broker; as before, or BYTES_PER_SECOND, if None.

    Raises:
        NotAdministered: Kafka is not reached or refuses. It may be done again.
    """
    user, password = user_of(name), clock.secret()
    cluster.allow(user, partner_rules(user))
    if rate is not None or cluster.limit_of(user) is None:
        cluster.limit(user, rate or BYTES_PER_SECOND)
    cluster.put_user(user, password)
    return password


def revoke_access(cluster: KafkaAdmin, name: str) -> bool:
    """Have nothing of a partner; whether there was something.

    Rights go first: who is connected goes on without being a user, but not without rights.

    Raises:
        NotAdministered: Kafka is not reached or refuses. It may be done again.
    """
    user = user_of(name)
    _, taken = cluster.allow(user, [])
    there = cluster.remove_user(user)
    cluster.limit(user, None)
    return there or taken > 0


def partners_on_kafka(cluster: KafkaAdmin, names: Iterable[str]) -> set[str]:
    """Which of these partners are there.

    Raises:
        NotAdministered: Kafka is not reached or refuses.
    """
    found = cluster.users([f"{_USER}{name}" for name in names if _NAME.fullmatch(name)])
    return {user.removeprefix(_USER) for user in found}
