-- One row a good minute bar: the columns of bronze but revision.
SELECT symbol, start, open, high, low, close, volume, vwap, trades, known_from
FROM typed
WHERE reason IS NULL
ORDER BY id;
