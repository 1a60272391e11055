"""`helm` and `kubeconform`, built by Go: `python tests/servers/kubernetes_tools.py` builds them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from serving.downloads import cache_folder, go_module_folder, go_program

_PACKAGES = {
    "helm": ("helm-3.22.0", "helm.sh/helm/v3/cmd/helm@v3.22.0"),
    "kubeconform": ("kubeconform-0.8.0", "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"),
}
# One of the modules that helm is built with; it has the schemas of Kubernetes.
_SCHEMAS = "k8s.io/cli-runtime@v0.37.0"


def tool(name: str) -> str:
    """Return the program's path; without it, skip the test, or fail it where nothing may be missing."""
    folder, package = _PACKAGES[name]
    path = cache_folder() / folder / package.partition("@")[0].rpartition("/")[2]
    if not path.is_file():
        missing = f"needs {name}: run python tests/servers/kubernetes_tools.py (needs Go)"
        pytest.fail(missing) if os.environ.get("FRAMETALLY_REQUIRE_SERVICES") else pytest.skip(missing)
    return str(path)


def write_schemas(folder: Path) -> str:
    """Write a strict schema for each kind of Kubernetes, and return their place as kubeconform takes it."""
    swagger_file = go_module_folder(_SCHEMAS) / "artifacts/openapi/swagger.json"
    swagger = json.loads(swagger_file.read_text(encoding="utf-8"))
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
