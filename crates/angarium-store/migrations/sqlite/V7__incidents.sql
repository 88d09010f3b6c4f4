-- When the newest trouble of an endpoint began that people were told of.
ALTER TABLE endpoint_counter ADD COLUMN incident INTEGER;
