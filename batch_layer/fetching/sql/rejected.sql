-- One row a rejected row: why, and its text as it stood in the source.
SELECT
    typed.source, typed.reason, raw.symbol, raw.session, raw.open, raw.high, raw.low, raw.close,
    raw.volume, raw.vwap, raw.trades
FROM typed
JOIN raw ON raw.rowid = typed.id
WHERE typed.reason IS NOT NULL
ORDER BY typed.id;
