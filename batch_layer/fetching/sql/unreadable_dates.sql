-- One row, if any: a source of `given` none of whose dates could be read, and the first of them.
SELECT given.source, first(CAST(given.session AS VARCHAR) ORDER BY id) AS example
FROM given
JOIN typed USING (id)
GROUP BY given.source
HAVING count(typed.session) = 0 AND count(given.session) > 0
ORDER BY given.source
LIMIT 1;
