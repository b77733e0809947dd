-- One row a bar asked for, as stored, in order of its place and start.
-- Binds: $files, $first and $last (dates, inclusive, or null), $after_place and $after_start (only
-- bars behind this one, or null), $limit (null: all). `bars_of` is `asked_daily_bars`,
-- `all_daily_bars`, `asked_session_bars` or `all_session_bars`. Reads: asked, steps.
SELECT * EXCLUDE (place)
FROM bars_of($files)
WHERE
    ($first IS NULL OR start >= $first)
    AND ($last IS NULL OR start <= $last)
    AND ($after_start IS NULL OR (place, start) > ($after_place, $after_start))
ORDER BY place, start
LIMIT $limit;
