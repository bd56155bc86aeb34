-- Every dial plan that was drafted or applied: who, when, why. A row's text never changes, and no row goes.

CREATE TABLE plan_versions (
    id           BIGINT PRIMARY KEY,          -- counted from 1
    name         TEXT NOT NULL,               -- of the file it came from
    text         TEXT NOT NULL,
    why          TEXT NOT NULL,
    made_at      BIGINT NOT NULL,
    made_by      TEXT NOT NULL,               -- login, which never changes
    base         BIGINT,                      -- the version that counted when it was made
    approved_at  BIGINT,
    approved_by  TEXT,
    publish_at   BIGINT,                      -- when it shall count; NULL: nobody has said so
    publish_by   TEXT,
    published_at BIGINT                       -- since when it counts, or has counted
);
CREATE INDEX plan_versions_due ON plan_versions (publish_at);
