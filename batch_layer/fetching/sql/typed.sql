-- One row a row of `given`, texts or values: its fields in the lake's types, and why it is rejected.
-- Binds: $class (the pattern of a symbol whose class of shares is not behind a dot), $blanks (around
-- a symbol), $date_format (of texts; null: ISO 8601), $last_closed (the last session whose bars may
-- be taken), $with_values (false: the rows name bars, by symbol and session alone), and the most
-- that a price, a volume and a number of trades can be.
INSERT INTO typed
WITH cast_row AS (
    SELECT
        id,
        source,
        nullif(regexp_replace(upper(trim(symbol, $blanks)), $class, '\1.\2'), '') AS symbol,
        CASE
            WHEN typeof(session) = 'DATE' THEN TRY_CAST(session AS DATE)
            WHEN $date_format IS NOT NULL THEN CAST(try_strptime(trim(CAST(session AS VARCHAR)), $date_format) AS DATE)
            WHEN regexp_matches(trim(CAST(session AS VARCHAR)), '^\d{4}-\d{2}-\d{2}([ T][0-9:.]+(Z|[+-][0-9:]+)?)?$')
                THEN TRY_CAST(left(trim(CAST(session AS VARCHAR)), 10) AS DATE)
        END AS session,
        TRY_CAST(open AS DOUBLE) AS open,
        TRY_CAST(high AS DOUBLE) AS high,
        TRY_CAST(low AS DOUBLE) AS low,
        TRY_CAST(close AS DOUBLE) AS close,
        TRY_CAST(volume AS DOUBLE) AS volume,
        TRY_CAST(vwap AS DOUBLE) AS vwap,
        CASE
            WHEN TRY_CAST(trades AS DOUBLE) = floor(TRY_CAST(trades AS DOUBLE))
                THEN TRY_CAST(TRY_CAST(trades AS DOUBLE) AS BIGINT)
        END AS trades,
        vwap IS NOT NULL AS has_vwap,
        trades IS NOT NULL AS has_trades
    FROM given
)
SELECT
    cast_row.*,
    CASE
        WHEN symbol IS NULL THEN 'no symbol'
        WHEN NOT regexp_matches(symbol, '^[A-Z0-9][A-Z0-9.^/=+_-]*$') THEN 'not a symbol'
        WHEN cast_row.session IS NULL THEN 'not a date'
        WHEN known.session IS NULL THEN 'not a session of the exchange'
        WHEN cast_row.session > $last_closed THEN 'session not settled yet'
        WHEN NOT $with_values THEN NULL
        WHEN open IS NULL OR high IS NULL OR low IS NULL OR close IS NULL THEN 'price is not a number'
        WHEN NOT (isfinite(open) AND isfinite(high) AND isfinite(low) AND isfinite(close))
            THEN 'price is not finite'
        WHEN least(open, high, low, close) <= 0 THEN 'price is not positive'
        WHEN greatest(open, high, low, close) > $price_most THEN 'price is too large'
        WHEN low > least(open, close) THEN 'low is above open or close'
        WHEN high < greatest(open, close) THEN 'high is below open or close'
        WHEN volume IS NULL THEN 'volume is not a number'
        WHEN NOT isfinite(volume) THEN 'volume is not finite'
        WHEN volume < 0 THEN 'volume is negative'
        WHEN volume > $volume_most THEN 'volume is too large'
        WHEN has_vwap AND (vwap IS NULL OR NOT isfinite(vwap) OR vwap <= 0 OR vwap > $price_most)
            THEN 'vwap is not a positive number'
        WHEN has_trades AND (trades IS NULL OR trades < 0 OR trades > $trades_most) THEN 'trades is not a count'
    END AS reason
FROM cast_row
LEFT JOIN (SELECT session FROM sessions) AS known ON known.session = cast_row.session;
