-- One row a (listing, session) of the listings asked for: what the lake knew of it at $known_at.
-- A bar that was withdrawn by then is its revision alone, one above its last: no price.
-- Binds: $files (of bronze/daily and its history), $first and $last (sessions, inclusive, or null),
-- $known_at (null: what it knows now). Reads: asked, no_history (its columns, for want of files).
WITH versions AS (
    SELECT * FROM read_parquet($files, hive_partitioning = false, union_by_name = true)
    UNION ALL BY NAME
    SELECT * FROM no_history
),

known AS MATERIALIZED (
    SELECT
        listing,
        versions.symbol,
        session,
        open,
        high,
        low,
        close,
        volume,
        vwap,
        trades,
        revision,
        known_to
    FROM versions
    JOIN asked ON versions.symbol = asked.symbol AND session BETWEEN asked.first AND asked.last
    WHERE
        ($first IS NULL OR session >= $first)
        AND ($last IS NULL OR session <= $last)
        AND ($known_at IS NULL OR known_from <= $known_at)
),

in_force AS (
    SELECT * EXCLUDE (known_to)
    FROM known
    WHERE known_to IS NULL
),

replaced AS (
    -- What is in force counts first: an import that was killed leaves a row of history that is
    -- current still. History is little beside it, and alone has to be put in order.
    SELECT known.*, coalesce(known_to > $known_at, false) AS is_live
    FROM known
    ANTI JOIN in_force USING (symbol, session)
    WHERE known_to IS NOT NULL
    QUALIFY 1 = row_number() OVER (
        PARTITION BY symbol, session ORDER BY revision DESC, known_to DESC
    )
)

SELECT * FROM in_force
UNION ALL BY NAME
SELECT * EXCLUDE (known_to, is_live)
FROM replaced
WHERE is_live
UNION ALL BY NAME
SELECT listing, session, revision + 1 AS revision
FROM replaced
WHERE NOT is_live;
