"""The tables of every service with a database: outbox, inbox and the responses stored for Idempotency-Keys."""

from shared.inbox import INBOX_V1, INBOX_V2
from shared.outbox import OUTBOX_V1, OUTBOX_V2

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
"""The statements that create them; the first migration of a service runs them. They never change."""

MESSAGING_TABLES_V2 = (*OUTBOX_V2, *INBOX_V2)
"""The changes since V1; a later migration of a service runs them."""

MESSAGING_TABLES = (*MESSAGING_TABLES_V1, *MESSAGING_TABLES_V2)
"""The newest schema, for databases without migrations."""
