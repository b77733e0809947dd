-- One row a line that came, whether it tells an event or not.
CREATE TABLE events (
    `line` BYTES,
    `symbol` AS EVENT_SYMBOL(`line`),
    `at` AS EVENT_TIME(`line`),
    WATERMARK FOR `at` AS `at`
) WITH (${options})
