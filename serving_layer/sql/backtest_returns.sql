-- One row a bar, in order: what a share gained over $n bars; null where there are fewer.
-- Reads: bars.
SELECT close / lag(close, $n) OVER (PARTITION BY listing ORDER BY nth) - 1 AS value
FROM bars
ORDER BY nth;
