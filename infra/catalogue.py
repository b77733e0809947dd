"""The lake as tables of SQL: Glue's catalogue of it, and Athena's workgroup.

Which partitions there are follows from the lake's keys (partition projection), so that no crawler
has to look for them. `daily`, `minute` and `bars_3d` ... `bars_34d` are partitioned by `year`, an
integer. `minute` and the intraday bars, `bars_5m` ... `bars_4h`, by `year` and `session`: queries
of them must name their year, or there would be a million partitions to look for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import pyarrow as pa
from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from constructs import Construct

from lake import keys, schemas
from lake.interval import FIBONACCI, INTRADAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_s3 as s3

    from infra.size import Size

LAKE: Final = "lake"
_GIB: Final = 1024**3
_FIRST_YEAR: Final = 1962
"""Of the session table."""
_LAST_YEAR: Final = 2099
_FIRST_DAY: Final = "1962-01-02"

_YEARS: Final = {
    "projection.year.type": "integer",
    "projection.year.range": f"{_FIRST_YEAR},{_LAST_YEAR}",
}
_SESSIONS: Final = {
    # It is taken from the query, which must name one.
    "projection.year.type": "injected",
    "projection.session.type": "date",
    "projection.session.format": "yyyy-MM-dd",
    "projection.session.range": f"{_FIRST_DAY},NOW",
    "projection.session.interval": "1",
    "projection.session.interval.unit": "DAYS",
}
_BY_YEAR: Final = "year=${year}/"
_BY_SESSION: Final = "year=${year}/session=${session}/"


class Catalogue(Construct):
    """A database of Glue, and a workgroup of Athena.

    Attributes:
        database: The database's name.
        workgroup: The workgroup's name.
    """

    RESULTS: ClassVar = "athena"
    """The prefix of results in the lake's bucket, beside the lake."""

    def __init__(
        self, scope: Construct, name: str, *, size: Size, bucket: s3.Bucket, key: kms.Key
    ) -> None:
        super().__init__(scope, name)
        self._bucket = bucket
        self.database = f"fiblake_{size.name}"
        self._database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=Stack.of(self).account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=self.database, description="The lake of fiblake."
            ),
        )
        self._table("daily", keys.DAILY, schemas.DAILY, _BY_YEAR, _YEARS)
        self._table("minute", keys.MINUTE, schemas.MINUTE, _BY_SESSION, _SESSIONS)
        for interval in FIBONACCI:
            prefix = keys.silver_prefix(interval)
            self._table(f"bars_{interval}", prefix, schemas.BARS, _BY_YEAR, _YEARS)
        for interval in INTRADAY:
            prefix = keys.silver_prefix(interval)
            self._table(f"bars_{interval}", prefix, schemas.INTRADAY, _BY_SESSION, _SESSIONS)
        self.workgroup = f"fiblake-{size.name}"
        self._workgroup(size, key)
        CfnOutput(self, "SqlDatabase", value=self.database, description="The lake in Athena")
        CfnOutput(self, "SqlWorkgroup", value=self.workgroup, description="Its workgroup")

    def _table(
        self,
        name: str,
        prefix: str,
        schema: pa.Schema,
        partitions: str,
        projection: Mapping[str, str],
    ) -> None:
        place = f"s3://{self._bucket.bucket_name}/{LAKE}/{prefix}"
        by = {"year": "int" if partitions == _BY_YEAR else "string", "session": "string"}
        partitioned = [each for each in by if f"${{{each}}}" in partitions]
        parameters: dict[str, Any] = {
            "classification": "parquet",
            "projection.enabled": "true",
            "storage.location.template": f"{place}{partitions}",
            **projection,
        }
        table = glue.CfnTable(
            self,
            f"Table-{name}",
            catalog_id=Stack.of(self).account,
            database_name=self.database,
            table_input=glue.CfnTable.TableInputProperty(
                name=name,
                table_type="EXTERNAL_TABLE",
                parameters=parameters,
                partition_keys=[
                    glue.CfnTable.ColumnProperty(name=each, type=by[each]) for each in partitioned
                ],
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=place,
                    input_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                    output_format="org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library="org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
                    ),
                    columns=[
                        glue.CfnTable.ColumnProperty(name=field.name, type=hive_type(field.type))
                        for field in schema
                        # What partitions tell is no column as well.
                        if field.name not in partitioned
                    ],
                ),
            ),
        )
        table.add_resource_dependency(self._database)

    def _workgroup(self, size: Size, key: kms.Key) -> None:
        athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=self.workgroup,
            description="Queries of the lake, each within a limit.",
            recursive_delete_option=not size.keeps_data,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=size.scanned_gib * _GIB,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{self._bucket.bucket_name}/{self.RESULTS}/",
                    encryption_configuration=athena.CfnWorkGroup.EncryptionConfigurationProperty(
                        encryption_option="SSE_KMS", kms_key=key.key_arn
                    ),
                ),
            ),
        )


def hive_type(kind: pa.DataType) -> str:
    """Return what Hive, Glue and Athena call a type of Arrow.

    Raises:
        TypeError: If no column of a table has such a type.
    """
    names = {
        pa.string(): "string",
        pa.float64(): "double",
        pa.int32(): "int",
        pa.int64(): "bigint",
        pa.bool_(): "boolean",
        pa.date32(): "date",
        pa.timestamp("us", tz="UTC"): "timestamp",
    }
    if kind not in names:
        msg = f"No type of Hive is known for {kind}."
        raise TypeError(msg)
    return names[kind]
