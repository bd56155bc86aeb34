-- The whole record of a call: a segment a leg, what each queue decided, quality; the counters of the day; jobs.

ALTER TABLE calls ADD COLUMN agent BIGINT;                      -- number of the person who answered first
ALTER TABLE calls ADD COLUMN offered BIGINT NOT NULL DEFAULT 0; -- 1: it counts as offered, see counters
ALTER TABLE calls ADD COLUMN mark TEXT;                         -- of a caller list
ALTER TABLE calls ADD COLUMN linked TEXT;                       -- the earlier call that it belongs to
ALTER TABLE calls ADD COLUMN result TEXT;                       -- code that the agent noted
ALTER TABLE calls ADD COLUMN hold_by TEXT;                      -- legal hold: who asked for it
ALTER TABLE calls ADD COLUMN hold_why TEXT;
ALTER TABLE calls ADD COLUMN hold_at BIGINT;
CREATE INDEX calls_by_number ON calls (calling_number, arrived_at);
CREATE INDEX calls_by_agent ON calls (agent, arrived_at);

-- What earlier versions recorded, for the rates of the day in which the version changed.
UPDATE calls SET offered = 1
WHERE origin = 'trunk' AND (answered_at IS NOT NULL OR fate IN ('abandoned_in_greeting', 'abandoned_in_queue',
    'abandoned_in_ring', 'overflowed', 'failed', 'cut_by_restart'));

CREATE TABLE segments (
    call_id       TEXT NOT NULL,
    leg           TEXT NOT NULL,
    party         TEXT NOT NULL,              -- caller, seat or called
    trunk         TEXT,
    seat          BIGINT,
    agent         BIGINT,
    number        TEXT,
    began_at      BIGINT NOT NULL,
    answered_at   BIGINT,
    ended_at      BIGINT,
    cause         TEXT,
    status        BIGINT,                     -- of SIP
    received      BIGINT,                     -- packets, and so on: see types::StreamReport
    sent          BIGINT,
    lost          BIGINT,
    late          BIGINT,
    jitter_us     BIGINT,
    remote_loss   BIGINT,                     -- percent times 100
    round_trip_us BIGINT,
    mos_x100      BIGINT,
    PRIMARY KEY (call_id, leg)
);

-- Each stay in a queue.
CREATE TABLE waits (
    call_id  TEXT NOT NULL,
    seq      BIGINT NOT NULL,                 -- of the ledger row that began it
    queue    TEXT NOT NULL,
    since    BIGINT NOT NULL,
    ended_at BIGINT,
    outcome  TEXT,                            -- answered, overflowed, moved, or the measure of the call's fate
    PRIMARY KEY (call_id, seq)
);

-- Each decision of a queue: who was rung, why, and what became of it.
CREATE TABLE offers (
    call_id    TEXT NOT NULL,
    offer      TEXT NOT NULL,                 -- fencing number
    leg        TEXT NOT NULL,
    queue      TEXT,
    seat       BIGINT NOT NULL,
    agent      BIGINT,
    offered_at BIGINT NOT NULL,
    ringing_at BIGINT,
    ended_at   BIGINT,
    outcome    TEXT,                          -- answered, or why not
    waited_ms  BIGINT NOT NULL,               -- since the call arrived
    decision   TEXT,                          -- JSON: strategy, candidates, level, priority
    PRIMARY KEY (call_id, offer)
);

-- What callers who left a queue want done later.
CREATE TABLE wishes (
    call_id TEXT NOT NULL,
    seq     BIGINT NOT NULL,                  -- of the ledger row
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,                    -- callback or message
    line    TEXT NOT NULL,
    number  TEXT,
    file    TEXT,                             -- the recorded message, below the recording folder
    done_at BIGINT,
    done_by TEXT,
    PRIMARY KEY (call_id, seq)
);
CREATE INDEX wishes_by_time ON wishes (done_at, at);

ALTER TABLE recordings ADD COLUMN state TEXT;                   -- saved or failed; NULL while it is written
ALTER TABLE recordings ADD COLUMN ended_at BIGINT;
ALTER TABLE recordings ADD COLUMN size_bytes BIGINT;
ALTER TABLE recordings ADD COLUMN length_ms BIGINT;

CREATE TABLE counters (
    day   TEXT NOT NULL,                      -- in China
    hour  BIGINT NOT NULL,
    scope TEXT NOT NULL,                      -- all, line, trunk, queue, seat, agent
    name  TEXT NOT NULL,
    what  TEXT NOT NULL,
    n     BIGINT NOT NULL,
    PRIMARY KEY (day, scope, name, hour, what)
);

-- Work that one node at a time does. Who holds it says so again and again; who falls silent loses it.
CREATE TABLE jobs (
    name         TEXT PRIMARY KEY,
    due_at       BIGINT NOT NULL,
    holder       TEXT,
    leased_until BIGINT,
    ended_at     BIGINT,
    result       TEXT
);
CREATE INDEX recordings_to_measure ON recordings (size_bytes, ended_at);
