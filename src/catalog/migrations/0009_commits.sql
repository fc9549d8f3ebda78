-- Commits: what came of a session, kept for good. `commit` is a word of SQL, so they stand in `outcome`.

CREATE TABLE outcome (
    id           TEXT    PRIMARY KEY,
    -- The tree: the base with the tracked changes.
    root         BLOB    NOT NULL CHECK (length(root) = 32),
    -- What the change set is counted from: the revision that the session stood on; NULL: nothing.
    base_root    BLOB    CHECK (length(base_root) = 32),
    source       TEXT,
    revision     INTEGER,
    -- The session that it was made in, which it outlives.
    session      TEXT    NOT NULL,
    session_name TEXT    NOT NULL,
    -- The commit before it, and the one that it was put in the place of.
    parent       TEXT,
    amends       TEXT,
    change_set   BLOB    NOT NULL CHECK (length(change_set) = 32),
    -- How many paths the change set has.
    changed      INTEGER NOT NULL,
    files        INTEGER NOT NULL,
    dirs         INTEGER NOT NULL,
    size_bytes   INTEGER NOT NULL,
    message      TEXT    NOT NULL,
    author       TEXT    NOT NULL,
    created_ns   INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    deleted_ns   INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX outcome_session ON outcome (session, created_ns);
CREATE INDEX outcome_parent ON outcome (parent) WHERE parent IS NOT NULL;

-- The commit that a session's next one follows, and the one that the session began with.
ALTER TABLE session ADD COLUMN head_commit TEXT;
ALTER TABLE session ADD COLUMN from_commit TEXT;

-- What was merged, if it was a commit.
ALTER TABLE merge ADD COLUMN from_commit TEXT;
