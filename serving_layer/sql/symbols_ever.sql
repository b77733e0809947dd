-- One row a symbol of $symbols of which some objects hold a bar.
-- Binds: $files, $symbols.
SELECT DISTINCT symbol
FROM read_parquet($files, hive_partitioning = false)
WHERE list_contains($symbols, symbol);
