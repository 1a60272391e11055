"""`helm` and `kubeconform`, built by Go: `python tests/servers/kubernetes_tools.py` builds them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from serving.downloads import cache_folder, go_program

_PACKAGES = {
    "helm": ("helm-3.22.0", "helm.sh/helm/v3/cmd/helm@v3.22.0"),
    "kubeconform": ("kubeconform-0.8.0", "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"),
}
# A module of helm's build; it has the schemas of Kubernetes.
_SCHEMAS = "k8s.io/cli-runtime@v0.37.0"


def tool(name: str) -> str:
    """Return the program's path; without it, skip the test, or fail it if skips are not allowed."""
    folder, package = _PACKAGES[name]
    path = cache_folder() / folder / package.partition("@")[0].rpartition("/")[2]
    if not path.is_file():
        missing = f"needs {name}: run python tests/servers/kubernetes_tools.py (needs Go)"
        pytest.fail(missing) if os.environ.get("FRAMETALLY_REQUIRE_SERVICES") else pytest.skip(missing)
    return str(path)


def write_schemas(folder: Path) -> str:
    """Write a strict schema for each kind of Kubernetes, and return their location for kubeconform."""
    listed = subprocess.run(
        ["go", "mod", "download", "-json", _SCHEMAS], check=True, capture_output=True, text=True
    )
    root = Path(json.loads(listed.stdout)["Dir"])
    swagger = json.loads((root / "artifacts/openapi/swagger.json").read_text(encoding="utf-8"))
    definitions: dict[str, Any] = swagger["definitions"]
    for definition in definitions.values():
        if "properties" in definition:
            definition["additionalProperties"] = False
        if definition.get("format") == "int-or-string":
            definition.clear()
            definition["type"] = ["string", "integer"]
    (folder / "definitions.json").write_text(json.dumps({"definitions": definitions}))
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            place = "-".join(
                part for part in (kind["kind"], kind["group"].split(".")[0], kind["version"]) if part
            )
            reference = {"$ref": f"file://{folder}/definitions.json#/definitions/{name}"}
            (folder / f"{place.lower()}.json").write_text(json.dumps(reference))
    return f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"


if __name__ == "__main__":
    for name, package in _PACKAGES.values():
        go_program(cache_folder(), name, package)
