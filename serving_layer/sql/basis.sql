-- One row a bar of the listings asked for, on the basis asked for, in order of place and start.
-- Binds: $first and $last (dates, inclusive, or null), $after_place and $after_start (only bars
-- behind this one, or null), $as_of (the date whose basis is wanted; null: each bar's own), $limit
-- (null: all). Reads: asked, bars (each on the basis of its `through`), actions.
WITH wanted AS (
    SELECT bars.*, place
    FROM bars
    JOIN (SELECT DISTINCT listing, place FROM asked) AS named USING (listing)
    WHERE
        ($first IS NULL OR start >= $first)
        AND ($last IS NULL OR start <= $last)
        AND ($after_start IS NULL OR (place, start) > ($after_place, $after_start))
    ORDER BY place, start
    LIMIT $limit
),

factors AS (
    -- From the basis of `through` to that of $as_of, forwards or backwards.
    SELECT
        days.listing,
        days.through,
        product(CASE WHEN effective > through THEN shares ELSE 1 / shares END) AS shares,
        product(CASE WHEN effective > through THEN kept ELSE 1 / kept END) AS kept
    FROM (SELECT DISTINCT listing, through FROM wanted) AS days
    JOIN actions
        ON actions.listing = days.listing
        AND actions.effective > least(days.through, $as_of)
        AND actions.effective <= greatest(days.through, $as_of)
    WHERE $as_of IS NOT NULL
    GROUP BY days.listing, days.through
)

SELECT
    wanted.* EXCLUDE (place) REPLACE (
        open / coalesce(shares, 1) * coalesce(kept, 1) AS open,
        high / coalesce(shares, 1) * coalesce(kept, 1) AS high,
        low / coalesce(shares, 1) * coalesce(kept, 1) AS low,
        close / coalesce(shares, 1) * coalesce(kept, 1) AS close,
        volume * coalesce(shares, 1) AS volume,
        vwap / coalesce(shares, 1) * coalesce(kept, 1) AS vwap
    )
FROM wanted
LEFT JOIN factors USING (listing, through)
ORDER BY place, start;
