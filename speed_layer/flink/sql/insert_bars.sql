-- One row a change of a bar or of a price.
INSERT INTO bars
SELECT
    `row`, `symbol`, `interval`, `session`, `hours`, `start`, `open`, `high`, `low`, `close`, `volume`, `vwap`,
    `trades`, `minutes`, `state`, `price`, `time`, `received`, `source`, `version`
FROM told
WHERE `row` IN ('bar', 'price')
