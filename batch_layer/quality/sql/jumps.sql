-- One row a pair of neighbouring closes that differ by more than the factor $jump once the splits
-- between them are undone. Binds: $jump, $start, $end (of the later session, inclusive).
-- Reads: divided.
SELECT symbol, session_before, session, close_before, close, raw_ratio * split AS ratio
FROM divided
WHERE
    NOT is_unseen
    AND session BETWEEN $start AND $end
    AND greatest(raw_ratio * split, 1 / (raw_ratio * split)) > $jump
ORDER BY session DESC, symbol;
