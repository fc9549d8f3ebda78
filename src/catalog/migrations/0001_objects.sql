-- The objects that a command can name, and what happened to them.
-- Times are nanoseconds since the Unix epoch. Paths and hashes are bytes.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a command that changed anything.
CREATE TABLE operation (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ns INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    command TEXT    NOT NULL
) STRICT;

-- The history. A line is never edited; only the oldest can go.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    operation   INTEGER NOT NULL,
    time_ns     INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    object_kind TEXT    NOT NULL,
    object_id   TEXT    NOT NULL,
    details     TEXT    NOT NULL
) STRICT;

CREATE INDEX event_object ON event (object_id, seq);

CREATE TRIGGER event_is_never_edited BEFORE UPDATE ON event
BEGIN
    SELECT RAISE (ABORT, 'an event is never edited');
END;

CREATE TRIGGER event_only_the_oldest_goes BEFORE DELETE ON event
WHEN EXISTS (SELECT 1 FROM event WHERE seq < OLD.seq)
BEGIN
    SELECT RAISE (ABORT, 'only the oldest event can be removed');
END;

CREATE TABLE source (
    id                TEXT    PRIMARY KEY,
    name              TEXT    NOT NULL,
    kind              TEXT    NOT NULL,
    origin            BLOB,
    excludes          TEXT    NOT NULL DEFAULT '[]',
    respect_gitignore INTEGER NOT NULL DEFAULT 0,
    skip_unreadable   INTEGER NOT NULL DEFAULT 0,
    scratch           TEXT    NOT NULL DEFAULT '[]',
    -- Numbers are never given out twice, also when the newest revision was pruned.
    next_revision     INTEGER NOT NULL DEFAULT 1,
    created_ns        INTEGER NOT NULL,
    updated_ns        INTEGER NOT NULL,
    actor             TEXT    NOT NULL,
    deleted_ns        INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX source_name ON source (name) WHERE deleted_ns IS NULL;

CREATE TABLE revision (
    source      TEXT    NOT NULL REFERENCES source (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL CHECK (number > 0),
    root        BLOB    NOT NULL CHECK (length(root) = 32),
    created_ns  INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    files       INTEGER NOT NULL,
    dirs        INTEGER NOT NULL,
    size_bytes  INTEGER NOT NULL,
    duration_ns INTEGER NOT NULL,
    left_out    TEXT    NOT NULL DEFAULT '[]',
    PRIMARY KEY (source, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id            TEXT    PRIMARY KEY,
    name          TEXT    NOT NULL,
    status        TEXT    NOT NULL DEFAULT 'active',
    -- A session holds its own base, so that it outlives the source it came from. No root: it began empty.
    base_root     BLOB    CHECK (length(base_root) = 32),
    base_source   TEXT    REFERENCES source (id) ON DELETE SET NULL,
    base_revision INTEGER,
    parent        TEXT    REFERENCES session (id) ON DELETE SET NULL,
    created_ns    INTEGER NOT NULL,
    updated_ns    INTEGER NOT NULL,
    actor         TEXT    NOT NULL,
    deleted_ns    INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX session_name ON session (name) WHERE deleted_ns IS NULL;
CREATE INDEX session_base_source ON session (base_source) WHERE deleted_ns IS NULL;
CREATE INDEX session_parent ON session (parent);

CREATE TABLE tag (
    object_id TEXT NOT NULL,
    key       TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (object_id, key)
) STRICT, WITHOUT ROWID;
