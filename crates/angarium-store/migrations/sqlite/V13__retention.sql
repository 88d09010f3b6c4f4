-- How long what an environment accepts is kept: JSON; absent where nothing is set. What was accepted
-- before there were ages is kept for ever, until somebody sets some.
ALTER TABLE environment ADD COLUMN retention TEXT;
UPDATE environment SET retention = '{"payload":null,"attempts":null,"metadata":null}';

-- Since when an event has no payload; `data_kind` says why, and the checksum is of this time too.
ALTER TABLE event ADD COLUMN gone_at INTEGER;

-- Up to which event a part was removed of all that an environment accepted.
CREATE TABLE swept (
    environment INTEGER NOT NULL,
    part        INTEGER NOT NULL,
    upto        INTEGER NOT NULL,
    PRIMARY KEY (environment, part)
) WITHOUT ROWID, STRICT;

-- Tenants that were deleted, until nothing is left of what they had.
CREATE TABLE purge (
    tenant INTEGER PRIMARY KEY
) STRICT;

-- Those whose events were left until now; one step in the index for each tenant that has events.
WITH RECURSIVE owner (tenant) AS (
    SELECT min(tenant) FROM event_by_tenant
    UNION ALL
    SELECT (SELECT min(tenant) FROM event_by_tenant WHERE tenant > owner.tenant)
    FROM owner WHERE tenant IS NOT NULL
)
INSERT INTO purge (tenant)
SELECT tenant FROM owner WHERE tenant IS NOT NULL AND tenant NOT IN (SELECT no FROM tenant);

-- Work that erases what a tenant has of a subject; through restarts.
CREATE TABLE erasure (
    id         BLOB    PRIMARY KEY,         -- rises with the time of its making
    tenant     INTEGER NOT NULL,
    subject    TEXT,                        -- gone once it has ended
    status     TEXT    NOT NULL,
    erased     INTEGER NOT NULL,            -- events
    cursor     INTEGER NOT NULL,            -- events up to here are in hand
    upto       INTEGER NOT NULL,            -- the newest event when it began
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at   INTEGER
) WITHOUT ROWID, STRICT;

CREATE INDEX erasure_by_tenant ON erasure (tenant, id);
-- Few at any time.
CREATE INDEX running_erasure ON erasure (tenant) WHERE status = 'running';

-- The last entry of the audit log that was removed at its age: what is left follows it.
CREATE TABLE audit_base (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    no   INTEGER NOT NULL,
    hash BLOB    NOT NULL
) STRICT;

INSERT INTO audit_base (one, no, hash) VALUES (1, 0, zeroblob(32));

-- Endpoints that were deleted, the earliest first.
CREATE INDEX endpoint_by_end ON endpoint (environment, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX deleted_endpoint_by_tenant ON endpoint (tenant) WHERE deleted_at IS NOT NULL;
