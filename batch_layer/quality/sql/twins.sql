-- One row a pair of symbols that have the same bars in a year: how many. Of many with the same bar,
-- each is paired with the first alone. Bars without volume say nothing: a price stands still in many.
-- Reads: bars.
INSERT INTO twins
WITH shared AS (
    SELECT mark, min(symbol) AS symbol
    FROM bars
    WHERE volume > 0
    GROUP BY mark
    HAVING count(*) > 1
)

SELECT shared.symbol, bars.symbol AS twin, count(*), min(session), max(session)
FROM bars
JOIN shared USING (mark)
WHERE bars.symbol > shared.symbol
GROUP BY shared.symbol, bars.symbol;
