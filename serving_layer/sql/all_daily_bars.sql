-- One row a bar of some objects of bronze, in the shape of silver (schema BARS), and its place: by
-- listing.
CREATE MACRO all_daily_bars(files) AS TABLE
SELECT
    coalesce(steps.listing, bars.symbol) AS listing,
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
    coalesce(steps.listing, bars.symbol) AS place
FROM read_parquet(files, hive_partitioning = false) AS bars
ASOF LEFT JOIN steps ON bars.symbol = steps.symbol AND bars.session >= steps.first;
