-- One row a row of the source files: as `raw`, and its number.
CREATE OR REPLACE TEMP VIEW given AS
SELECT rowid AS id, raw.*
FROM raw;
