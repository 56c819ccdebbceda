"""Kafka's users, rights and quotas. They are what Kafka says they are: nothing is kept here."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from kafka.admin import (  # type: ignore[import-untyped]  # it has no types
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from kafka.errors import (  # type: ignore[import-untyped]  # likewise
    ClusterAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    for_code,
)
from kafka.protocol.admin import (  # type: ignore[import-untyped]  # likewise
    AlterClientQuotasRequest,
    DescribeClientQuotasRequest,
)

from deploy.kafka.acls import Rule
from shared.transport.kafka_connection import KafkaConnectionSettings

DEADLINE = 10.0
"""Seconds for the cluster to be reached, and for each answer."""
_QUOTA = "consumer_byte_rate"
_EXACT = 0  # how an entity's name is matched


class KafkaAdminError(Exception):
    """The cluster is not reached, or refuses; the text is a sentence for whoever asked."""


class _Client(KafkaAdminClient):  # type: ignore[misc]  # it has no types
    """One that does not go on in its thread when it could not be made."""

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except BaseException:
            self._closed = False
            self.close()
            raise


class KafkaAdmin:
    """A connection to a cluster, as somebody who may administer it.

    Raises:
        NotAdministered: here and in each method.
    """

    def __init__(self, access: KafkaConnectionSettings) -> None:
        self._access = access
        milliseconds = int(DEADLINE * 1000)
        try:
            self._client = _Client(
                **access.options(), bootstrap_timeout_ms=milliseconds, request_timeout_ms=milliseconds
            )
        except KafkaTimeoutError as error:
            raise KafkaAdminError(f"{access.unreachable_reason}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def put_user(self, user: str, password: str) -> None:
        """Have a user with this password, whether it was there before or not."""
        self._alter(UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password))

    def remove_user(self, user: str) -> bool:
        """Have no such user; whether there was one. Connections that it has already go on."""
        there = bool(self.users([user]))
        if there:
            self._alter(UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))
        return there

    def users(self, names: Sequence[str]) -> set[str]:
        """Which of these are users."""
        if not names:  # which to Kafka means all; and asked for all by who may not, it does not answer
            return set()
        with self._told():
            found = self._client.describe_user_scram_credentials(list(names))
        return {name for name, one in found.items() if one["credential_infos"]}

    def rules(self, user: str) -> set[Any]:
        """The user's rights, as Kafka has them."""
        anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        with self._told():
            found, _ = self._client.describe_acls(
                ACLFilter(f"User:{user}", None, ACLOperation.ANY, ACLPermissionType.ALLOW, anything)
            )
        return set(found)

    def allow(self, user: str, rules: Iterable[Rule]) -> tuple[int, int]:
        """Give a user these rights and take away all others; how many were given and taken.

        What it is denied by hand stays denied.
        """
        wanted, had = {_acl(user, rule) for rule in rules}, self.rules(user)
        with self._told():
            if missing := list(wanted - had):
                for failed in self._client.create_acls(missing)["failed"]:
                    raise failed
            if unwanted := list(had - wanted):
                for _, _, error in self._client.delete_acls(unwanted):
                    if error.errno:
                        raise error
        return len(missing), len(unwanted)

    def limit(self, user: str, bytes_per_second: float | None) -> None:
        """Have a user read no more than this from each broker; None for as much as it likes."""
        entry = AlterClientQuotasRequest.EntryData
        change = entry.OpData(key=_QUOTA, value=bytes_per_second or 0.0, remove=bytes_per_second is None)
        entity = entry.EntityData(entity_type="user", entity_name=user)
        answer = self._ask(
            AlterClientQuotasRequest(entries=[entry(entity=[entity], ops=[change])], validate_only=False)
        )
        with self._told():
            for one in answer.entries:
                if one.error_code:
                    raise for_code(one.error_code)(one.error_message)

    def limit_of(self, user: str) -> float | None:
        """Bytes a second that a user may read from each broker; None if there is no limit of its own."""
        one = DescribeClientQuotasRequest.ComponentData(entity_type="user", match_type=_EXACT, match=user)
        answer = self._ask(DescribeClientQuotasRequest(components=[one], strict=True))
        with self._told():
            if answer.error_code:
                raise for_code(answer.error_code)(answer.error_message)
        found = {value.key: float(value.value) for entry in answer.entries or () for value in entry.values}
        return found.get(_QUOTA)

    def _alter(self, change: Any) -> None:  # noqa: ANN401  a deletion or a new password, without types
        with self._told():
            for refused in self._client.alter_user_scram_credentials([change]).values():
                if refused:
                    raise KafkaError(refused)

    def _ask(self, request: Any) -> Any:  # noqa: ANN401  any request of Kafka's protocol
        """Send what the client has no method for, by the way its own methods go."""
        manager = self._client._manager  # noqa: SLF001
        with self._told():
            return manager.run(manager.send, request)

    @contextmanager
    def _told(self) -> Iterator[None]:
        where, caller = self._access.servers, self._access.user or "ANONYMOUS"
        try:
            yield
        except ClusterAuthorizationFailedError as error:
            raise KafkaAdminError(f"User {caller} may not administer Kafka at {where}.") from error
        except KafkaError as error:
            raise KafkaAdminError(f"Kafka at {where} refuses, or does not answer: {str(error)[:300]}.") from error


def _acl(user: str, rule: Rule) -> Any:  # noqa: ANN401  Kafka's own, without a type
    pattern = ACLResourcePatternType.PREFIXED if rule.prefix else ACLResourcePatternType.LITERAL
    resource = ResourcePattern(ResourceType[rule.kind.upper()], rule.name, pattern)
    return ACL(f"User:{user}", "*", ACLOperation[rule.operation.upper()], ACLPermissionType.ALLOW, resource)
