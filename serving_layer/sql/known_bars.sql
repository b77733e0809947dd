-- One row a (listing, session): its daily bar, in the shape of silver (schema BARS).
-- Reads: daily.
SELECT
    listing,
    symbol,
    session AS start,
    open,
    high,
    low,
    close,
    volume,
    vwap,
    trades,
    1 AS sessions,
    1 AS sessions_expected,
    session AS through,
    CASE WHEN is_forming THEN 'forming' ELSE 'final' END AS state,
    revision
FROM daily
WHERE close IS NOT NULL;
