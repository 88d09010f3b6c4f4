-- How many calls may be made with a key (JSON), and when nothing is kept of it any more: a portal
-- key is forgotten a day after its end, every other one after thirty.
ALTER TABLE api_key ADD COLUMN rate TEXT;
ALTER TABLE api_key ADD COLUMN forget_at INTEGER;
UPDATE api_key SET forget_at = expires_at
    + CASE WHEN scopes = 'portal' THEN 86400000 ELSE 2592000000 END
WHERE expires_at IS NOT NULL;
DROP INDEX api_key_by_end;
CREATE INDEX api_key_by_forgetting ON api_key (forget_at) WHERE forget_at IS NOT NULL;

-- Payload that is stored of each tenant, of events up to `indexed_upto`.
CREATE TABLE tenant_usage (
    tenant INTEGER NOT NULL PRIMARY KEY,
    bytes  INTEGER NOT NULL
) STRICT;

INSERT INTO tenant_usage (tenant, bytes)
SELECT tenant, sum(length(data)) FROM event
WHERE key <= (SELECT value FROM meta WHERE name = 'indexed_upto') GROUP BY tenant;
