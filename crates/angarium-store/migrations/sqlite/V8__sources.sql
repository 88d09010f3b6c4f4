-- Where third parties send what they have to say to a tenant.
CREATE TABLE source (
    id     BLOB    NOT NULL PRIMARY KEY,    -- rises with the time of its making
    tenant INTEGER NOT NULL,
    config TEXT    NOT NULL,                -- JSON, without what is secret
    keys   BLOB    NOT NULL,                -- sealed
    crc    INTEGER NOT NULL                 -- of its id, tenant and configuration
) STRICT;

CREATE INDEX source_by_tenant ON source (tenant);

-- Requests that sources rejected. The body stands last, so that what is before it is read without
-- its pages; a number is never given out twice, so that pages of a list stay in place.
CREATE TABLE rejection (
    no         INTEGER PRIMARY KEY AUTOINCREMENT,
    source     BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    cause      TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    method     TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    headers    TEXT    NOT NULL,            -- JSON array of names and values
    body_bytes INTEGER NOT NULL,            -- of the whole body
    body       BLOB    NOT NULL             -- its beginning
) STRICT;

CREATE INDEX rejection_by_source ON rejection (source, no);
CREATE INDEX rejection_by_age ON rejection (at);
