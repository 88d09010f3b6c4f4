-- Since when every attempt to an endpoint has failed.
ALTER TABLE endpoint_counter ADD COLUMN failing_since INTEGER;

-- Lanes that stand still after a dead letter. A pair of event and endpoint stands in one lane.
CREATE TABLE lane_hold (
    endpoint   INTEGER NOT NULL,
    event      INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    lane       BLOB    NOT NULL,
    PRIMARY KEY (endpoint, event)
) WITHOUT ROWID, STRICT;
