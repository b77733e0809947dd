-- One row: what bronze holds of daily bars, against the sessions of the exchange.
-- Binds: $files. Reads: sessions.
WITH symbols AS (
    SELECT
        symbol,
        count(*) AS bars,
        min(session) AS first,
        max(session) AS last,
        max(ordinal) - min(ordinal) + 1 AS expected
    FROM read_parquet($files, hive_partitioning = false)
    JOIN sessions USING (session)
    GROUP BY symbol
),

held AS (
    SELECT count(DISTINCT session) AS sessions
    FROM read_parquet($files, hive_partitioning = false)
)

SELECT
    count(*) AS symbols,
    coalesce(sum(bars), 0)::BIGINT AS bars,
    coalesce(any_value(held.sessions), 0) AS sessions,
    min(first) AS first,
    max(last) AS last,
    coalesce(sum(expected - bars), 0)::BIGINT AS missing_bars,
    coalesce((
        SELECT count(*) FROM sessions
        WHERE session BETWEEN (SELECT min(first) FROM symbols) AND (SELECT max(last) FROM symbols)
    ) - any_value(held.sessions), 0) AS missing_sessions
FROM symbols, held;
