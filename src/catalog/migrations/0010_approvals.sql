-- Approvals: whether an action may happen to a content, and what was answered.

CREATE TABLE approval (
    id           TEXT    PRIMARY KEY,
    -- What was asked about. It is kept when the session is gone for good, so there is no foreign key.
    session      TEXT    NOT NULL,
    session_name TEXT    NOT NULL,
    source       TEXT,
    action       TEXT    NOT NULL,
    -- The hash of the change set, the tree that has it, and the one that this is compared with.
    content      BLOB    NOT NULL CHECK (length(content) = 32),
    root         BLOB    NOT NULL CHECK (length(root) = 32),
    onto_root    BLOB    NOT NULL CHECK (length(onto_root) = 32),
    reason       TEXT    NOT NULL DEFAULT '',
    -- A JSON object of the asker's own.
    details      TEXT,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'granted', 'denied', 'cancelled', 'expired')),
    -- So many grants, each of another actor, make it granted.
    needed       INTEGER NOT NULL CHECK (needed > 0),
    -- While it is pending, the session cannot be changed.
    freezes      INTEGER NOT NULL CHECK (freezes IN (0, 1)),
    expires_ns   INTEGER,
    created_ns   INTEGER NOT NULL,
    actor        TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX approval_content ON approval (session, action, content);
CREATE INDEX approval_time ON approval (created_ns);
CREATE INDEX approval_pending ON approval (session) WHERE state = 'pending';
CREATE INDEX approval_due ON approval (expires_ns) WHERE state = 'pending' AND expires_ns IS NOT NULL;

CREATE TABLE approval_answer (
    approval   TEXT    NOT NULL REFERENCES approval (id) ON DELETE CASCADE,
    number     INTEGER NOT NULL CHECK (number > 0),
    verdict    TEXT    NOT NULL CHECK (verdict IN ('grant', 'deny', 'cancel')),
    message    TEXT    NOT NULL DEFAULT '',
    time_ns    INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    -- `human` or `agent`, if the configuration said what the actor was.
    actor_kind TEXT,
    -- In the armour of ssh-keygen, over what the approval stands for.
    signature  TEXT,
    PRIMARY KEY (approval, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX approval_one_grant ON approval_answer (approval, actor) WHERE verdict = 'grant';
