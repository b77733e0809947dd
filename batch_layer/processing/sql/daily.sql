-- One row a (listing, session) of some years of bronze: what it contributes to a bar.
-- A withdrawn bar contributes its revision alone: a null price is neutral.
-- Binds: $files (the years' objects), $last (ordinal of the last session considered).
CREATE OR REPLACE TABLE daily AS
SELECT bars.*, sessions.ordinal
FROM (
    SELECT listing, symbol, session, open, high, low, close, volume, vwap, trades, revision
    FROM read_parquet($files, hive_partitioning = false)
    UNION ALL BY NAME
    SELECT listing, session, revision FROM withdrawn
) AS bars
JOIN sessions ON sessions.session = bars.session
WHERE sessions.ordinal <= $last;
