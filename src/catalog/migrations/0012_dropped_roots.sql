-- What a collection of the store must know of rows that change while it runs.

-- One row while a collection runs, or was killed.
CREATE TABLE collection (
    running INTEGER PRIMARY KEY CHECK (running = 1)
) STRICT;

-- Trees that rows named since it began, and name no more; written by triggers that the program makes (see dropped.rs).
CREATE TABLE dropped_root (
    root BLOB PRIMARY KEY CHECK (length(root) = 32)
) STRICT, WITHOUT ROWID;
