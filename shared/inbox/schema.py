"""The table of the inbox.

`partition_key` is the key of the record, hashed to a fixed size: records with the same one are handled in order of
`seq`.
"""

INBOX_V1 = (
    """
    CREATE TABLE inbox (
        consumer text NOT NULL,
        event_id uuid NOT NULL,
        seq bigint GENERATED ALWAYS AS IDENTITY,
        lane uuid NOT NULL,
        topic text NOT NULL,
        key bytea,
        headers bytea NOT NULL,
        value bytea,
        state text NOT NULL DEFAULT 'pending'
            CONSTRAINT ck_inbox_state CHECK (state IN ('pending', 'done', 'dead', 'discarded')),
        attempts smallint NOT NULL DEFAULT 0,
        not_before timestamptz NOT NULL DEFAULT '-infinity',
        error text,
        received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        done_at timestamptz,
        CONSTRAINT pk_inbox PRIMARY KEY (consumer, event_id)
    )
    """,
    "CREATE INDEX ix_inbox_pending ON inbox (consumer, seq) WHERE state = 'pending'",
    "CREATE INDEX ix_inbox_lane ON inbox (consumer, lane, seq) WHERE state = 'pending'",
    "CREATE INDEX ix_inbox_dead ON inbox (consumer, seq) WHERE state = 'dead'",
)
"""The statements that create the inbox. Migrations run them, so they never change; a change is a later constant."""

INBOX_V2 = (
    "ALTER TABLE inbox RENAME COLUMN lane TO partition_key",
    "ALTER INDEX ix_inbox_lane RENAME TO ix_inbox_partition_key",
)
"""Clearer names."""
