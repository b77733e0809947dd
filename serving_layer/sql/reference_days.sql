-- One row a session of which a listing has a daily bar, in order, and how often that was changed.
-- Binds: $files (of bronze/daily). Reads: asked.
SELECT session, revision
FROM read_parquet($files, hive_partitioning = false) AS bars
JOIN asked ON bars.symbol = asked.symbol AND session BETWEEN asked.first AND asked.last
ORDER BY session;
