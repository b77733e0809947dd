-- One row a (listing, bucket): the bar of $n sessions, on the basis of its `through` (schema BARS).
-- All listings are considered up to $covered, and each up to its last daily bar after it.
-- Reads: daily, sessions (up to the last one considered), actions (from `effective` on, `shares`
-- stand for one before, and prices count `kept` of what they were).
WITH buckets AS (
    SELECT
        session,
        ordinal,
        min(session) OVER bucket AS start,
        min(ordinal) OVER bucket AS first_ordinal,
        max(session) FILTER (session <= $covered) OVER bucket AS covered,
        max(ordinal) FILTER (session <= $covered) OVER bucket AS covered_ordinal
    FROM sessions
    WINDOW bucket AS (PARTITION BY ordinal // $n)
),

bucketed AS (
    SELECT
        daily.*,
        start,
        greatest(covered, max(session) OVER bar) AS through,
        greatest(covered_ordinal, max(ordinal) OVER bar) - first_ordinal + 1 AS sessions_expected
    FROM daily
    JOIN buckets USING (session)
    WINDOW bar AS (PARTITION BY listing, start)
),

factors AS (
    -- Actions inside the bucket, after the session; few bars have one.
    SELECT bucketed.listing, session, product(shares) AS shares, product(kept) AS kept
    FROM bucketed
    JOIN actions
        ON actions.listing = bucketed.listing
        AND actions.effective > session
        AND actions.effective <= through
    GROUP BY bucketed.listing, session
),

rebased AS (
    SELECT
        bucketed.* REPLACE (
            open / coalesce(shares, 1) * coalesce(kept, 1) AS open,
            high / coalesce(shares, 1) * coalesce(kept, 1) AS high,
            low / coalesce(shares, 1) * coalesce(kept, 1) AS low,
            close / coalesce(shares, 1) * coalesce(kept, 1) AS close,
            vwap / coalesce(shares, 1) * coalesce(kept, 1) AS vwap,
            volume * coalesce(shares, 1) AS volume
        )
    FROM bucketed
    LEFT JOIN factors USING (listing, session)
),

merged AS (
    SELECT
        listing,
        start,
        through,
        sessions_expected,
        arg_max(symbol, session) AS symbol,
        arg_min(open, session) AS open,
        max(high) AS high,
        min(low) AS low,
        arg_max(close, session) AS close,
        sum(volume) AS volume,
        sum(volume * vwap) AS notional,
        count(*) FILTER (volume > 0 AND vwap IS NULL) AS without_vwap,
        coalesce(sum(trades), 0) AS trades,
        count(*) FILTER (volume > 0 AND trades IS NULL) AS without_trades,
        count(close) AS sessions,
        sum(revision) AS revision,
        bool_or(is_forming) AS is_forming
    FROM rebased
    GROUP BY listing, start, through, sessions_expected
    HAVING count(close) > 0
)

SELECT
    listing,
    symbol,
    start,
    open,
    high,
    low,
    close,
    volume,
    CASE WHEN without_vwap = 0 AND volume > 0 THEN notional / volume END AS vwap,
    CASE WHEN without_trades = 0 THEN trades END AS trades,
    sessions,
    sessions_expected,
    through,
    CASE WHEN sessions_expected = $n AND NOT is_forming THEN 'final' ELSE 'forming' END AS state,
    revision
FROM merged;
