-- One row a final bar, and when it was there: of sessions at the close of its bucket's last one, of
-- minutes at its end, which the close of regular hours cuts.
-- Binds: $minutes (of a bar; 0: it is of sessions). Reads: bars, hours (session, close).
SELECT
    bars.*,
    bars.through AS session,
    CASE
        WHEN $minutes = 0 THEN close_at
        ELSE least(bars.start::TIMESTAMPTZ + to_minutes($minutes), close_at)
    END AS available_at
FROM bars
JOIN hours ON bars.through = hours.session
WHERE state = 'final';
