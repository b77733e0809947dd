-- One row a bar of some objects of bronze, in the shape of silver (schema BARS), of the listings
-- asked for, and its place.
CREATE MACRO asked_daily_bars(files) AS TABLE
SELECT
    asked.listing,
    bars.symbol,
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
    revision,
    asked.place
FROM read_parquet(files, hive_partitioning = false) AS bars
JOIN asked ON bars.symbol = asked.symbol AND session BETWEEN asked.first AND asked.last;
