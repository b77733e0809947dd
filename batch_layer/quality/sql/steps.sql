-- One row a bar and the one before it, where something is odd: sessions between them, closes far
-- apart, or a split. Binds: $jump (a factor, above 1). Reads: bars, lives (of the years before),
-- held, split_days.
INSERT INTO steps
WITH pairs AS (
    SELECT symbol, session_before, session, close_before, close
    FROM bars
    WHERE session_before IS NOT NULL
    UNION ALL
    SELECT bars.symbol, lives.last, bars.session, lives.last_close, bars.close
    FROM bars
    JOIN lives ON lives.symbol = bars.symbol
    WHERE bars.session_before IS NULL
),

-- No session is between two days that follow each other: few are left to be looked up.
suspects AS (
    SELECT
        *,
        close > close_before * $jump
        OR close * $jump < close_before
        OR (symbol, session) IN (FROM split_days) AS is_odd
    FROM pairs
    WHERE is_odd OR session - session_before > 1
)

SELECT symbol, session_before, suspects.session, close_before, close
FROM suspects
JOIN held ON held.session = suspects.session
WHERE is_odd OR session_before <> held.before;
