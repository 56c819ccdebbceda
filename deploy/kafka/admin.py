"""Kafka's users, rights and quotas, read from and written to the cluster."""

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

from deploy.errors import UserError
from deploy.kafka.acls import Rule
from shared.transport.kafka_connection import KafkaConnectionSettings

DEADLINE = 10.0
"""Seconds to reach the cluster, and for each response."""
_QUOTA = "consumer_byte_rate"
_EXACT = 0  # how an entity's name is matched


class KafkaAdminError(UserError):
    """The cluster cannot be reached, or refuses; the text is a message for the operator."""


class _Client(KafkaAdminClient):  # type: ignore[misc]  # it has no types
    """A client that stops its thread if its constructor fails."""

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except BaseException:
            self._closed = False
            self.close()
            raise


class KafkaAdmin:
    """A connection to a cluster, as a user who may administer it.

    Raises:
        KafkaAdminError: here and in each method.
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
        """Create a user with this password, or change its password."""
        self._alter(UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password))

    def remove_user(self, user: str) -> bool:
        """Remove a user; return whether it existed. Its existing connections stay open."""
        exists = bool(self.users([user]))
        if exists:
            self._alter(UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512))
        return exists

    def users(self, names: Sequence[str]) -> set[str]:
        """The existing users of these names."""
        if not names:  # to Kafka this means all users, and it sends no response to a user without that right
            return set()
        with self._errors_in_words():
            credentials = self._client.describe_user_scram_credentials(list(names))
        return {name for name, user in credentials.items() if user["credential_infos"]}

    def rules(self, user: str) -> set[Any]:
        """The user's rights, in Kafka's own types."""
        any_resource = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        with self._errors_in_words():
            acls, _ = self._client.describe_acls(
                ACLFilter(f"User:{user}", None, ACLOperation.ANY, ACLPermissionType.ALLOW, any_resource)
            )
        return set(acls)

    def allow(self, user: str, rules: Iterable[Rule]) -> tuple[int, int]:
        """Grant a user these rights and revoke all others; return how many were granted and revoked.

        Denials that an administrator wrote are not changed.
        """
        wanted, present = {_acl(user, rule) for rule in rules}, self.rules(user)
        with self._errors_in_words():
            if missing := list(wanted - present):
                for failed in self._client.create_acls(missing)["failed"]:
                    raise failed
            if unwanted := list(present - wanted):
                for _, _, error in self._client.delete_acls(unwanted):
                    if error.errno:
                        raise error
        return len(missing), len(unwanted)

    def limit(self, user: str, bytes_per_second: float | None) -> None:
        """Limit the bytes per second that a user may read from each broker; None removes the limit."""
        entry = AlterClientQuotasRequest.EntryData
        change = entry.OpData(key=_QUOTA, value=bytes_per_second or 0.0, remove=bytes_per_second is None)
        entity = entry.EntityData(entity_type="user", entity_name=user)
        response = self._send(
            AlterClientQuotasRequest(entries=[entry(entity=[entity], ops=[change])], validate_only=False)
        )
        with self._errors_in_words():
            for entry_result in response.entries:
                if entry_result.error_code:
                    raise for_code(entry_result.error_code)(entry_result.error_message)

    def limit_of(self, user: str) -> float | None:
        """Bytes per second that a user may read from each broker; None if it has no limit."""
        component = DescribeClientQuotasRequest.ComponentData(entity_type="user", match_type=_EXACT, match=user)
        response = self._send(DescribeClientQuotasRequest(components=[component], strict=True))
        with self._errors_in_words():
            if response.error_code:
                raise for_code(response.error_code)(response.error_message)
        limits = {value.key: float(value.value) for entry in response.entries or () for value in entry.values}
        return limits.get(_QUOTA)

    def _alter(self, change: Any) -> None:  # noqa: ANN401  a deletion or a new password, without types
        with self._errors_in_words():
            for refused in self._client.alter_user_scram_credentials([change]).values():
                if refused:
                    raise KafkaError(refused)

    def _send(self, request: Any) -> Any:  # noqa: ANN401  any request of Kafka's protocol
        """Send a request for which the client has no method, as its own methods do."""
        manager = self._client._manager  # noqa: SLF001
        with self._errors_in_words():
            return manager.run(manager.send, request)

    @contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        servers, caller = self._access.servers, self._access.user or "ANONYMOUS"
        try:
            yield
        except ClusterAuthorizationFailedError as error:
            raise KafkaAdminError(f"User {caller} may not administer Kafka at {servers}.") from error
        except KafkaError as error:
            raise KafkaAdminError(f"Kafka at {servers} refuses, or does not respond: {str(error)[:300]}.") from error


def _acl(user: str, rule: Rule) -> Any:  # noqa: ANN401  Kafka's own, without a type
    pattern = ACLResourcePatternType.PREFIXED if rule.prefix else ACLResourcePatternType.LITERAL
    resource = ResourcePattern(ResourceType[rule.kind.upper()], rule.name, pattern)
    return ACL(f"User:{user}", "*", ACLOperation[rule.operation.upper()], ACLPermissionType.ALLOW, resource)
