-- Merges into sessions, and what their sides did not agree about.

CREATE TABLE merge (
    session       TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL CHECK (number > 0),
    -- What was merged: a session or a source, the number of the checkpoint or revision if it was one, its name then.
    from_session  TEXT,
    from_source   TEXT,
    from_number   INTEGER,
    from_name     TEXT    NOT NULL,
    -- Its tree, which the session has from then on.
    theirs_root   BLOB    NOT NULL CHECK (length(theirs_root) = 32),
    -- What both came from, and the session before; only while there are conflicts.
    base_root     BLOB    CHECK (length(base_root) = 32),
    ours_root     BLOB    CHECK (length(ours_root) = 32),
    -- For an update: what the session stood on before.
    is_update     INTEGER NOT NULL CHECK (is_update IN (0, 1)),
    old_onto_root BLOB    CHECK (length(old_onto_root) = 32),
    old_revision  INTEGER,
    old_status    TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('open', 'done', 'aborted')),
    created_ns    INTEGER NOT NULL,
    actor         TEXT    NOT NULL,
    PRIMARY KEY (session, number),
    CHECK (from_session IS NULL OR from_source IS NULL)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX merge_open ON merge (session) WHERE state = 'open';

CREATE TABLE conflict (
    session     TEXT    NOT NULL,
    merge       INTEGER NOT NULL,
    -- In the merged tree.
    path        BLOB    NOT NULL,
    -- Words with commas between them.
    kinds       TEXT    NOT NULL,
    -- Where each side has it; NULL if it has not.
    base_path   BLOB,
    ours_path   BLOB,
    theirs_path BLOB,
    has_markers INTEGER NOT NULL CHECK (has_markers IN (0, 1)),
    -- How it was resolved: `ours`, `theirs`, `union`, `file`, `edited`.
    resolution  TEXT,
    PRIMARY KEY (session, merge, path),
    FOREIGN KEY (session, merge) REFERENCES merge (session, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
