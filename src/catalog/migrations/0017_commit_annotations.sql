-- Notes on a session as they were when a commit was made of it. They are copies, which stay with the commit.
CREATE TABLE outcome_annotation (
    outcome     TEXT    NOT NULL REFERENCES outcome (id) ON DELETE CASCADE,
    -- The note, which may be gone.
    annotation  TEXT    NOT NULL,
    -- Where it is in the commit's tree; what is outdated has no place there, and stands where it was made.
    path        BLOB    NOT NULL,
    first_line  INTEGER CHECK (first_line > 0),
    last_line   INTEGER CHECK (last_line >= first_line),
    is_outdated INTEGER NOT NULL CHECK (is_outdated IN (0, 1)),
    -- The hash of the content that was looked at; NULL: there was no file.
    content     BLOB    CHECK (length(content) = 32),
    text        TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'resolved')),
    created_ns  INTEGER NOT NULL,
    updated_ns  INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    -- What was answered, as a JSON list.
    replies     TEXT    NOT NULL,
    PRIMARY KEY (outcome, annotation)
) STRICT, WITHOUT ROWID;

CREATE INDEX outcome_annotation_note ON outcome_annotation (annotation);
