"""Checksums of Iceberg files, for the tests of seals."""

from frametally_gold.iceberg_checksums import IcebergChecksums

RECORDS = [IcebergChecksums(id="ab" * 8, files={"iceberg/counts/data/a.parquet": "cd" * 32})]
OWN_CHECKS = (IcebergChecksums,)
