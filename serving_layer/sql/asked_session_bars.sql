-- One row a bar of some objects of silver (schema BARS) of the listings asked for, and its place.
CREATE MACRO asked_session_bars(files) AS TABLE
SELECT bars.*, named.place
FROM read_parquet(files, hive_partitioning = false) AS bars
JOIN (SELECT DISTINCT listing, place FROM asked) AS named USING (listing);
