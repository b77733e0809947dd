-- One row a bar, in order: its relative strength index, of smoothed gains and moves.
-- Reads: gained, moved.
SELECT 100 * gained.value / nullif(moved.value, 0) AS value
FROM gained
JOIN moved USING (nth)
ORDER BY nth;
