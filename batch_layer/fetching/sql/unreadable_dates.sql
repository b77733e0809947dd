-- One row, if any: a source of `given` none of whose dates could be read, and the first of them.
WITH unreadable AS (
    SELECT source
    FROM typed
    GROUP BY source
    HAVING count(session) = 0
)

SELECT source, first(CAST(given.session AS VARCHAR) ORDER BY given.id) AS example
FROM given
JOIN unreadable USING (source)
WHERE given.session IS NOT NULL
GROUP BY source
ORDER BY source
LIMIT 1;
