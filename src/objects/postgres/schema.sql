-- The tokens of objects, for PostgreSQL 12 or newer and CockroachDB. Without a row nothing is remembered of an object.
CREATE TABLE IF NOT EXISTS zookie_objects (
    -- Which object: ObjectKey's text, at most 255 bytes.
    key text PRIMARY KEY,
    -- The tokens of the writes that touched it, joined. Those that do not join stand side by side, at most 8.
    tokens text[] NOT NULL,
    -- Another number after each change, so that no writer replaces what it has not read.
    version bigint NOT NULL,
    -- A write of unknown outcome may still run: when this became known, and until when it may run.
    unsettled_at timestamptz,
    unsettled_until timestamptz,
    -- The last change, and from when on the row may be removed. All times are of the database's clock.
    updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
