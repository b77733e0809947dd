-- One row a bar but a listing's first: how far its close is from the one before. Reads: bars.
CREATE MACRO moves() AS TABLE
SELECT nth, listing, abs(change) AS measure
FROM (
    SELECT nth, listing, close - lag(close) OVER (PARTITION BY listing ORDER BY nth) AS change
    FROM bars
)
WHERE change IS NOT NULL;
