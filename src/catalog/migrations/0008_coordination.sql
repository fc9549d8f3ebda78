-- What those who work side by side share besides files. None of it is undone: a message that was heard, a value that
-- another one has read, a lock that somebody else got meanwhile cannot be called back.

-- Values stand by themselves, so that lists do not read them, and a fork copies none.
CREATE TABLE cache_value (
    id    INTEGER PRIMARY KEY,
    hash  BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    bytes BLOB    NOT NULL
) STRICT;

CREATE TABLE cache_entry (
    session    TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    key        TEXT    NOT NULL,
    version    INTEGER NOT NULL CHECK (version > 0),
    value      INTEGER NOT NULL REFERENCES cache_value (id),
    size_bytes INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    -- From then on it counts as not there. NULL: never.
    expires_ns INTEGER,
    PRIMARY KEY (session, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX cache_entry_value ON cache_entry (value);
CREATE INDEX cache_entry_expires ON cache_entry (expires_ns) WHERE expires_ns IS NOT NULL;

-- The highest version that an entry of the session had when it went: one that comes gets a higher one, so that nobody
-- takes it for the one that was there before.
CREATE TABLE cache_floor (
    session TEXT    PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER cache_entry_goes AFTER DELETE ON cache_entry BEGIN
    INSERT INTO cache_floor (session, version)
        SELECT OLD.session, OLD.version WHERE EXISTS (SELECT 1 FROM session WHERE id = OLD.session)
        ON CONFLICT (session) DO UPDATE SET version = max(version, excluded.version);
    DELETE FROM cache_value
        WHERE id = OLD.value AND NOT EXISTS (SELECT 1 FROM cache_entry WHERE value = OLD.value);
END;

CREATE TRIGGER cache_entry_changes AFTER UPDATE OF value ON cache_entry WHEN OLD.value <> NEW.value BEGIN
    DELETE FROM cache_value
        WHERE id = OLD.value AND NOT EXISTS (SELECT 1 FROM cache_entry WHERE value = OLD.value);
END;

-- A lease on paths of a source.
CREATE TABLE lock (
    token       TEXT    PRIMARY KEY,
    source      TEXT    NOT NULL REFERENCES source (id) ON DELETE CASCADE,
    -- A path, or a pattern, as it was written.
    pattern     BLOB    NOT NULL,
    is_literal  INTEGER NOT NULL CHECK (is_literal IN (0, 1)),
    session     TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    message     TEXT    NOT NULL DEFAULT '',
    acquired_ns INTEGER NOT NULL,
    expires_ns  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX lock_source ON lock (source);

-- Results of tests, and what they were run on.
CREATE TABLE health (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    session     TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    is_passing  INTEGER NOT NULL CHECK (is_passing IN (0, 1)),
    -- Names what the session stood on and its change set.
    content     BLOB    NOT NULL CHECK (length(content) = 32),
    time_ns     INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    message     TEXT    NOT NULL DEFAULT '',
    -- What was run, and what it ended with, if that is known.
    command     TEXT,
    exit_code   INTEGER,
    tests       INTEGER,
    failures    INTEGER,
    errors      INTEGER,
    skipped     INTEGER,
    duration_ns INTEGER,
    -- What failed, as a JSON list.
    failed      TEXT    NOT NULL DEFAULT '[]'
) STRICT;

CREATE INDEX health_session ON health (session, id);

CREATE TABLE bus_message (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    topic   TEXT    NOT NULL,
    time_ns INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    body    BLOB    NOT NULL
) STRICT;

CREATE INDEX bus_message_session ON bus_message (session, seq);

-- How much of a session's messages is kept, and the newest one that is not.
CREATE TABLE bus_tail (
    session    TEXT    PRIMARY KEY REFERENCES session (id) ON DELETE CASCADE,
    messages   INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    dropped    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The command of `session run` that it happened in.
ALTER TABLE operation ADD COLUMN via TEXT;

CREATE INDEX event_type ON event (type, seq);
CREATE INDEX event_time ON event (time_ns);
