-- Calls that were placed to prove the plan: they are in the records and in no counter but their own.

ALTER TABLE calls ADD COLUMN test_at BIGINT;                    -- when it was marked; NULL: a citizen's
ALTER TABLE calls ADD COLUMN test_by TEXT;                      -- login, which never changes
