-- One row, if any: a bar that does not come after the one before it. Reads: bars.
SELECT symbol, session
FROM bars
WHERE NOT is_in_order
LIMIT 1;
