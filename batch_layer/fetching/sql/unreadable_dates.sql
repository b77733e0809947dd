-- One row, if any: a source file none of whose dates could be read, and the first of them.
SELECT raw.source, first(raw.session ORDER BY raw.rowid) AS example
FROM raw
JOIN typed ON typed.id = raw.rowid
GROUP BY raw.source
HAVING count(typed.session) = 0 AND count(raw.session) > 0
ORDER BY raw.source
LIMIT 1;
