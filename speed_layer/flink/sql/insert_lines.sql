-- One row a line of that kind.
INSERT INTO ${table}
SELECT `line` FROM told WHERE `row` = ${kind}
