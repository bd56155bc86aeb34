-- Accounts of people and their sessions. Neither holds a password or a token, only what proves one.

CREATE TABLE accounts (
    id              TEXT PRIMARY KEY,
    login           TEXT NOT NULL,
    login_key       TEXT NOT NULL,            -- the login in small letters
    name            TEXT NOT NULL,
    roles           TEXT NOT NULL,            -- JSON list
    number          BIGINT,                   -- agent number
    seat            BIGINT,
    skills          TEXT NOT NULL,            -- JSON object: skill to level
    queues          TEXT NOT NULL,            -- JSON list
    password        TEXT,                     -- PHC string; NULL: nobody can sign in with one
    must_change     BIGINT NOT NULL,
    confidential_at BIGINT,
    disabled        BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    changed_at      BIGINT NOT NULL
);
CREATE UNIQUE INDEX accounts_by_login ON accounts (login_key);
CREATE UNIQUE INDEX accounts_by_number ON accounts (number);

CREATE TABLE sessions (
    digest     TEXT PRIMARY KEY,              -- SHA-256 of the token
    account_id TEXT NOT NULL,
    is_local   BIGINT NOT NULL,               -- of the token file: lasts until the next start
    address    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account_id, created_at);
