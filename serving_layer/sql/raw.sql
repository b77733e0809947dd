-- One row a bar of the symbols asked for, as stored, in order of symbol and start.
-- Binds: $files, $symbols (null: all), $first and $last (dates, inclusive, or null), $after_symbol
-- and $after_start (only bars behind this one, or null), $limit (null: all). `bars_of` is
-- `daily_bars` or `session_bars`.
SELECT *
FROM bars_of($files)
WHERE
    ($symbols IS NULL OR symbol IN (SELECT unnest($symbols::VARCHAR[])))
    AND ($first IS NULL OR start >= $first)
    AND ($last IS NULL OR start <= $last)
    AND ($after_start IS NULL OR (symbol, start) > ($after_symbol, $after_start))
ORDER BY symbol, start
LIMIT $limit;
