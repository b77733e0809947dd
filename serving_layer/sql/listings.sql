-- One row a (listing, symbol) of the symbols asked for of which some objects ever held a bar.
-- Binds: $files (of bronze/daily and its history), $symbols.
SELECT DISTINCT listing, symbol
FROM read_parquet($files, hive_partitioning = false, union_by_name = true)
WHERE symbol IN (SELECT unnest($symbols::VARCHAR[]));
