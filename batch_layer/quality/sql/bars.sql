-- One row a (symbol, session) of a year, with the bar before it where the year has one. Bronze has
-- bars in order, and nothing but the scan stands before the window, so that it meets them so;
-- `is_in_order` tells. `mark` is one that bars of a session share if they agree in all values.
-- Binds: $files, $start, $end (both inclusive).
CREATE OR REPLACE TEMP TABLE bars AS
WITH pairs AS (
    SELECT
        *,
        lag(symbol) OVER () AS symbol_above,
        lag(session) OVER () AS session_above,
        lag(close) OVER () AS close_above
    FROM read_parquet($files, hive_partitioning = false)
    WHERE session BETWEEN $start AND $end
)

SELECT
    symbol,
    session,
    close,
    volume,
    hash(session, open, high, low, close, volume) AS mark,
    CASE WHEN symbol = symbol_above THEN session_above END AS session_before,
    CASE WHEN symbol = symbol_above THEN close_above END AS close_before,
    symbol_above IS NULL
    OR symbol > symbol_above
    OR (symbol = symbol_above AND session > session_above) AS is_in_order
FROM pairs;
