"""The inbox's table.

`lane` is the record's key made to fixed size: records of one lane are handled in order of `seq`.
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
"""The statements that make the inbox; a service's migration runs them. A later shape is a later constant."""
