-- Where requests may go on behalf of an environment; absent where it sets nothing.
ALTER TABLE environment ADD COLUMN egress BLOB; -- sealed
