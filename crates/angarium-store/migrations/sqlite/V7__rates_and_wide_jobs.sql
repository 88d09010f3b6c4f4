-- How many events a tenant may publish: JSON with `per_second` and `burst`.
ALTER TABLE tenant ADD COLUMN rate TEXT;
