-- One row a key: its contributions merged, in the order in which they come.
-- Reads: contributions (key, open, high, low, close, volume, notional, trades, minutes, revision). In
-- a connection of one thread DuckDB takes rows as they come, so first() and last() are those in time.
-- What is not known is NaN, which a sum keeps.
SELECT
    key,
    first(open) AS open,
    max(high) AS high,
    min(low) AS low,
    last(close) AS close,
    sum(volume) AS volume,
    sum(notional) AS notional,
    sum(trades) AS trades,
    sum(minutes)::INTEGER AS minutes,
    sum(revision)::INTEGER AS revision
FROM contributions
GROUP BY key
ORDER BY key;
