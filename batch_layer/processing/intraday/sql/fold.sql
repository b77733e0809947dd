-- One row a key: its contributions merged, in the order in which they come.
-- Reads: contributions (key, open, high, low, close, volume, notional, trades, minutes, revision). In
-- a connection of one thread DuckDB takes rows as they come, so any_value(), which is the first that
-- is not null, and last() are those in time. What is not known is NaN, which a sum keeps; prices that
-- there are none of are null.
SELECT
    key,
    any_value(open) AS open,
    max(high) AS high,
    min(low) AS low,
    last(close) FILTER (WHERE close IS NOT NULL) AS close,
    sum(volume) AS volume,
    sum(notional) AS notional,
    sum(trades) AS trades,
    sum(minutes)::INTEGER AS minutes,
    sum(revision)::INTEGER AS revision
FROM contributions
GROUP BY key
ORDER BY key;
