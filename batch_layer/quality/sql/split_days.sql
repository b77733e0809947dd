-- One row a split: its symbol, and the first session the lake holds from it on. Reads: splits, held.
CREATE TABLE split_days AS
SELECT splits.symbol, min(held.session) AS session
FROM splits
JOIN held ON held.session >= splits.effective
GROUP BY splits.symbol, splits.effective;
