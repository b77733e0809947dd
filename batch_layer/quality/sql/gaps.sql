-- One row a symbol that has no bar on some session the lake holds, between its first and its last:
-- how many sessions, in how many gaps, and the sessions around the longest.
-- Binds: $start, $end: gaps that reach into these, both inclusive, count. Reads: numbered_steps.
SELECT
    symbol,
    sum(distance - 1)::BIGINT AS missing,
    count(*) AS gaps,
    max(distance - 1)::BIGINT AS longest,
    arg_max(session_before, distance) AS after,
    arg_max(session, distance) AS before
FROM numbered_steps
WHERE distance > 1 AND session > $start AND session_before < $end
GROUP BY symbol
ORDER BY missing DESC, symbol;
