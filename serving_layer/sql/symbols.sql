-- One row a symbol and listing: the first and last session and how many daily bars they have.
-- Binds: $files. Reads: steps.
WITH days AS (
    SELECT symbol, session
    FROM read_parquet($files, hive_partitioning = false)
),

spans AS (
    SELECT symbol, min(session) AS first, max(session) AS last, count(*) AS bars
    FROM days
    GROUP BY symbol
),

placed AS (
    -- Most symbols name one listing all the while: to look at each of their days would take long.
    SELECT
        spans.*,
        coalesce(begins.listing, spans.symbol) AS listing,
        begins.first IS NOT DISTINCT FROM ends.first AS is_one
    FROM spans
    ASOF LEFT JOIN steps AS begins ON spans.symbol = begins.symbol AND spans.first >= begins.first
    ASOF LEFT JOIN steps AS ends ON spans.symbol = ends.symbol AND spans.last >= ends.first
)

SELECT symbol, listing, first, last, bars
FROM placed
WHERE is_one
UNION ALL
SELECT several.symbol, listing, min(session) AS first, max(session) AS last, count(*) AS bars
FROM (SELECT days.* FROM days JOIN placed USING (symbol) WHERE NOT is_one) AS several
ASOF JOIN steps ON several.symbol = steps.symbol AND several.session >= steps.first
GROUP BY several.symbol, listing
ORDER BY symbol, first;
