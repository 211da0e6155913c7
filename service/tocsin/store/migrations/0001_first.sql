-- Instants are microseconds since 1970 in UTC. States are drawn in docs/states.md.

CREATE TABLE event (
    id TEXT PRIMARY KEY,
    received_at BIGINT NOT NULL,
    body TEXT NOT NULL,
    alerts INTEGER NOT NULL,
    state TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX event_due ON event (due_at) WHERE state IN ('due', 'claimed');
CREATE INDEX event_settled ON event (received_at) WHERE state IN ('done', 'dead');

CREATE TABLE incident (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    cluster TEXT NOT NULL,
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    workload TEXT NOT NULL,
    domain TEXT NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    seen INTEGER NOT NULL,
    posture TEXT NOT NULL,
    verdict TEXT NOT NULL,
    told_at BIGINT,
    told_verdict TEXT,
    version INTEGER NOT NULL
);
CREATE UNIQUE INDEX incident_open ON incident (key) WHERE state <> 'closed';
CREATE INDEX incident_domain ON incident (cluster, domain) WHERE state <> 'closed' AND domain <> '';
CREATE INDEX incident_closed ON incident (last_at) WHERE state = 'closed';

CREATE TABLE alert (
    incident_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    pod TEXT NOT NULL,
    PRIMARY KEY (incident_id, fingerprint)
);
CREATE INDEX alert_fingerprint ON alert (fingerprint);

CREATE TABLE notice (
    id TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    verdict TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    report TEXT NOT NULL
);
CREATE INDEX notice_incident ON notice (incident_id);

CREATE TABLE delivery (
    id TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL,
    notice_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    settled_at BIGINT
);
CREATE INDEX delivery_due ON delivery (channel, due_at) WHERE state IN ('due', 'claimed');
CREATE INDEX delivery_incident ON delivery (incident_id);

CREATE TABLE channel (
    name TEXT PRIMARY KEY,
    paused_until BIGINT NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    trouble_told_at BIGINT NOT NULL DEFAULT 0
);
