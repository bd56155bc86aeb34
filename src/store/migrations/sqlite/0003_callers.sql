-- What is known of a number before it is answered; what is on the lists counts once it is approved, until its end.

CREATE TABLE caller_marks (
    id          TEXT PRIMARY KEY,
    number      TEXT NOT NULL,
    mark        TEXT NOT NULL,                -- of the plan
    reason      TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    proposed_by TEXT NOT NULL,                -- login, which never changes
    approved_at BIGINT,
    approved_by TEXT,
    until_at    BIGINT                        -- NULL: until it is taken away
);
CREATE UNIQUE INDEX caller_marks_by_number ON caller_marks (number, mark);
CREATE INDEX caller_marks_by_time ON caller_marks (proposed_at, id);

-- Who sees to a wish, so that no two call the same person back.
ALTER TABLE wishes ADD COLUMN taken_at BIGINT;
ALTER TABLE wishes ADD COLUMN taken_by TEXT;

-- Which codec a leg spoke at its end.
ALTER TABLE segments ADD COLUMN codec TEXT;
