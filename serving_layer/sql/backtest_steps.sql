-- One row an action of a listing: what a share before all of them has become by then.
-- Prices are divided by `shares` and multiplied by `kept`, volumes multiplied by `shares`.
-- Reads: actions.
SELECT
    listing,
    effective,
    product(shares) OVER since AS shares,
    product(kept) OVER since AS kept
FROM (
    SELECT listing, effective, product(shares) AS shares, product(kept) AS kept
    FROM actions
    GROUP BY listing, effective
)
WINDOW since AS (PARTITION BY listing ORDER BY effective ROWS UNBOUNDED PRECEDING)
ORDER BY listing, effective;
