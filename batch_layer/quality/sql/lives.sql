-- One row a symbol: its life so far. Reads: bars, lives (of the years before).
CREATE OR REPLACE TABLE lives AS
SELECT symbol, min(first) AS first, max(last) AS last, arg_max(last_close, last) AS last_close
FROM (
    FROM lives
    UNION ALL
    SELECT symbol, min(session), max(session), arg_max(close, session)
    FROM bars
    GROUP BY symbol
)
GROUP BY symbol;
