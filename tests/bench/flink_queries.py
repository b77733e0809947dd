"""What the Flink job is measured beside, run in Flink's own environment: reading, and plain SQL.

Prints the milliseconds that the job ran, without the start of the mini cluster.
"""

from __future__ import annotations

import sys
from typing import Final

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

_LINES: Final = "CREATE TABLE lines (line BYTES) WITH ({files}, 'format' = 'raw')"
_TRADES: Final = """
CREATE TABLE trades (
    symbol STRING, `time` BIGINT, price DOUBLE, size DOUBLE,
    `at` AS TO_TIMESTAMP_LTZ(`time` / 1000, 3), WATERMARK FOR `at` AS `at` - INTERVAL '5' SECOND
) WITH ({files}, 'format' = 'json')
"""
_BARS: Final = """
CREATE TABLE bars{number} (
    symbol STRING, begins TIMESTAMP_LTZ(3), o DOUBLE, h DOUBLE, l DOUBLE, c DOUBLE, v DOUBLE
) WITH ('connector' = 'blackhole')
"""
_TUMBLING: Final = """
INSERT INTO bars{number}
SELECT symbol, CAST(window_start AS TIMESTAMP_LTZ(3)), FIRST_VALUE(price), MAX(price), MIN(price),
    LAST_VALUE(price), SUM(size)
FROM TABLE(TUMBLE(TABLE trades, DESCRIPTOR(`at`), INTERVAL '{minutes}' MINUTE(4)))
GROUP BY symbol, window_start, window_end
"""
_MINUTES: Final = (1, 5, 15, 60, 120, 240, 1440)


def main(query: str, folder: str, parallelism: str) -> None:
    """Run one query over the files of a folder."""
    chosen = Configuration()
    chosen.set_string("parallelism.default", parallelism)
    chosen.set_string("pipeline.object-reuse", "true")
    settings = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(chosen)
    tables = TableEnvironment.create(settings.build())
    files = f"'connector' = 'filesystem', 'path' = '{folder}'"
    together = tables.create_statement_set()
    if query == "reading":
        tables.execute_sql(_LINES.format(files=files))
        tables.execute_sql("CREATE TABLE nothing (line BYTES) WITH ('connector' = 'blackhole')")
        together.add_insert_sql("INSERT INTO nothing SELECT line FROM lines")
    else:
        tables.execute_sql(_TRADES.format(files=files))
        for number, minutes in enumerate(_MINUTES):
            tables.execute_sql(_BARS.format(number=number))
            together.add_insert_sql(_TUMBLING.format(number=number, minutes=minutes))
    client = together.execute().get_job_client()
    print(client.get_job_execution_result().result().get_net_runtime())  # noqa: T201 - the answer


if __name__ == "__main__":
    main(*sys.argv[1:])
