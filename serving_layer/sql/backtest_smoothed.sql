-- One row a bar, in order: nth, and its smoothed measure, null before the first.
-- The first is the mean of a listing's first $n; each later one keeps $kept of the one before, and
-- of its own measure the rest. Binds: $n, $kept, $block (in so many bars weights fall to next to
-- nothing). `measured` is `closes`, `true_ranges`, `gains` or `moves`. Reads: bars.
WITH numbered AS (
    SELECT
        nth,
        listing,
        measure,
        row_number() OVER (PARTITION BY listing ORDER BY nth) - $n AS step
    FROM measured()
),

firsts AS (
    SELECT listing, avg(measure) AS first
    FROM numbered
    WHERE step <= 0
    GROUP BY listing
),

shares AS (
    SELECT
        nth,
        listing,
        step // $block AS block,
        step % $block AS age,
        CASE WHEN step = 0 THEN first ELSE (1 - $kept) * measure END AS share
    FROM numbered
    JOIN firsts USING (listing)
    WHERE step >= 0
),

sums AS (
    -- A recursion written out as a sum: share by share, weighed by how long ago it came.
    SELECT
        nth,
        listing,
        block,
        age,
        $kept ** age * sum(share * $kept ** -age) OVER (
            PARTITION BY listing, block ORDER BY age ROWS UNBOUNDED PRECEDING
        ) AS own
    FROM shares
),

ends AS (
    SELECT listing, block + 1 AS block, arg_max(own, age) AS own
    FROM sums
    GROUP BY listing, block
),

smoothed AS (
    -- Of blocks before the last one nothing is left.
    SELECT nth, sums.own + coalesce(ends.own, 0) * $kept ** (age + 1) AS value
    FROM sums
    LEFT JOIN ends USING (listing, block)
)

SELECT bars.nth, value
FROM bars
LEFT JOIN smoothed USING (nth)
ORDER BY bars.nth;
