-- One row a bar of some objects of silver (schema BARS).
CREATE MACRO session_bars(files) AS TABLE
SELECT * FROM read_parquet(files, hive_partitioning = false);
