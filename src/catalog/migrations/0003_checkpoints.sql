-- Checkpoints, forks, and sessions whose delta was folded into a base of their own.

-- What the session is compared with: the revision that it came from. `base_root` is what its delta lies on.
ALTER TABLE session ADD COLUMN onto_root BLOB CHECK (length(onto_root) = 32);
UPDATE session SET onto_root = base_root;

-- The number of the directory that holds the delta. Another base comes with another one.
ALTER TABLE session ADD COLUMN delta INTEGER NOT NULL DEFAULT 0;

-- A fork: the state of its parent that it began with, and the checkpoint that this was, if it was one.
ALTER TABLE session ADD COLUMN parent_root BLOB CHECK (length(parent_root) = 32);
ALTER TABLE session ADD COLUMN parent_checkpoint INTEGER;

-- Numbers are never given out twice, also when the newest checkpoint was deleted.
ALTER TABLE session ADD COLUMN next_checkpoint INTEGER NOT NULL DEFAULT 1;

CREATE TABLE checkpoint (
    id         TEXT    PRIMARY KEY,
    session    TEXT    NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL CHECK (number > 0),
    root       BLOB    NOT NULL CHECK (length(root) = 32),
    name       TEXT,
    message    TEXT    NOT NULL DEFAULT '',
    kind       TEXT    NOT NULL CHECK (kind IN ('manual', 'auto')),
    -- Why an automatic one was made: `restore`, `merge`…
    reason     TEXT,
    files      INTEGER NOT NULL,
    dirs       INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    deleted_ns INTEGER,
    UNIQUE (session, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX checkpoint_name ON checkpoint (session, name) WHERE name IS NOT NULL AND deleted_ns IS NULL;
