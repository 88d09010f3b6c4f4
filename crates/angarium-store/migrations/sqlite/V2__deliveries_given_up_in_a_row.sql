-- Contracts switch an endpoint off after so many deliveries in a row that were given up.
ALTER TABLE endpoint_counter ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;
