-- One row a pair of neighbouring closes that do not show the splits between them. Binds: $start, $end
-- (of the later session, inclusive). Reads: divided.
SELECT symbol, session_before, session, close_before, close, split
FROM divided
WHERE is_unseen AND session BETWEEN $start AND $end
ORDER BY session DESC, symbol;
