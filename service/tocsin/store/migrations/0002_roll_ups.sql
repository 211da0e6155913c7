-- A storm: messages are gathered and told in one roll-up. `held_until` is 0 while no storm lasts.
ALTER TABLE channel ADD COLUMN held_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN roll_ups INTEGER NOT NULL DEFAULT 0;

-- The roll-up that a message was last claimed for, empty for one by itself.
ALTER TABLE delivery ADD COLUMN roll_up TEXT NOT NULL DEFAULT '';
-- One that is told by itself even then: a suspicious incident.
ALTER TABLE delivery ADD COLUMN loud INTEGER NOT NULL DEFAULT 0;
CREATE INDEX delivery_loud ON delivery (channel, due_at) WHERE loud = 1 AND state IN ('due', 'claimed');
CREATE INDEX delivery_roll_up ON delivery (roll_up) WHERE roll_up <> '' AND state = 'claimed';

-- What a channel was really sent within the last hour: one row a request that its provider confirmed.
CREATE TABLE dispatch (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    sent_at BIGINT NOT NULL
);
CREATE INDEX dispatch_sent ON dispatch (channel, sent_at);
