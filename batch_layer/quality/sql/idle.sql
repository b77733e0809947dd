-- One row a bar without volume. Reads: bars.
INSERT INTO idle
SELECT symbol, session
FROM bars
WHERE volume = 0;
