-- The triggers that write changes down are temporary ones from now on, made by commands that change something: no other
-- one reads them. What they write lies in the order in which it is read, so that it needs no index for that.

CREATE TABLE undo_change (
    operation  INTEGER NOT NULL,
    -- Rising within the operation.
    number     INTEGER NOT NULL,
    table_name TEXT    NOT NULL,
    -- The values of the primary key, as a JSON list.
    key        TEXT    NOT NULL,
    -- The columns as they were and as they became, as JSON objects; all of them where the row came to be or went, else
    -- those that changed. NULL: there was no row.
    before     TEXT,
    after      TEXT,
    PRIMARY KEY (operation, number)
) STRICT, WITHOUT ROWID;

INSERT INTO undo_change SELECT operation, id, table_name, key, before, after FROM undo_row ORDER BY operation, id;
DROP TABLE undo_row;
ALTER TABLE undo_change RENAME TO undo_row;
CREATE INDEX undo_row_key ON undo_row (table_name, key);
