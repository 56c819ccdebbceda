"""The caller of a request, with its rights."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from shared.errors import Forbidden, NotFound


class Role(StrEnum):
    """A role; a caller may have several."""

    operator = "operator"
    coordinator = "coordinator"
    manager = "manager"
    associate = "associate"
    partner = "partner"
    service = "service"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller, and the consortium, cluster or partner that it acts for."""

    subject: str
    roles: frozenset[Role]
    consortium: UUID | None = None
    cluster: UUID | None = None
    partner: UUID | None = None

    def has(self, *roles: Role) -> bool:
        """Whether the caller has at least one of `roles`."""
        return not self.roles.isdisjoint(roles)

    def scope(self) -> UUID | None:
        """The consortium to which the caller is limited; None for operators and services.

        Raises:
            Forbidden: the caller has no consortium.
        """
        if self.has(Role.operator, Role.service):
            return None
        if self.consortium is None:
            raise Forbidden("no-consortium", "Your sign-in names no consortium.")
        return self.consortium

    def within(self, consortium: UUID) -> bool:
        """Whether the caller may see this consortium: operators and services any, others their own."""
        return self.has(Role.operator, Role.service) or self.consortium == consortium

    def enter(self, consortium: UUID) -> None:
        """Check that the caller may see this consortium.

        Raises:
            NotFound: the caller may not, whether the consortium exists or not.
        """
        if not self.within(consortium):
            raise NotFound("no-such-consortium", "There is no such consortium.", field="consortium_id")

    def speaks_for(self, cluster: UUID, consortium: UUID) -> bool:
        """Whether the caller may act for this cluster of that consortium.

        Operators for all, coordinators for those of their own consortium, managers for their own cluster.
        """
        if self.has(Role.operator):
            return True
        if self.consortium != consortium:
            return False
        return self.has(Role.coordinator) or (self.has(Role.manager) and self.cluster == cluster)
