-- One row a bar of the symbols asked for, on the split basis asked for, in order of symbol and start.
-- Binds: $files, $symbols, $first and $last (dates, inclusive, or null), $after_symbol and
-- $after_start (only bars behind this one, or null), $as_of (the date whose split basis is wanted;
-- null: each bar's own), $limit (null: all). `bars_of` is `daily_bars` or `session_bars`.
WITH wanted AS (
    SELECT *
    FROM bars_of($files)
    WHERE
        list_contains($symbols, symbol)
        AND ($first IS NULL OR start >= $first)
        AND ($last IS NULL OR start <= $last)
        AND ($after_start IS NULL OR (symbol, start) > ($after_symbol, $after_start))
    ORDER BY symbol, start
    LIMIT $limit
),

factors AS (
    -- From the basis of `through` to that of $as_of, forwards or backwards.
    SELECT
        wanted.listing,
        wanted.through,
        product(
            CASE WHEN effective > through THEN split_to / split_from ELSE split_from / split_to END
        ) AS factor
    FROM (SELECT DISTINCT listing, through FROM wanted) AS wanted
    JOIN splits
        ON splits.listing = wanted.listing
        AND splits.effective > least(wanted.through, $as_of)
        AND splits.effective <= greatest(wanted.through, $as_of)
    WHERE $as_of IS NOT NULL
    GROUP BY wanted.listing, wanted.through
)

SELECT
    wanted.* REPLACE (
        open / coalesce(factor, 1) AS open,
        high / coalesce(factor, 1) AS high,
        low / coalesce(factor, 1) AS low,
        close / coalesce(factor, 1) AS close,
        volume * coalesce(factor, 1) AS volume,
        vwap / coalesce(factor, 1) AS vwap
    )
FROM wanted
LEFT JOIN factors USING (listing, through)
ORDER BY symbol, start;
