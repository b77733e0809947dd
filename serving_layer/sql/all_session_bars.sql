-- One row a bar of some objects of silver (schema BARS), and its place: by listing.
CREATE MACRO all_session_bars(files) AS TABLE
SELECT *, listing AS place
FROM read_parquet(files, hive_partitioning = false);
