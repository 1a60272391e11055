"""The roles that ship grant just what is needed and checked."""

from __future__ import annotations

from pathlib import Path

import yaml

from frametally_search.index.access import DEFAULT_ALIAS
from frametally_search.index.stage_rights import STAGES

ROLES = Path(__file__).resolve().parents[2] / "cloud-services" / "elasticsearch" / "roles.yml"


def test_the_roles_that_ship_grant_what_the_stages_need_and_no_more() -> None:
    stage_of = {
        "frametally_setup": "admin",
        "frametally_indexer": "search",
        "frametally_dashboard": "web",
    }
    granted = yaml.safe_load(ROLES.read_text(encoding="utf-8"))
    assert granted.keys() == stage_of.keys()
    for role, stage in stage_of.items():
        [of_indices] = granted[role]["indices"]
        assert of_indices["names"] == [f"{DEFAULT_ALIAS}*"]
        assert tuple(of_indices["privileges"]) == STAGES[stage].on_index
        assert tuple(granted[role].get("cluster", ())) == STAGES[stage].on_cluster
        assert granted[role].keys() <= {"cluster", "indices"}
