-- Filters of the history of one object are answered by the index, without a look at each of its lines.
DROP INDEX event_object;
CREATE INDEX event_object ON event (object_id, seq, type, time_ns);
DROP INDEX event_of_session;
CREATE INDEX event_of_session ON event (json_extract(details, '$.session'), seq, type, time_ns)
    WHERE object_kind <> 'session' AND json_extract(details, '$.session') IS NOT NULL;
