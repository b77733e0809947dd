-- One row a line of the files in a folder, whether it tells an event or not.
CREATE TABLE events (
    `line` BYTES,
    `symbol` AS EVENT_SYMBOL(`line`),
    `at` AS EVENT_TIME(`line`),
    WATERMARK FOR `at` AS `at`
) WITH (
    'connector' = 'filesystem',
    'format' = 'raw',
    'path' = ${place}
    ${options}
)
