-- One row a bar: its true range; of a listing's first bar its own range. Reads: bars.
CREATE MACRO true_ranges() AS TABLE
SELECT
    nth,
    listing,
    greatest(high, coalesce(before, high)) - least(low, coalesce(before, low)) AS measure
FROM (
    SELECT *, lag(close) OVER (PARTITION BY listing ORDER BY nth) AS before
    FROM bars
);
