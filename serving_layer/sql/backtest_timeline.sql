-- One row a bar of the finest interval, in order: whose, of which session, and when it was there.
-- Binds: $first and $last (sessions, inclusive, or null). Reads: available, asked.
SELECT available.listing, available.symbol, available.session, available.available_at
FROM available
JOIN (SELECT DISTINCT listing, place FROM asked) AS named USING (listing)
WHERE
    ($first IS NULL OR available.session >= $first)
    AND ($last IS NULL OR available.session <= $last)
ORDER BY place, available_at;
