-- One row a bar of the whole market (schema INTRADAY_BARS), in order of listing and start.
-- Binds: $files, $hours (regular or extended), $after_place and $after_start (as in asked_intraday,
-- and null), $limit (null: all). `bars_of` is `intraday_bars` or `minute_bars`. Reads: steps.
WITH bars AS (
    SELECT * FROM bars_of($files)
    WHERE hours = $hours AND $after_place IS NULL AND $after_start IS NULL
),

named AS (
    -- A symbol names one listing all day: it is looked up once, not for each bar.
    SELECT days.symbol, days.session, coalesce(steps.listing, days.symbol) AS listing
    FROM (SELECT DISTINCT symbol, session FROM bars) AS days
    ASOF LEFT JOIN steps ON days.symbol = steps.symbol AND days.session >= steps.first
)

SELECT
    named.listing,
    bars.* EXCLUDE (session),
    1::INTEGER AS sessions,
    1::INTEGER AS sessions_expected
FROM bars
JOIN named USING (symbol, session)
ORDER BY named.listing, bars.start
LIMIT $limit;
