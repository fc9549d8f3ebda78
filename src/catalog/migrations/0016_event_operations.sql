-- An operation and its events have one time, by which they are found: each index more is one page more that every
-- command writes.
DROP INDEX event_operation;
