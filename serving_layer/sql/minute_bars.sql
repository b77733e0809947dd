-- One row a bar of some objects of bronze's minutes, in the shape of intraday silver (schema
-- INTRADAY): the session is told by the object's key, the hours by the session's. What has no prices
-- is no bar. Reads: sessions.
CREATE MACRO minute_bars(files) AS TABLE
SELECT
    bars.* EXCLUDE (year, known_from),
    CASE
        WHEN start >= sessions.open AND start < sessions.close THEN 'regular' ELSE 'extended'
    END AS hours,
    1::INTEGER AS minutes,
    1::INTEGER AS minutes_expected,
    session AS through,
    'final' AS state
FROM read_parquet(files, hive_partitioning = true, hive_types = {'year': INTEGER, 'session': DATE}) AS bars
JOIN (SELECT session, open, close FROM sessions) AS sessions USING (session)
WHERE bars.open IS NOT NULL AND bars.close IS NOT NULL;
