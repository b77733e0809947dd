-- One row a session of a year: how many symbols have a bar. Reads: bars.
INSERT INTO market
SELECT session, count(*)
FROM bars
GROUP BY session;
