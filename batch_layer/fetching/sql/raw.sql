-- One row a row of a source file: the text of each field as it stood there.
CREATE OR REPLACE TABLE raw (
    source VARCHAR NOT NULL,
    symbol VARCHAR,
    session VARCHAR,
    open VARCHAR,
    high VARCHAR,
    low VARCHAR,
    close VARCHAR,
    volume VARCHAR,
    vwap VARCHAR,
    trades VARCHAR
);
