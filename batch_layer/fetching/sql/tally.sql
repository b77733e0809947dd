-- One row a (source, session, reason) of the sessions that have a rejected row: how many rows. The
-- session is null where it cannot be read, the reason where the rows are good.
WITH blemished AS (
    SELECT DISTINCT source, session
    FROM typed
    WHERE reason IS NOT NULL
)

SELECT typed.source, typed.session, typed.reason, count(*) AS row_count
FROM typed
JOIN blemished ON typed.source = blemished.source AND typed.session IS NOT DISTINCT FROM blemished.session
GROUP BY typed.source, typed.session, typed.reason
ORDER BY typed.source, typed.session, typed.reason;
