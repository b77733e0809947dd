-- One row a (symbol, session) that stands twice: equal rows stay once, different ones not at all.
UPDATE typed
SET reason = CASE WHEN twice.variants = 1 THEN 'duplicate' ELSE 'conflicting duplicate' END
FROM (
    SELECT
        symbol,
        session,
        min(id) AS first_id,
        count(DISTINCT (open, high, low, close, volume, vwap, trades)) AS variants
    FROM typed
    WHERE reason IS NULL
    GROUP BY symbol, session
    HAVING count(*) > 1
) AS twice
WHERE
    typed.reason IS NULL
    AND typed.symbol = twice.symbol
    AND typed.session = twice.session
    AND (twice.variants > 1 OR typed.id > twice.first_id);
