-- One row a bar of a listing of which the speed layer and batch told differently (schema
-- DIFFERENCES), in order of session, interval and start.
-- Binds: $files, $limit. Reads: asked.
SELECT differences.*
FROM read_parquet($files, hive_partitioning = false) AS differences
JOIN asked
    ON differences.symbol = asked.symbol
    AND differences.session BETWEEN asked.first AND asked.last
ORDER BY session, "interval", start, hours
LIMIT $limit;
