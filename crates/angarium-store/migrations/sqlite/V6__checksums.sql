-- A checksum of what must not change unseen; none in rows that are older than it.
ALTER TABLE endpoint ADD COLUMN crc INTEGER; -- of its id, tenant and configuration
ALTER TABLE event ADD COLUMN crc INTEGER;    -- of all other columns
ALTER TABLE delivery ADD COLUMN crc INTEGER; -- of how it ended, without the texts of its attempt
