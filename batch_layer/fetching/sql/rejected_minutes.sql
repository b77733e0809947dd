-- One row a rejected row: why, and its fields as they came.
SELECT typed.reason, vendor_rows.* EXCLUDE (id)
FROM typed
JOIN vendor_rows USING (id)
WHERE typed.reason IS NOT NULL
ORDER BY id;
