-- Who changed what. An entry's text is what its hash is of; the columns beside it are for lists.
CREATE TABLE audit (
    no          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    environment INTEGER,                    -- numbers, which stay when their rows go
    tenant      INTEGER,
    text        TEXT    NOT NULL,           -- JSON without its hash, with the hash before it
    hash        BLOB    NOT NULL            -- SHA-256 of the text
) STRICT;

CREATE INDEX audit_by_environment ON audit (environment, no);
CREATE INDEX audit_by_tenant ON audit (tenant, no);

-- Where the chain ends, so that an end that is cut off is missed.
CREATE TABLE audit_head (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    no   INTEGER NOT NULL,
    hash BLOB    NOT NULL
) STRICT;

INSERT INTO audit_head (one, no, hash) VALUES (1, 0, zeroblob(32));
