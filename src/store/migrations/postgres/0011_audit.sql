-- Who looked at what and changed what. Each entry carries the hash of the one before; no entry is ever changed or deleted.

CREATE TABLE audit (
    seq      BIGINT PRIMARY KEY,              -- 1 and on, without a gap
    at       BIGINT NOT NULL,
    account  TEXT NOT NULL,                   -- id; empty when nobody was signed in
    login    TEXT NOT NULL,
    address  TEXT NOT NULL,
    action   TEXT NOT NULL,
    object   TEXT NOT NULL,
    detail   TEXT NOT NULL,                   -- JSON
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL
);
CREATE INDEX audit_by_account ON audit (account, seq);
CREATE INDEX audit_by_object ON audit (object, seq);
CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses();
