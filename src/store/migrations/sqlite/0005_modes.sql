-- What a call's line was when it came, and where outside it went: said by the ledger's rows from the beginning, asked for here.

ALTER TABLE calls ADD COLUMN mode TEXT;                         -- merge mode of the line at the arrival, by its name
ALTER TABLE calls ADD COLUMN destination TEXT;                  -- the last place outside that was tried for the caller

CREATE INDEX calls_by_mode ON calls (mode, arrived_at);
