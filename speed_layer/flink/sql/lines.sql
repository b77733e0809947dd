-- One row a line that moved no bar, as it came.
CREATE TABLE ${table} (
    `line` BYTES
) ${options}
