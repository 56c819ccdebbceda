"""Authentication and authorisation: signed tokens, API keys of partners, and the policies of routes."""

from shared.auth.apikeys import ApiKey, StoredKey
from shared.auth.callers import Anyone, Coordinator, Manager, Operator
from shared.auth.issuer import Issuer
from shared.auth.keys import KeySource
from shared.auth.policies import Policy, allow, anyone_signed_in, partner_key, public
from shared.auth.principal import Principal, Role
from shared.auth.tokens import Verifier

__all__ = [
    "Anyone",
    "ApiKey",
    "Coordinator",
    "Issuer",
    "KeySource",
    "Manager",
    "Operator",
    "Policy",
    "Principal",
    "Role",
    "StoredKey",
    "Verifier",
    "allow",
    "anyone_signed_in",
    "partner_key",
    "public",
]
