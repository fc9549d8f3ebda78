-- When a session is to be archived by itself. NULL: never.
ALTER TABLE session ADD COLUMN expires_ns INTEGER;
