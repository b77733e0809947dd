-- One row a line of the CSV scanned last that has too many or too few values.
SELECT line, any_value(csv_line) AS text, min(error_message) AS why
FROM reject_errors
GROUP BY line
ORDER BY line;
