-- One row a good bar: the columns of bronze but revision and known_from.
SELECT symbol, session, open, high, low, close, volume, vwap, trades
FROM typed
WHERE reason IS NULL
ORDER BY symbol, session;
