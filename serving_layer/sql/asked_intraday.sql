-- One row a bar of the listings asked for (schema INTRADAY_BARS), in order of its place and start.
-- Binds: $files, $hours (regular or extended), $after_place and $after_start (only bars behind this
-- one, or null), $limit (null: all). `bars_of` is `intraday_bars` or `minute_bars`. Reads: asked.
SELECT
    asked.listing,
    bars.* EXCLUDE (session),
    1::INTEGER AS sessions,
    1::INTEGER AS sessions_expected
FROM bars_of($files) AS bars
JOIN asked ON bars.symbol = asked.symbol AND bars.session BETWEEN asked.first AND asked.last
WHERE
    bars.hours = $hours
    AND ($after_start IS NULL OR (asked.place, bars.start) > ($after_place, $after_start))
ORDER BY asked.place, bars.start
LIMIT $limit;
