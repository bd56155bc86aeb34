-- Calls are found by the number that was called too: few calls have one, so the index is small.
CREATE INDEX segments_by_called ON segments (number, call_id) WHERE party = 'called';
