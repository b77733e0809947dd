-- One row a bar but a listing's first: how far its close is above the one before, or 0. Reads: bars.
CREATE MACRO gains() AS TABLE
SELECT nth, listing, greatest(change, 0) AS measure
FROM (
    SELECT nth, listing, close - lag(close) OVER (PARTITION BY listing ORDER BY nth) AS change
    FROM bars
)
WHERE change IS NOT NULL;
