-- Since when a channel has failed without a success in between, 0 while it works.
ALTER TABLE channel ADD COLUMN failing_since BIGINT NOT NULL DEFAULT 0;
-- How often a message failed first, through a channel that had worked until then.
ALTER TABLE delivery ADD COLUMN setbacks INTEGER NOT NULL DEFAULT 0;
