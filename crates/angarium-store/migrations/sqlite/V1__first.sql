-- The first schema. Times are milliseconds since 1970, spans microseconds; states, reasons and
-- classes are the numbers of angarium-core. Keys of events rise in commit order, so the big tables
-- only ever grow at their end.

-- Accounts ------------------------------------------------------------------------------------

CREATE TABLE environment (
    no         INTEGER PRIMARY KEY AUTOINCREMENT,
    slug       TEXT    NOT NULL UNIQUE,
    title      TEXT    NOT NULL,
    contracts  TEXT    NOT NULL,            -- JSON array, the default one first
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE host (
    host        TEXT    PRIMARY KEY,
    environment INTEGER NOT NULL REFERENCES environment (no),
    place       INTEGER NOT NULL            -- in the environment's list
) WITHOUT ROWID, STRICT;

CREATE INDEX host_by_environment ON host (environment, place);

CREATE TABLE tenant (
    no          INTEGER PRIMARY KEY AUTOINCREMENT,
    shard       INTEGER NOT NULL DEFAULT 0, -- follows from the number
    environment INTEGER NOT NULL REFERENCES environment (no),
    id          TEXT    NOT NULL,
    name        TEXT,
    plan        TEXT,
    metadata    TEXT    NOT NULL,           -- JSON object
    created_at  INTEGER NOT NULL,
    UNIQUE (environment, id)
) STRICT;

CREATE INDEX tenant_by_shard ON tenant (shard);

-- Apart from `tenant`, because every checkpoint writes it.
CREATE TABLE tenant_counter (
    tenant   INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL
) STRICT;

CREATE TABLE tenant_key (
    tenant   INTEGER NOT NULL,
    contract TEXT    NOT NULL,
    keys     BLOB    NOT NULL,              -- sealed
    PRIMARY KEY (tenant, contract)
) WITHOUT ROWID, STRICT;

CREATE TABLE api_key (
    id          BLOB    PRIMARY KEY,
    hash        BLOB    NOT NULL UNIQUE,    -- SHA-256 of the key's text
    name        TEXT    NOT NULL,
    environment INTEGER,
    tenant      INTEGER,
    scopes      TEXT    NOT NULL,           -- separated by spaces
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER
) STRICT;

CREATE TABLE event_type (
    environment INTEGER NOT NULL REFERENCES environment (no),
    name        TEXT    NOT NULL,
    config      TEXT    NOT NULL,           -- JSON
    PRIMARY KEY (environment, name)
) STRICT;

-- Endpoints -----------------------------------------------------------------------------------

CREATE TABLE endpoint (
    no          INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB    NOT NULL UNIQUE,
    shard       INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    tenant      INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    config      TEXT    NOT NULL,           -- JSON, without what is secret
    secrets     BLOB,                       -- sealed; gone once the endpoint is deleted
    made_by     BLOB,
    created_at  INTEGER NOT NULL,
    deleted_at  INTEGER
) STRICT;

CREATE INDEX endpoint_by_shard ON endpoint (shard, deleted_at);
CREATE INDEX endpoint_by_tenant ON endpoint (tenant, no) WHERE deleted_at IS NULL;
CREATE INDEX endpoint_by_environment ON endpoint (environment, no) WHERE deleted_at IS NULL;

-- Apart from `endpoint`, because every checkpoint writes it.
CREATE TABLE endpoint_counter (
    endpoint        INTEGER PRIMARY KEY,
    sequence        INTEGER NOT NULL,
    failures        INTEGER NOT NULL,       -- in a row
    last_success_at INTEGER,
    last_failure_at INTEGER
) STRICT;

-- The path of an event ------------------------------------------------------------------------

CREATE TABLE shard (
    shard      INTEGER PRIMARY KEY,
    epoch      INTEGER NOT NULL,
    checkpoint INTEGER NOT NULL
) STRICT;

-- A rowid table: rows are large, and a clustered key would send them to overflow pages.
CREATE TABLE event (
    key          INTEGER PRIMARY KEY,
    shard        INTEGER NOT NULL,
    tenant       INTEGER NOT NULL,
    sequence     INTEGER NOT NULL,
    accepted_at  INTEGER NOT NULL,
    type         TEXT    NOT NULL,
    own_id       TEXT,
    time         TEXT,
    subject      TEXT,
    ordering_key TEXT,
    attributes   BLOB,                      -- names and values, each with its length before it
    fanout       BLOB    NOT NULL,          -- endpoint and sequence by turns, as varints
    data_kind    INTEGER NOT NULL,
    data         BLOB    NOT NULL
) STRICT;

-- Deliveries that have ended, each with its last attempt: on the happy path the only row. A rowid
-- table: it measured the same as a clustered one, whose rows overflow from some 2,000 bytes on.
CREATE TABLE delivery (
    event      INTEGER NOT NULL,
    endpoint   INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    reason     INTEGER,
    attempts   INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    repeats    INTEGER,                     -- the generation that a redelivery repeats
    tenant     INTEGER,                     -- only where it was not delivered: for the lists of those
    n          INTEGER,
    at         INTEGER,
    took       INTEGER,
    class      INTEGER,
    status     INTEGER,
    detail     TEXT,
    request    TEXT,
    response   TEXT,
    body       BLOB,
    PRIMARY KEY (event, endpoint, generation)
) STRICT;

-- Free for successes.
CREATE INDEX undelivered_by_endpoint ON delivery (endpoint, state, event) WHERE state <> 4;
CREATE INDEX undelivered_by_tenant ON delivery (tenant, state, event) WHERE state <> 4;
CREATE INDEX undelivered_by_state ON delivery (state, event) WHERE state <> 4;

-- Attempts before the last one. A rowid table, because answers' bodies can be large.
CREATE TABLE attempt (
    event      INTEGER NOT NULL,
    endpoint   INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    took       INTEGER NOT NULL,
    class      INTEGER NOT NULL,
    status     INTEGER,
    detail     TEXT,
    request    TEXT    NOT NULL,
    response   TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    PRIMARY KEY (event, endpoint, generation, n)
) STRICT;

-- Deliveries that wait outside memory. `due` is NULL while they are parked or queued (rule 4).
CREATE TABLE pending (
    event      INTEGER NOT NULL,
    endpoint   INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    shard      INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    due        INTEGER,
    lane       BLOB,
    repeats    INTEGER,
    PRIMARY KEY (event, endpoint, generation)
) WITHOUT ROWID, STRICT;

CREATE INDEX pending_by_due ON pending (endpoint, due);
CREATE INDEX pending_by_lane ON pending (endpoint, lane, event) WHERE lane IS NOT NULL;

CREATE TABLE idempotency (
    scope       BLOB    PRIMARY KEY,
    fingerprint BLOB    NOT NULL,
    expires_at  INTEGER NOT NULL,
    kind        INTEGER NOT NULL,           -- 1 given, 2 an event's, 3 a delivery's
    status      INTEGER,
    body        BLOB,                       -- sealed
    event       INTEGER,
    endpoint    INTEGER,
    generation  INTEGER
) WITHOUT ROWID, STRICT;

CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

-- Listing indexes, filled later in big sorted slices: kept on each insert they would cost more
-- than the rows themselves. `indexed_upto` in `meta` says how far they reach ---------------------

CREATE TABLE event_by_tenant (
    tenant INTEGER NOT NULL,
    event  INTEGER NOT NULL,
    PRIMARY KEY (tenant, event)
) WITHOUT ROWID, STRICT;

CREATE TABLE pair_by_endpoint (
    endpoint INTEGER NOT NULL,
    event    INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (endpoint, event)
) WITHOUT ROWID, STRICT;

-- A slice is some 25 days of keys, so that an insert touches the newest pages only.
CREATE TABLE own_id (
    slice  INTEGER NOT NULL,
    tenant INTEGER NOT NULL,
    hash   INTEGER NOT NULL,
    event  INTEGER NOT NULL,
    PRIMARY KEY (slice, tenant, hash, event)
) WITHOUT ROWID, STRICT;

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) WITHOUT ROWID, STRICT;

INSERT INTO meta (name, value) VALUES ('indexed_upto', 0), ('pinged_at', 0);
