-- Frozen trees that a session's delta refers to beside its base: those that it was made in whole or in part.
-- Folding the delta makes them needless.
CREATE TABLE session_pin (
    session TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    root    BLOB NOT NULL CHECK (length(root) = 32),
    PRIMARY KEY (session, root)
) STRICT, WITHOUT ROWID;
