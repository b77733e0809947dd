-- One row a run of at least $run bars without volume, on sessions that follow each other.
-- Binds: $run, $start, $end: runs that reach into these, both inclusive, count. Reads: idle, held.
WITH grouped AS (
    SELECT
        symbol, session, number - row_number() OVER (PARTITION BY symbol ORDER BY number) AS run
    FROM idle
    JOIN held USING (session)
)

SELECT symbol, min(session) AS first, max(session) AS last, count(*) AS sessions
FROM grouped
GROUP BY symbol, run
HAVING count(*) >= $run AND max(session) >= $start AND min(session) <= $end
ORDER BY sessions DESC, first, symbol;
