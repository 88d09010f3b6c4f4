-- Work in bulk that goes on through restarts.
CREATE TABLE job (
    id          BLOB    PRIMARY KEY,        -- rises with the time of its making
    environment INTEGER NOT NULL,
    tenant      INTEGER NOT NULL,
    endpoint    INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    until       INTEGER NOT NULL,
    states      TEXT    NOT NULL,           -- separated by spaces
    types       TEXT    NOT NULL,           -- JSON array of patterns
    rate        INTEGER NOT NULL,           -- deliveries a second
    status      TEXT    NOT NULL,
    obstacle    TEXT,
    total       INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    cursor      INTEGER NOT NULL,           -- events up to here are in hand, but for the step
    step        TEXT    NOT NULL,           -- JSON array of event, generation and sequence
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    ended_at    INTEGER
) WITHOUT ROWID, STRICT;

CREATE INDEX job_by_environment ON job (environment, id);
CREATE INDEX job_by_tenant ON job (tenant, id);
CREATE INDEX job_by_endpoint ON job (endpoint, id);
-- Few at any time.
CREATE INDEX running_job ON job (tenant) WHERE status = 'running';
