-- One row a rejected row of `given`: why, and its text as it stood in the source.
SELECT
    given.source,
    typed.reason,
    CAST(given.symbol AS VARCHAR) AS symbol,
    CAST(given.session AS VARCHAR) AS session,
    CAST(given.open AS VARCHAR) AS open,
    CAST(given.high AS VARCHAR) AS high,
    CAST(given.low AS VARCHAR) AS low,
    CAST(given.close AS VARCHAR) AS close,
    CAST(given.volume AS VARCHAR) AS volume,
    CAST(given.vwap AS VARCHAR) AS vwap,
    CAST(given.trades AS VARCHAR) AS trades
FROM typed
JOIN given USING (id)
WHERE typed.reason IS NOT NULL
ORDER BY id;
