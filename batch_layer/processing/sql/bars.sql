-- One row a (n, listing, bucket): the bar of n sessions, on the split basis of its `through`.
-- Reads: partitions (n, and the ordinals `first` and `last` of the sessions considered).
WITH bucketed AS (
    SELECT
        daily.*,
        n,
        ordinal // n AS bucket,
        least((ordinal // n + 1) * n - 1, partitions.last) AS through_ordinal
    FROM daily
    JOIN partitions ON daily.ordinal BETWEEN partitions.first AND partitions.last
),

factors AS (
    -- Splits inside the bucket, after the session and by `through`; few bars have one.
    SELECT n, bucketed.listing, bucketed.ordinal, product(splits.factor) AS factor
    FROM bucketed
    JOIN splits
        ON splits.listing = bucketed.listing
        AND splits.ordinal > bucketed.ordinal
        AND splits.ordinal <= bucketed.through_ordinal
    GROUP BY n, bucketed.listing, bucketed.ordinal
),

rebased AS (
    SELECT
        bucketed.* REPLACE (
            open / coalesce(factor, 1) AS open,
            high / coalesce(factor, 1) AS high,
            low / coalesce(factor, 1) AS low,
            close / coalesce(factor, 1) AS close,
            vwap / coalesce(factor, 1) AS vwap,
            volume * coalesce(factor, 1) AS volume
        )
    FROM bucketed
    LEFT JOIN factors USING (n, listing, ordinal)
),

merged AS (
    SELECT
        n,
        listing,
        bucket,
        through_ordinal,
        arg_max(symbol, ordinal) AS symbol,
        arg_min(open, ordinal) AS open,
        max(high) AS high,
        min(low) AS low,
        arg_max(close, ordinal) AS close,
        sum(volume) AS volume,
        sum(volume * vwap) AS notional,
        count(*) FILTER (volume > 0 AND vwap IS NULL) AS without_vwap,
        coalesce(sum(trades), 0) AS trades,
        count(*) FILTER (volume > 0 AND trades IS NULL) AS without_trades,
        count(close) AS sessions,
        sum(revision) AS revision
    FROM rebased
    GROUP BY n, listing, bucket, through_ordinal
    HAVING count(close) > 0
)

SELECT
    merged.n,
    merged.listing,
    merged.symbol,
    first_session.session AS start,
    merged.open,
    merged.high,
    merged.low,
    merged.close,
    merged.volume,
    CASE WHEN without_vwap = 0 AND volume > 0 THEN notional / volume END AS vwap,
    CASE WHEN without_trades = 0 THEN trades END AS trades,
    merged.sessions,
    through_ordinal - bucket * n + 1 AS sessions_expected,
    last_session.session AS through,
    CASE WHEN through_ordinal = (bucket + 1) * n - 1 THEN 'final' ELSE 'forming' END AS state,
    merged.revision
FROM merged
JOIN sessions AS first_session ON first_session.ordinal = bucket * n
JOIN sessions AS last_session ON last_session.ordinal = through_ordinal
ORDER BY merged.n, merged.listing, start;
