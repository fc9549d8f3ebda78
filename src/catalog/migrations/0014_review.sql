-- What each action on the work of a source's sessions needs: TOML, as somebody wrote it.
CREATE TABLE policy (
    source     TEXT    PRIMARY KEY REFERENCES source (id) ON DELETE CASCADE,
    text       TEXT    NOT NULL,
    updated_ns INTEGER NOT NULL,
    actor      TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Notes of a review on a session, a path of it, or lines of a file, and what was answered.
CREATE TABLE annotation (
    id           TEXT    PRIMARY KEY,
    session      TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    -- In the tree as it was looked at; the empty one is the session as a whole.
    path         BLOB    NOT NULL,
    -- From 1; NULL: the path as a whole.
    first_line   INTEGER CHECK (first_line > 0),
    last_line    INTEGER CHECK (last_line >= first_line),
    -- The hash of the content that was looked at; NULL: there was no file.
    content      BLOB    CHECK (length(content) = 32),
    -- The tree that has it.
    root         BLOB    NOT NULL CHECK (length(root) = 32),
    text         TEXT    NOT NULL,
    state        TEXT    NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
    created_ns   INTEGER NOT NULL,
    updated_ns   INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    deleted_ns   INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX annotation_path ON annotation (session, path);
CREATE INDEX annotation_open ON annotation (session) WHERE state = 'open' AND deleted_ns IS NULL;
CREATE INDEX annotation_time ON annotation (created_ns);

CREATE TABLE annotation_reply (
    annotation TEXT    NOT NULL REFERENCES annotation (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL CHECK (number > 0),
    text       TEXT    NOT NULL,
    time_ns    INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    PRIMARY KEY (annotation, number)
) STRICT, WITHOUT ROWID;
