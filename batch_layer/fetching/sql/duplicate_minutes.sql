-- One row a (symbol, start) that stands twice: equal rows stay once, different ones not at all.
UPDATE typed
SET reason = CASE WHEN twice.variants = 1 THEN 'duplicate' ELSE 'conflicting duplicate' END
FROM (
    -- What stands twice is found first: to tell variants apart takes far longer, and few do.
    WITH repeated AS (
        SELECT symbol, start
        FROM typed
        WHERE reason IS NULL
        GROUP BY symbol, start
        HAVING count(*) > 1
    )

    SELECT
        symbol,
        start,
        min(id) AS first_id,
        count(DISTINCT (open, high, low, close, volume, vwap, trades)) AS variants
    FROM typed
    JOIN repeated USING (symbol, start)
    WHERE reason IS NULL
    GROUP BY symbol, start
) AS twice
WHERE
    typed.reason IS NULL
    AND typed.symbol = twice.symbol
    AND typed.start = twice.start
    AND (twice.variants > 1 OR typed.id > twice.first_id);
