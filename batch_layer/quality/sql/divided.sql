-- One row a pair of odd neighbouring closes, at most $near sessions apart: their ratio, the splits
-- between them, and whether these, of the factor $jump at least, are unseen: the closes are nearer to
-- no move than to them. Binds: $near, $jump. Reads: numbered_steps, splits.
CREATE TABLE divided AS
WITH with_splits AS (
    SELECT
        steps.*,
        close / close_before AS raw_ratio,
        coalesce(product(splits.split_to / splits.split_from), 1) AS split
    FROM numbered_steps AS steps
    LEFT JOIN splits ON
        splits.symbol = steps.symbol
        AND splits.effective > session_before
        AND splits.effective <= session
    WHERE distance <= $near
    GROUP BY ALL
)

SELECT
    *,
    greatest(split, 1 / split) >= $jump AND abs(ln(raw_ratio)) < abs(ln(split)) / 2 AS is_unseen
FROM with_splits;
