-- Plain directories that sessions were written to.
CREATE TABLE materialization (
    session    TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    dir        BLOB    NOT NULL,
    -- What was written.
    root       BLOB    NOT NULL CHECK (length(root) = 32),
    -- The same tree with the numbers and times that its files got there.
    footprint  BLOB    NOT NULL CHECK (length(footprint) = 32),
    created_ns INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    PRIMARY KEY (session, dir)
) STRICT, WITHOUT ROWID;
