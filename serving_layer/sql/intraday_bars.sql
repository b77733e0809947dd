-- One row a bar of some objects of intraday silver (schema INTRADAY).
CREATE MACRO intraday_bars(files) AS TABLE
SELECT * FROM read_parquet(files, hive_partitioning = false);
