-- Calls as the ledger tells them. Portable: ids are TEXT, times BIGINT milliseconds since 1970 UTC, JSON is TEXT.

CREATE TABLE calls (
    id              TEXT PRIMARY KEY,
    deployment      TEXT NOT NULL,
    origin          TEXT NOT NULL,            -- trunk, seat or unknown
    source          TEXT NOT NULL,            -- name of the trunk or number of the seat
    line            TEXT NOT NULL,            -- the number dialled
    calling_number  TEXT,
    calling_raw     TEXT NOT NULL,
    calling_display TEXT NOT NULL,
    calling_private BIGINT NOT NULL,
    sip_call_id     TEXT NOT NULL,
    arrived_at      BIGINT NOT NULL,
    greeted_at      BIGINT,
    queued_at       BIGINT,
    answered_at     BIGINT,                   -- a person answered
    ended_at        BIGINT,
    queue           TEXT,
    seat            BIGINT,                   -- the first seat that answered
    fate            TEXT,
    cause           TEXT,
    recording       TEXT
);
CREATE INDEX calls_by_time ON calls (arrived_at, id);
CREATE INDEX calls_by_line ON calls (line, arrived_at);
CREATE INDEX calls_by_fate ON calls (fate, arrived_at);
CREATE INDEX calls_by_seat ON calls (seat, arrived_at);

CREATE TABLE call_events (
    call_id TEXT NOT NULL,
    seq     BIGINT NOT NULL,                  -- number of the ledger row
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (call_id, seq)
);

CREATE TABLE recordings (
    file       TEXT PRIMARY KEY,              -- below the recording folder
    call_id    TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    failed     TEXT                           -- why it could not go on
);
CREATE INDEX recordings_by_call ON recordings (call_id);

-- How far each node's ledger has been copied. Moves in the transaction that holds the rows.
CREATE TABLE ledger_position (
    node    BIGINT PRIMARY KEY,
    segment BIGINT NOT NULL,
    at_byte BIGINT NOT NULL,
    epoch_s BIGINT NOT NULL                   -- of the run that wrote the segment
);
