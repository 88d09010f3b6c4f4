-- How many events a tenant may publish: JSON with `per_second` and `burst`.
ALTER TABLE tenant ADD COLUMN rate TEXT;

-- Public ids, separated by spaces, of the endpoints that a job of a whole tenant went past, while
-- `endpoint` is the one that it is at; null for a job of one endpoint.
ALTER TABLE job ADD COLUMN left_out TEXT;
