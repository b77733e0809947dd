-- One row a bar, in order: the mean of the last $n closes; null where there are fewer. Reads: bars.
SELECT CASE WHEN count(*) OVER lately = $n THEN avg(close) OVER lately END AS value
FROM bars
WINDOW lately AS (PARTITION BY listing ORDER BY nth ROWS BETWEEN $n - 1 PRECEDING AND CURRENT ROW)
ORDER BY nth;
