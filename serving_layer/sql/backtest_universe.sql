-- One row a listing: since when and till when it traded, and how many daily bars it has, all told
-- as it was known at $known_at (null and 0 where nothing was yet).
-- Binds: $files (of bronze/daily and its history), $known_at, $is_all (else those asked alone),
-- $first and $last (sessions, inclusive: `chosen` counts the bars in them).
-- Reads: asked, steps, no_history (its columns, for want of files).
WITH versions AS (
    SELECT * FROM read_parquet($files, hive_partitioning = false, union_by_name = true)
    UNION ALL BY NAME
    SELECT * FROM no_history
),

days AS (
    SELECT
        symbol,
        session,
        known_from <= $known_at AND (known_to IS NULL OR known_to > $known_at) AS is_known
    FROM versions
    WHERE $is_all OR symbol IN (SELECT symbol FROM asked)
),

named AS (
    SELECT symbol, listing, first, lead(first) OVER (PARTITION BY symbol ORDER BY first) AS until
    FROM steps
)

SELECT
    coalesce(named.listing, days.symbol) AS listing,
    min(session) FILTER (is_known) AS first,
    max(session) FILTER (is_known) AS last,
    count(*) FILTER (is_known) AS bars,
    count(*) FILTER (is_known AND session BETWEEN $first AND $last) AS chosen
FROM days
LEFT JOIN named
    ON days.symbol = named.symbol
    AND days.session >= named.first
    AND (days.session < named.until OR named.until IS NULL)
GROUP BY ALL
ORDER BY listing;
