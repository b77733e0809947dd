-- One row a pair of symbols that agree in all of a bar on at least $common sessions.
-- Binds: $common. Reads: twins.
SELECT symbol, twin, sum(sessions)::BIGINT AS sessions, min(first) AS first, max(last) AS last
FROM twins
GROUP BY symbol, twin
HAVING sum(sessions) >= $common
ORDER BY sum(sessions) DESC, symbol, twin;
