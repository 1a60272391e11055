"""The recipe of a number: three files change, and the API, exports, gold and Iceberg have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.together.test_without_capabilities import REPOSITORY, Clone, copy_without

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(1200)]

MEANING = "objects that were first seen wider than high"
JOB = "hadoop/frametally_hadoop/job/visits.py"
CHANGES = {
    "core/frametally/rules/known.py": [
        (
            '\n)\n"""In the order of stored cells',
            f'\n    CountNumber("wide_objects", "objects", "{MEANING}"),\n)\n"""In the order of stored cells',
        )
    ],
    JOB: [
        (
            "    pairs: Sequence[tuple[bytes, bytes]] = ()\n",
            "    pairs: Sequence[tuple[bytes, bytes]] = ()\n    wide: Mapping[tuple[str, int], int] = {}\n",
        ),
        ("import NamedTuple\n", "import Any, NamedTuple\n"),
        ("self.from_start, self.fast\n", "self.from_start, self.fast, self.wide\n"),
        (
            "            objects[bar] += 1\n",
            "            objects[bar] += 1\n            wide[bar] += first.width > first.height\n",
        ),
        (
            "    objects: Counter[tuple[str, int]] = Counter()\n",
            "    objects: Counter[tuple[str, int]] = Counter()\n    wide: Counter[Any] = Counter()\n",
        ),
        ("fast=fast, pairs=pairs\n", "fast=fast, pairs=pairs, wide=wide\n"),
    ],
    "docs/api.md": [
        (
            "\n| `fast_objects` | objects |",
            f"\n| `wide_objects` | objects | {MEANING} |\n| `fast_objects` | objects |",
        )
    ],
}
READ = """\
import csv, io, json, sqlite3, sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import text
from tests.traffic import junction
from tests.web.conftest import Place

from frametally.process.reports import NoProgress
from frametally_gold.book import Gold
from frametally_gold.iceberg_tables import IcebergTables
from frametally_gold.loading import load_gold

place = Place(Path(sys.argv[1]))
junction.count(place, junction.frames())
client = place.app().test_client()
asked = "source=gate&interval=60"
counts = client.get(f"/api/v1/counts?{asked}").json
rows = csv.DictReader(io.StringIO(client.get(f"/api/v1/export?{asked}").data.decode("utf-8-sig")))
url = f"sqlite:///{sys.argv[1]}/gold.sqlite"
Gold(url).close()
with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:  # as an earlier version left it
    connection.execute("ALTER TABLE gold_counts DROP COLUMN wide_objects")
with closing(Gold(url)) as gold, closing(IcebergTables(url, None, place.store)) as iceberg:
    load_gold(store=place.store, gold=gold, progress=NoProgress())
    iceberg.publish()
    with gold._database.reading() as connection:
        gold_sum = connection.execute(text("SELECT SUM(wide_objects) FROM gold_counts")).scalar()
    with iceberg._reading() as catalogue:
        published = catalogue.load_table(("gold", "counts")).scan().to_arrow().to_pylist()
sums = {
    "objects": sum(bar["objects"] for bar in counts["buckets"]),
    "buckets": sum(bar["wide_objects"] for bar in counts["buckets"]),
    "totals": sum(total["wide_objects"] for total in counts["totals"]),
    "together": counts["together"][0]["wide_objects"],
    "export": sum(int(row["wide_objects"] or 0) for row in rows),
    "gold": gold_sum,
    "iceberg": sum(row["wide_objects"] for row in published),
}
print(json.dumps(sums))
place.close()
"""
CHECKS = (
    "tests/core/test_known_numbers.py",
    "tests/core/test_count_index_contract.py::test_a_published_run_is_read_back_unchanged",
    "tests/gold/test_gold.py::test_every_table_and_column_is_explained_in_the_documentation",
    "tests/web/test_description_api.py::test_every_field_and_every_parameter_is_explained",
    "tests/web/test_description_api.py::test_the_manual_covers_every_route_and_every_field",
)


def test_a_new_number_changes_three_files_and_is_in_every_answer_file_and_table(tmp_path: Path) -> None:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("needs a checkout")
    clone = Clone(tmp_path / "clone", frozenset())
    copy_without(clone.gone, clone.root)
    for name, changes in CHANGES.items():
        file = clone.root / name
        source = file.read_text(encoding="utf-8")
        for old, new in changes:
            assert source.count(old) == 1, (name, old)
            source = source.replace(old, new)
        file.write_text(source, encoding="utf-8")
    (tmp_path / "data").mkdir()
    done = clone.python("-c", READ, tmp_path / "data")
    assert done.returncode == 0, done.stderr
    sums = json.loads(done.stdout.splitlines()[-1])
    # The picture's border cuts off the first boxes: some are higher than wide.
    assert 0 < sums["gold"] < sums.pop("objects")
    assert len({*sums.values()}) == 1, sums
    checked = clone.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *CHECKS)
    assert checked.returncode == 0, checked.stdout
