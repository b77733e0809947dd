"""The lake in SQL: Glue's catalogue of its tables, and Athena's workgroup."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from constructs import Construct

from infra.hive import LAKE, hive_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_s3 as s3

    from infra.hive import HiveTable
    from infra.size import Size

_GIB: Final = 1024**3
_PARQUET: Final = "org.apache.hadoop.hive.ql.io.parquet"


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
        self._account = Stack.of(self).account
        self.database = f"fiblake_{size.name}"
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=self._account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=self.database, description="The lake of fiblake."
            ),
        )
        for each in hive_tables():
            self._table(each).add_resource_dependency(database)
        self.workgroup = f"fiblake-{size.name}"
        self._workgroup(size, key)
        CfnOutput(self, "SqlDatabase", value=self.database, description="The lake in Athena")
        CfnOutput(self, "SqlWorkgroup", value=self.workgroup, description="Its workgroup")

    def _table(self, told: HiveTable) -> glue.CfnTable:
        place = f"s3://{self._bucket.bucket_name}/{LAKE}/"
        return glue.CfnTable(
            self,
            f"Table-{told.name}",
            catalog_id=self._account,
            database_name=self.database,
            table_input=glue.CfnTable.TableInputProperty(
                name=told.name,
                table_type="EXTERNAL_TABLE",
                parameters={
                    "classification": "parquet",
                    "projection.enabled": "true",
                    "storage.location.template": f"{place}{told.template}",
                    **told.projection,
                },
                partition_keys=_columns(told.partitions),
                storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
                    location=f"{place}{told.prefix}",
                    input_format=f"{_PARQUET}.MapredParquetInputFormat",
                    output_format=f"{_PARQUET}.MapredParquetOutputFormat",
                    serde_info=glue.CfnTable.SerdeInfoProperty(
                        serialization_library=f"{_PARQUET}.serde.ParquetHiveSerDe"
                    ),
                    columns=_columns(told.columns),
                ),
            ),
        )

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


def _columns(types: Mapping[str, str]) -> list[glue.CfnTable.ColumnProperty]:
    return [glue.CfnTable.ColumnProperty(name=name, type=kind) for name, kind in types.items()]
