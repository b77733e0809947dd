-- One row a vendor's row: its fields in the lake's types, and why it is rejected (null: it is good).
-- Binds: $class (the pattern of a symbol whose class of shares is not behind a dot), $zone (of the
-- exchange), $last_closed (the last session whose bars may be taken), $price_most, $volume_most and
-- $trades_most (the most that each can be). Reads: vendor_rows, hours.
CREATE TABLE typed AS
WITH symbols AS (
    -- Symbols and starts are few, rows are many.
    SELECT
        told,
        nullif(regexp_replace(upper(trim(told)), $class, '\1.\2'), '') AS symbol,
        CASE
            WHEN symbol IS NULL THEN 'no symbol'
            WHEN NOT regexp_matches(symbol, '^[A-Z0-9][A-Z0-9.^/=+_-]*$') THEN 'not a symbol'
        END AS fault
    FROM (SELECT DISTINCT coalesce(symbol::VARCHAR, '') AS told FROM vendor_rows)
),

starts AS (
    SELECT told, TRY_CAST(told AS TIMESTAMPTZ) AS start
    FROM (SELECT DISTINCT start AS told FROM vendor_rows WHERE start IS NOT NULL)
),

placed AS (
    SELECT
        told,
        start,
        CASE
            WHEN start IS NULL THEN 'not an instant'
            WHEN epoch_us(start) % 60_000_000 <> 0 THEN 'not on a whole minute'
            WHEN hours.session IS NULL OR start < hours.dawn OR start >= hours.dusk
                THEN 'outside the hours of every session'
            WHEN hours.session > $last_closed THEN 'session not settled yet'
        END AS fault
    FROM starts
    LEFT JOIN hours ON hours.session = CAST(start AT TIME ZONE $zone AS DATE)
),

cast_row AS (
    SELECT
        id,
        symbols.symbol,
        placed.start,
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
        trades IS NOT NULL AS has_trades,
        TRY_CAST(known_from AS TIMESTAMPTZ) AS known_from,
        CASE
            WHEN symbols.fault IS NOT NULL THEN symbols.fault
            WHEN vendor_rows.start IS NULL THEN 'not an instant'
            ELSE placed.fault
        END AS fault
    FROM vendor_rows
    JOIN symbols ON symbols.told = coalesce(vendor_rows.symbol::VARCHAR, '')
    LEFT JOIN placed ON placed.told = vendor_rows.start
)

SELECT
    * EXCLUDE (fault, has_vwap, has_trades),
    CASE
        WHEN fault IS NOT NULL THEN fault
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
FROM cast_row;
