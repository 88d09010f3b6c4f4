-- When an API key was used last; true to about a minute.
ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;

-- Keys that ended long ago are forgotten, the earliest first.
CREATE INDEX api_key_by_end ON api_key (expires_at) WHERE expires_at IS NOT NULL;
