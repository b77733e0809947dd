-- One row a bar of some objects of bronze, in the shape of silver (schema BARS).
CREATE MACRO daily_bars(files) AS TABLE
SELECT
    listing,
    symbol,
    session AS start,
    open,
    high,
    low,
    close,
    volume,
    vwap,
    trades,
    1::INTEGER AS sessions,
    1::INTEGER AS sessions_expected,
    session AS through,
    'final' AS state,
    revision
FROM read_parquet(files, hive_partitioning = false);
