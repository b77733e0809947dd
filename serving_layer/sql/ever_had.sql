-- One row a listing asked for of which some objects ever held a bar.
-- Binds: $files (of bronze/daily and its history). Reads: asked.
SELECT DISTINCT listing
FROM read_parquet($files, hive_partitioning = false, union_by_name = true) AS bars
JOIN asked ON bars.symbol = asked.symbol AND session BETWEEN asked.first AND asked.last;
