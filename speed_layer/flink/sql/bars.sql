-- One row a change of a bar or of a price: those of a higher version are in force.
CREATE TABLE bars (
    `row` STRING,
    `symbol` STRING,
    `interval` STRING,
    `session` DATE,
    `hours` STRING,
    `start` BIGINT,
    `open` DOUBLE,
    `high` DOUBLE,
    `low` DOUBLE,
    `close` DOUBLE,
    `volume` DOUBLE,
    `vwap` DOUBLE,
    `trades` BIGINT,
    `minutes` INT,
    `state` STRING,
    `price` DOUBLE,
    `time` BIGINT,
    `received` BIGINT,
    `source` STRING,
    `version` BIGINT
) ${options}
