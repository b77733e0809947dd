-- One row a source file: how many rows were read from it.
SELECT source, count(*) AS row_count
FROM raw
GROUP BY source;
