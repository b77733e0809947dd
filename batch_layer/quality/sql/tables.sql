-- What is gathered year by year: little of each bar, and of a symbol its life so far.
CREATE TABLE lives (symbol VARCHAR, first DATE, last DATE, last_close DOUBLE);
CREATE TABLE market (session DATE, symbols BIGINT);
CREATE TABLE steps (
    symbol VARCHAR, session_before DATE, session DATE, close_before DOUBLE, close DOUBLE
);
CREATE TABLE idle (symbol VARCHAR, session DATE);
CREATE TABLE twins (symbol VARCHAR, twin VARCHAR, sessions BIGINT, first DATE, last DATE);
