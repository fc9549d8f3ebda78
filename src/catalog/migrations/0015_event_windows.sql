-- Events of one type in a window of time.
CREATE INDEX event_type_time ON event (type, time_ns);
