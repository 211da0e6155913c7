-- Who claimed a row: the number of a lock that a process holds in PostgreSQL as long as it lives, 0 in SQLite.
ALTER TABLE event ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;
