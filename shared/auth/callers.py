"""Types of a route's parameter `caller`; each is a policy with a minimum role."""

from typing import Annotated

from shared.auth.policies import allow, anyone_signed_in
from shared.auth.principal import Principal, Role

Anyone = Annotated[Principal, anyone_signed_in()]
Manager = Annotated[Principal, allow(Role.operator, Role.coordinator, Role.manager)]
Coordinator = Annotated[Principal, allow(Role.operator, Role.coordinator)]
Operator = Annotated[Principal, allow(Role.operator)]
