-- The id of the session or commit that a revision was promoted from; NULL: it was imported.
ALTER TABLE revision ADD COLUMN promoted_from TEXT;
