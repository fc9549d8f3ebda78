-- Sources from archives and repositories.

-- The branch, tag or commit to take, where the origin is a repository; NULL: its own choice.
ALTER TABLE source ADD COLUMN rev TEXT;
ALTER TABLE source ADD COLUMN submodules INTEGER NOT NULL DEFAULT 0;
-- The most bytes that an archive or a repository may hold; NULL: the default.
ALTER TABLE source ADD COLUMN max_bytes INTEGER;

-- Which state of the origin it was: a commit of a repository, the identity and times of a file.
ALTER TABLE revision ADD COLUMN origin_version TEXT;
