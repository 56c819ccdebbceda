"""The tables every service with a database has: outbox, inbox and the answers kept for Idempotency-Keys."""

from shared.inbox import INBOX_V1
from shared.outbox import OUTBOX_V1

_IDEMPOTENCY_V1 = (
    """
    CREATE TABLE idempotency (
        principal text NOT NULL,
        key text NOT NULL,
        request text NOT NULL,
        fingerprint bytea NOT NULL,
        status integer NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT pk_idempotency PRIMARY KEY (principal, key)
    )
    """,
    "CREATE INDEX ix_idempotency_created_at ON idempotency (created_at)",
)

MESSAGING_TABLES_V1 = (*OUTBOX_V1, *INBOX_V1, *_IDEMPOTENCY_V1)
"""The statements that make them. A service's first migration runs these; a later shape is a later constant."""
