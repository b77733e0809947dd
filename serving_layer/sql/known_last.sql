-- One row: the last session of which a bar was known by $known_at, and when the first bar was.
-- Binds: $files (of bronze/daily and its history), $known_at (null: by now).
SELECT
    max(session) FILTER ($known_at IS NULL OR known_from <= $known_at) AS session,
    min(known_from) AS known_from
FROM read_parquet($files, hive_partitioning = false, union_by_name = true);
