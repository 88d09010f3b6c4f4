-- What secrets are sealed with: one key for each tenant, and retired ones until nothing is sealed
-- with them any more.
CREATE TABLE data_key (
    id      BLOB    PRIMARY KEY,            -- random; stands in what is sealed with it
    tenant  INTEGER NOT NULL,               -- 0 for what belongs to no tenant
    wrapped BLOB    NOT NULL,               -- sealed with the master key
    retired INTEGER NOT NULL                -- 1 once another took its place, or is to take it
) WITHOUT ROWID, STRICT;

CREATE UNIQUE INDEX current_data_key ON data_key (tenant) WHERE retired = 0;
CREATE INDEX data_key_by_tenant ON data_key (tenant);
CREATE INDEX retired_data_key ON data_key (id) WHERE retired = 1;

-- Whose secret an answer may hold; 0 if nobody's.
ALTER TABLE idempotency ADD COLUMN tenant INTEGER NOT NULL DEFAULT 0;

-- Which key a value is sealed with: its first bytes say so.
CREATE INDEX endpoint_by_data_key ON endpoint (substr(secrets, 1, 9)) WHERE secrets IS NOT NULL;
CREATE INDEX tenant_key_by_data_key ON tenant_key (substr(keys, 1, 9));
CREATE INDEX source_by_data_key ON source (substr(keys, 1, 9));
CREATE INDEX idempotency_by_data_key ON idempotency (substr(body, 1, 9)) WHERE body IS NOT NULL;
