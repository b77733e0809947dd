-- One row a (listing, session) of the listings asked for: what the lake knew of it at $known_at.
-- A bar that was withdrawn by then is its revision alone, one above its last: no price.
-- Binds: $files (of bronze/daily and its history), $first and $last (sessions, inclusive, or null),
-- $known_at (null: what it knows now). Reads: asked, no_history (its columns, for want of files).
WITH versions AS (
    SELECT * FROM read_parquet($files, hive_partitioning = false, union_by_name = true)
    UNION ALL BY NAME
    SELECT * FROM no_history
),

latest AS (
    SELECT
        versions.*,
        listing,
        known_to IS NULL OR coalesce(known_to > $known_at, false) AS is_live
    FROM versions
    JOIN asked ON versions.symbol = asked.symbol AND session BETWEEN asked.first AND asked.last
    WHERE
        ($first IS NULL OR session >= $first)
        AND ($last IS NULL OR session <= $last)
        AND ($known_at IS NULL OR known_from <= $known_at)
    -- An import that was killed leaves a row of history that is current still: that one counts.
    QUALIFY 1 = row_number() OVER (
        PARTITION BY versions.symbol, session ORDER BY revision DESC, known_to DESC NULLS FIRST
    )
)

SELECT listing, symbol, session, open, high, low, close, volume, vwap, trades, revision
FROM latest
WHERE is_live
UNION ALL BY NAME
SELECT listing, session, revision + 1 AS revision
FROM latest
WHERE NOT is_live;
