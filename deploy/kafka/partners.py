"""Partners on Kafka: each is a user with a password, rights to read the public topics, and a rate limit."""

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
        SettingsError: the partner's name is not allowed as a user name.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} cannot be on Kafka: names there have lower-case letters, digits and hyphens, at most 40."
        )
    return f"{_USER}{name}"


def grant_access(cluster: KafkaAdmin, name: str, rate: int | None) -> str:
    """Create or update the partner's user; return its new password. The user is created after its rights and limit.

    Args:
        cluster: Kafka.
        name: name of the partner.
        rate: bytes per second that it may read from each broker; None: the present limit, or BYTES_PER_SECOND.

    Raises:
        KafkaAdminError: Kafka cannot be reached or refuses. The call may be repeated.
    """
    user, password = user_of(name), clock.secret()
    cluster.allow(user, partner_rules(user))
    if rate is not None or cluster.limit_of(user) is None:
        cluster.limit(user, rate or BYTES_PER_SECOND)
    cluster.put_user(user, password)
    return password


def revoke_access(cluster: KafkaAdmin, name: str) -> bool:
    """Remove a partner's user, rights and limit; return whether it had any.

    Rights are removed first: existing connections outlive their user, but need rights.

    Raises:
        KafkaAdminError: Kafka cannot be reached or refuses. The call may be repeated.
    """
    user = user_of(name)
    _, removed = cluster.allow(user, [])
    existed = cluster.remove_user(user)
    cluster.limit(user, None)
    return existed or removed > 0


def partners_on_kafka(cluster: KafkaAdmin, names: Iterable[str]) -> set[str]:
    """The partners of these that have a Kafka user.

    Raises:
        KafkaAdminError: Kafka cannot be reached or refuses.
    """
    users = cluster.users([f"{_USER}{name}" for name in names if _NAME.fullmatch(name)])
    return {user.removeprefix(_USER) for user in users}
