-- What undo needs: which rows each operation changed, and which operations reverse which.

-- 'command', or 'undo' or 'redo' of the operation `target`.
ALTER TABLE operation ADD COLUMN kind TEXT NOT NULL DEFAULT 'command' CHECK (kind IN ('command', 'undo', 'redo'));
ALTER TABLE operation ADD COLUMN target INTEGER;
-- A JSON object about what it did besides changing rows.
ALTER TABLE operation ADD COLUMN note TEXT;
-- Why it cannot be undone any more.
ALTER TABLE operation ADD COLUMN gone TEXT;

UPDATE operation SET gone = 'an older version of aether did it';

CREATE INDEX operation_target ON operation (target, seq) WHERE target IS NOT NULL;

-- One row for each change of a row; written by triggers that the program makes for every table (see capture.rs).
CREATE TABLE undo_row (
    id         INTEGER PRIMARY KEY,
    operation  INTEGER NOT NULL,
    table_name TEXT    NOT NULL,
    -- The values of the primary key, as a JSON list.
    key        TEXT    NOT NULL,
    -- The columns as they were and as they became, as JSON objects; all of them where the row came to be or went, else
    -- those that changed. NULL: there was no row.
    before     TEXT,
    after      TEXT
) STRICT;

CREATE INDEX undo_row_operation ON undo_row (operation);
CREATE INDEX undo_row_key ON undo_row (table_name, key);

CREATE INDEX event_operation ON event (operation, seq);
