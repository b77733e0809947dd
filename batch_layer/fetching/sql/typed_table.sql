-- One row a row that was read: its fields in the lake's types, and why it is rejected (null: it is good).
CREATE OR REPLACE TABLE typed (
    id BIGINT NOT NULL,
    source VARCHAR NOT NULL,
    symbol VARCHAR,
    session DATE,
    open DOUBLE,
    high DOUBLE,
    low DOUBLE,
    close DOUBLE,
    volume DOUBLE,
    vwap DOUBLE,
    trades BIGINT,
    has_vwap BOOLEAN NOT NULL,
    has_trades BOOLEAN NOT NULL,
    reason VARCHAR
);
