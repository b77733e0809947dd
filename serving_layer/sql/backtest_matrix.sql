-- One row an instant of the timeline, in order: the last bar that was there by then, on the split
-- basis of $as_of, or where that is null of the row's own session; nulls before the first.
-- Reads: timeline (nth in order), available, steps_of_basis (empty for raw bars).
WITH based AS (
    SELECT available.*, coalesce(shares, 1) AS shares, coalesce(kept, 1) AS kept
    FROM available
    ASOF LEFT JOIN steps_of_basis
        ON available.listing = steps_of_basis.listing
        AND available.through >= steps_of_basis.effective
),

wanted AS (
    SELECT nth, timeline.listing, available_at, coalesce(shares, 1) AS shares, coalesce(kept, 1) AS kept
    FROM (SELECT *, coalesce($as_of, session) AS basis FROM timeline) AS timeline
    ASOF LEFT JOIN steps_of_basis
        ON timeline.listing = steps_of_basis.listing
        AND timeline.basis >= steps_of_basis.effective
)

SELECT
    based.* EXCLUDE (shares, kept) REPLACE (
        open / (wanted.shares / based.shares) * (wanted.kept / based.kept) AS open,
        high / (wanted.shares / based.shares) * (wanted.kept / based.kept) AS high,
        low / (wanted.shares / based.shares) * (wanted.kept / based.kept) AS low,
        close / (wanted.shares / based.shares) * (wanted.kept / based.kept) AS close,
        volume * (wanted.shares / based.shares) AS volume,
        vwap / (wanted.shares / based.shares) * (wanted.kept / based.kept) AS vwap
    )
FROM wanted
ASOF LEFT JOIN based
    ON wanted.listing = based.listing
    AND wanted.available_at >= based.available_at
ORDER BY nth;
