-- One row a record of the stream, whether it tells an event or not.
CREATE TABLE events (
    `line` BYTES,
    `symbol` AS EVENT_SYMBOL(`line`),
    `at` AS EVENT_TIME(`line`),
    WATERMARK FOR `at` AS `at`
) WITH (
    'connector' = 'kinesis',
    'format' = 'raw',
    'stream.arn' = ${place}
    ${options}
)
