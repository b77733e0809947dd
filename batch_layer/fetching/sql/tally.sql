-- One row a (source, session, reason): how many rows; the session is null where it cannot be read,
-- the reason where the rows are good.
SELECT source, session, reason, count(*) AS row_count
FROM typed
GROUP BY source, session, reason
ORDER BY source, session, reason;
