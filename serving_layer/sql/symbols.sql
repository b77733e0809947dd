-- One row a symbol: its listing, its first and last session and how many daily bars it has.
-- Binds: $files.
SELECT
    symbol,
    arg_max(listing, session) AS listing,
    min(session) AS first,
    max(session) AS last,
    count(*) AS bars
FROM read_parquet($files, hive_partitioning = false)
GROUP BY symbol
ORDER BY symbol;
