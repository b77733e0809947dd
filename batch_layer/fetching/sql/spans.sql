-- One row a source: its rows, and of those that are bars (twice told ones too) from when to when
-- they reach, of how many symbols; and which, where they are at most $names.
WITH symbols AS (
    SELECT
        source,
        symbol,
        count(*) AS row_count,
        bool_or(reason IS NULL OR reason = 'duplicate') AS is_known,
        min(session) FILTER (reason IS NULL OR reason = 'duplicate') AS first,
        max(session) FILTER (reason IS NULL OR reason = 'duplicate') AS last
    FROM typed
    GROUP BY source, symbol
)

SELECT
    source,
    sum(row_count)::BIGINT AS row_count,
    min(first) AS first,
    max(last) AS last,
    count(*) FILTER (is_known) AS symbols,
    coalesce(list_sort(min(symbol, $names + 1) FILTER (is_known)), []) AS names
FROM symbols
GROUP BY source
ORDER BY source;
