"""What obstore and boto3 take for the calls of a frame store, in turns, against one real S3 server.

    make services-up SERVICES=s3
    python benchmarks/s3_clients.py

Each client puts pictures that must not exist yet, reads them, reads a range of each and lists them. CPU is
that of this process alone; the server shares the machine's cores.
"""

from __future__ import annotations

import os
import statistics
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import boto3
import obstore
from botocore.config import Config
from measuring import in_turns, median_ratio, running_servers
from obstore.store import S3Store
from results import Cell, Table, options, save

PICTURE_BYTES = 60_000
RANGE = (1_000, 21_000)
CLIENTS = ("obstore", "boto3")
STEPS = ("put", "get", "range", "list")


class Obstore:
    """The data client of `frametally.adapters.s3.bucket_store`."""

    def __init__(self, access: Mapping[str, str], bucket: str, prefix: str, _: int) -> None:
        """Open the bucket."""
        self._store = S3Store(
            bucket,
            prefix=prefix,
            config={
                "region": "us-east-1",
                "endpoint": access["S3_URL"],
                "access_key_id": access["S3_ACCESS_KEY"],
                "secret_access_key": access["S3_SECRET_KEY"],
            },
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    def put(self, key: str, data: bytes) -> None:
        """Create an object."""
        obstore.put(self._store, key, data, mode="create", use_multipart=False)

    def get(self, key: str) -> bytes:
        """Return an object."""
        return bytes(obstore.get(self._store, key).bytes())

    def range(self, key: str) -> bytes:
        """Return `RANGE` of an object."""
        return bytes(obstore.get_range(self._store, key, start=RANGE[0], end=RANGE[1]))

    def list(self) -> int:
        """Return the number of objects."""
        return sum(len(page) for page in obstore.list(self._store, chunk_size=1000))


class Boto3:
    """The same calls by the client of `frametally.adapters.s3.service`."""

    def __init__(self, access: Mapping[str, str], bucket: str, prefix: str, threads: int) -> None:
        """Open the bucket for so many threads."""
        self._where, self._prefix = {"Bucket": bucket}, prefix
        self._client: Any = boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=access["S3_URL"],
            aws_access_key_id=access["S3_ACCESS_KEY"],
            aws_secret_access_key=access["S3_SECRET_KEY"],
            config=Config(
                max_pool_connections=threads,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def create_bucket(self) -> None:
        """Create the bucket."""
        self._client.create_bucket(**self._where)

    def put(self, key: str, data: bytes) -> None:
        """Create an object."""
        self._client.put_object(**self._where, Key=f"{self._prefix}/{key}", Body=data, IfNoneMatch="*")

    def get(self, key: str) -> bytes:
        """Return an object."""
        data: bytes = self._client.get_object(**self._where, Key=f"{self._prefix}/{key}")["Body"].read()
        return data

    def range(self, key: str) -> bytes:
        """Return `RANGE` of an object."""
        wanted = f"bytes={RANGE[0]}-{RANGE[1] - 1}"
        answer = self._client.get_object(**self._where, Key=f"{self._prefix}/{key}", Range=wanted)
        data: bytes = answer["Body"].read()
        return data

    def list(self) -> int:
        """Return the number of objects."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            **self._where, Prefix=f"{self._prefix}/"
        )
        return sum(page["KeyCount"] for page in pages)


def main() -> None:
    """Measure both clients, and save the results."""
    asked = options(__doc__, pictures=400, rounds=7, threads=[1, 8])
    access = running_servers()
    bucket = f"bench-{uuid.uuid4().hex[:8]}"
    Boto3(access, bucket, "", 1).create_bucket()
    rows: list[list[Cell]] = []
    for threads in asked.threads:
        for step in STEPS:
            rows.append([threads, step, *_compare(access, bucket, step, asked, threads)])
    save(
        name="s3_clients",
        title="Clients of S3",
        about="Both clients that frametally has: obstore for the bytes of objects, boto3 for buckets, parts "
        "and the removal of one version.",
        packages=["boto3", "botocore", "obstore"],
        tables=[
            Table(
                f"Calls with {asked.pictures} pictures of {PICTURE_BYTES // 1000} kB",
                [
                    "threads",
                    "call",
                    "obstore calls/s",
                    "boto3 calls/s",
                    "boto3's time, to obstore",
                    "its CPU, to obstore",
                ],
                rows,
                f"Medians of {asked.rounds} rounds in turns. A call of `list` lists all pictures.",
            )
        ],
        goals=[],
    )


def _compare(access: Mapping[str, str], bucket: str, step: str, asked: Any, threads: int) -> list[Cell]:
    data = os.urandom(PICTURE_BYTES)
    cpu: dict[str, list[float]] = {name: [] for name in CLIENTS}
    calls = 1 if step == "list" else asked.pictures
    with ThreadPoolExecutor(threads) as pool:

        def work(name: str, client: Any) -> None:
            keys = [f"{number:06d}.jpg" for number in range(asked.pictures)]
            if step == "put":
                turn = uuid.uuid4().hex
                todo: list[Callable[[], object]] = [
                    partial(client.put, f"{turn}/{key}", data) for key in keys
                ]
            elif step == "list":
                todo = [client.list]
            else:
                todo = [partial(getattr(client, step), key) for key in keys]
            began_s = time.process_time()
            for _ in pool.map(lambda call: call(), todo):
                pass
            cpu[name].append(time.process_time() - began_s)

        works: dict[str, Callable[[], object]] = {}
        for name, kind in (("obstore", Obstore), ("boto3", Boto3)):
            prefix = f"benchmark/{uuid.uuid4().hex}"
            client: Any = kind(access, bucket, prefix, threads)
            if step != "put":
                for number in range(asked.pictures):
                    client.put(f"{number:06d}.jpg", data)
            works[name] = partial(work, name, client)
        took = in_turns(works, asked.rounds)
    ours, theirs = (statistics.median(took[name]) for name in CLIENTS)
    cpu_ratio = median_ratio(cpu["boto3"][1:], cpu["obstore"][1:])
    return [
        round(calls / ours, 1),
        round(calls / theirs, 1),
        median_ratio(took["boto3"], took["obstore"]),
        cpu_ratio,
    ]


if __name__ == "__main__":
    main()
