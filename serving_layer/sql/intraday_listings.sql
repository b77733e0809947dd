-- One row a listing of which some objects hold bars, whatever the hours.
-- Binds: $files. `bars_of` is `intraday_bars` or `minute_bars`. Reads: steps.
SELECT DISTINCT coalesce(steps.listing, days.symbol) AS listing
FROM (SELECT DISTINCT symbol, session FROM bars_of($files)) AS days
ASOF LEFT JOIN steps ON days.symbol = steps.symbol AND days.session >= steps.first;
