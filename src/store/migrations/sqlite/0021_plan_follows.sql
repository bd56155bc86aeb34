-- Which version a version takes over from, noted before it counts: of two at one moment the second finds the place taken.

ALTER TABLE plan_versions ADD COLUMN follows BIGINT;
ALTER TABLE plan_versions ADD COLUMN follows_at BIGINT;         -- when it was noted
CREATE UNIQUE INDEX plan_versions_follow ON plan_versions (follows);
