-- Contracts switch an endpoint off after so many deliveries in a row that were given up.
ALTER TABLE endpoint_counter ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;

-- What the last failed attempt meant, and the status of its answer.
ALTER TABLE endpoint_counter ADD COLUMN failure_class INTEGER;
ALTER TABLE endpoint_counter ADD COLUMN failure_status INTEGER;
