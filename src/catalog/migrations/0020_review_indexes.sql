-- Results of tests by what they speak of: a policy asks about one content.
CREATE INDEX health_content ON health (session, content);

-- What a session has is in its history: checkpoints, commits, approvals, notes, locks.
CREATE INDEX event_of_session ON event (json_extract(details, '$.session'), seq)
    WHERE object_kind <> 'session' AND json_extract(details, '$.session') IS NOT NULL;

-- Lists of approvals by state or action, newest first.
CREATE INDEX approval_state ON approval (state, created_ns);
CREATE INDEX approval_action ON approval (action, created_ns);

-- The newest undo, for redo, without a look at every operation.
CREATE INDEX operation_undo ON operation (kind) WHERE kind = 'undo';
