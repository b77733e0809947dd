-- One row a bar: its close. Reads: bars.
CREATE MACRO closes() AS TABLE
SELECT nth, listing, close AS measure
FROM bars;
