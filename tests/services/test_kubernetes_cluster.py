"""The Helm chart in a cluster of Kubernetes whose nodes run no containers (`make test-cluster`)."""

from __future__ import annotations

import copy
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_cluster import KEDA, Cluster, Nodes, programs_folder, running_cluster
from kubernetes_tools import tool
from serving.downloads import go_module_folder
from tests.services.test_kubernetes import CHART, EVERYTHING, SMALL, URLS, VALUES, helm, pods

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SPACES = count()
DEFAULTS = {"settings": URLS}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if not programs_folder().is_dir():
        pytest.skip("needs Kubernetes: `make test-cluster` builds it (needs Go)")
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        for file in sorted((go_module_folder(KEDA) / "config/crd/bases").glob("keda.sh_*.yaml")):
            status, answer, _ = running.apply(yaml.safe_load(file.read_text(encoding="utf-8")))
            assert status in (200, 201), answer
        eventually(lambda: running.ask("GET", "/apis/keda.sh/v1alpha1")[0] == 200)
        yield running


@pytest.fixture(scope="module")
def nodes(cluster: Cluster) -> Iterator[Nodes]:
    with Nodes(cluster) as running:
        yield running


@pytest.fixture
def space(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """A namespace in which the restricted Pod Security Standard is enforced, for one release."""
    name = f"counts-{next(SPACES)}"
    labels = {f"pod-security.kubernetes.io/{what}": "restricted" for what in ("enforce", "warn")}
    about = {"name": name, "labels": labels}
    status, answer, _ = cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": about})
    assert status == 201, answer
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    eventually(lambda: cluster.ask("GET", account)[0] == 200)
    yield name
    assert run_helm(cluster, name, "uninstall", None, tmp_path) == ""


def eventually(holds: Callable[[], Any], within_s: float = 90.0) -> None:
    by_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < by_s, f"not within {within_s:.0f} s"
        time.sleep(0.2)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_api_server_accepts_every_object_without_a_warning(
    values: dict[str, Any], cluster: Cluster, space: str, tmp_path: Path
) -> None:
    objects = [one for one in yaml.safe_load_all(helm("template", values, tmp_path).stdout) if one]
    for one in objects:
        status, answer, warnings = cluster.apply(one, space, query="&dryRun=All")
        assert (status, warnings) == (201, []), (one["kind"], one["metadata"]["name"], answer, warnings)
    for name, pod in pods(objects):
        if "data" not in {
            volume["name"] for volume in pod["volumes"]
        }:  # the StatefulSet's controller adds it
            pod["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": "data"}})
        described = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod}
        status, answer, warnings = cluster.apply(described, space, query="&dryRun=All")
        assert (status, warnings) == (201, []), (name, answer, warnings)
        loose = copy.deepcopy(described)
        del loose["spec"]["securityContext"]["runAsNonRoot"]
        status, answer, _ = cluster.apply(loose, space, query="&dryRun=All")
        assert status == 403, name
        assert "runAsNonRoot != true" in answer["message"], answer


def run_helm(cluster: Cluster, space: str, what: str, values: dict[str, Any] | None, folder: Path) -> str:
    """Run it, and return its complaint: empty if it succeeded."""
    command = [tool("helm"), "--kubeconfig", str(cluster.kubeconfig), "-n", space, what, "counts"]
    command += {"upgrade": ["--install"], "uninstall": ["--ignore-not-found"]}.get(what, [])
    if values is not None:
        file = folder / "values.json"
        file.write_text(json.dumps(values))
        command += [str(CHART), "-f", str(file)]
    command += ["--wait", "--timeout", "180s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stderr or "helm said nothing") if done.returncode else ""


def replicas(cluster: Cluster, space: str) -> dict[str, int]:
    """The ready pods of each Deployment and StatefulSet."""
    return {
        one["metadata"]["name"].removeprefix("counts-"): one["status"].get("readyReplicas", 0)
        for kind in ("deployments", "statefulsets")
        for one in cluster.objects(f"/apis/apps/v1/namespaces/{space}/{kind}")
    }


def wait_for_replicas(cluster: Cluster, space: str, values: dict[str, Any], folder: Path) -> None:
    objects = [one for one in yaml.safe_load_all(helm("template", values, folder).stdout) if one]
    wanted = {
        one["metadata"]["name"].removeprefix("counts-"): one["spec"].get("replicas", 1)
        for one in objects
        if one["kind"] in ("Deployment", "StatefulSet")
    }
    eventually(lambda: replicas(cluster, space) == wanted)


def add_needs(cluster: Cluster, space: str) -> None:
    """The Secret, and a volume for the claim of `live-worker`."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "frametally"}}
    assert cluster.apply(secret, space)[0] == 201
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{space}-disk"},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": f"/tmp/{space}"},  # noqa: S108 - no node writes there
        },
    }
    assert cluster.apply(volume)[0] == 201


KINDS = {
    "/apis/apps/v1": ("deployments", "replicasets", "statefulsets", "controllerrevisions"),
    "/apis/batch/v1": ("jobs",),
    "/apis/policy/v1": ("poddisruptionbudgets",),
    "/apis/networking.k8s.io/v1": ("networkpolicies", "ingresses"),
    "/apis/keda.sh/v1alpha1": ("scaledobjects",),
    "/api/v1": ("pods", "services", "persistentvolumeclaims", "secrets"),
}


def names(cluster: Cluster, space: str) -> set[str]:
    return {
        f"{kind}/{one['metadata']['name']}"
        for group, kinds in KINDS.items()
        for kind in kinds
        for one in cluster.objects(f"{group}/namespaces/{space}/{kind}")
    }


def test_helm_installs_upgrades_to_each_size_and_leaves_only_the_secret_and_the_frames(
    cluster: Cluster, nodes: Nodes, space: str, tmp_path: Path
) -> None:
    add_needs(cluster, space)
    nodes.started.clear()
    assert run_helm(cluster, space, "install", DEFAULTS, tmp_path) == ""
    assert next(iter(nodes.started)) == "setup"
    wait_for_replicas(cluster, space, DEFAULTS, tmp_path)
    for values in (SMALL, EVERYTHING, DEFAULTS):
        nodes.started.clear()
        assert run_helm(cluster, space, "upgrade", values, tmp_path) == ""
        assert next(iter(nodes.started)) == "setup"
        wait_for_replicas(cluster, space, values, tmp_path)
    assert run_helm(cluster, space, "uninstall", None, tmp_path) == ""
    kept = {"secrets/frametally", "persistentvolumeclaims/data-counts-live-worker-0"}
    eventually(lambda: names(cluster, space) == kept)


def test_a_failing_setup_stops_helm_keeps_its_log_and_changes_nothing(
    cluster: Cluster, nodes: Nodes, space: str, tmp_path: Path
) -> None:
    def generations() -> dict[str, int]:
        return {
            one["metadata"]["name"]: one["metadata"]["generation"]
            for one in cluster.objects(f"/apis/apps/v1/namespaces/{space}/deployments")
        }

    def fail(values: dict[str, Any]) -> str:
        nodes.failing.add("setup")
        try:
            return run_helm(cluster, space, "upgrade", values, tmp_path)
        finally:
            nodes.failing.clear()

    add_needs(cluster, space)
    assert "job counts-setup failed: BackoffLimitExceeded" in fail(SMALL)
    assert generations() == {}
    assert run_helm(cluster, space, "upgrade", SMALL, tmp_path) == ""
    before = generations()
    assert "job counts-setup failed: BackoffLimitExceeded" in fail(DEFAULTS)
    assert generations() == before
    tries = cluster.objects(f"/api/v1/namespaces/{space}/pods?labelSelector=job-name%3Dcounts-setup")
    assert [one["status"]["phase"] for one in tries] == ["Failed"] * 4
    assert run_helm(cluster, space, "upgrade", DEFAULTS, tmp_path) == ""


def test_a_drain_evicts_one_dashboard_at_a_time_and_a_deleted_pod_comes_back(
    cluster: Cluster, nodes: Nodes, space: str, tmp_path: Path
) -> None:
    add_needs(cluster, space)
    assert run_helm(cluster, space, "install", DEFAULTS, tmp_path) == ""
    budget = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets/counts-dashboard"
    eventually(lambda: cluster.ask("GET", budget)[1]["status"].get("disruptionsAllowed") == 1)
    place = f"/api/v1/namespaces/{space}/pods"
    label = "?labelSelector=app.kubernetes.io/component%3Ddashboard"
    evicted = []
    for pod in cluster.objects(place + label):
        name = pod["metadata"]["name"]
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        evicted.append(cluster.ask("POST", f"{place}/{name}/eviction", eviction)[0])
    assert evicted == [201, 429]
    for pod in cluster.objects(place):
        deleted = cluster.ask("DELETE", f"{place}/{pod['metadata']['name']}")[0]
        assert deleted in (200, 404)  # the evicted pod may have ended meanwhile
    wait_for_replicas(cluster, space, DEFAULTS, tmp_path)


def test_an_upgrade_keeps_the_number_of_consumers_that_keda_set(
    cluster: Cluster, nodes: Nodes, space: str, tmp_path: Path
) -> None:
    add_needs(cluster, space)
    assert run_helm(cluster, space, "install", EVERYTHING, tmp_path) == ""
    [scaled] = cluster.objects(f"/apis/keda.sh/v1alpha1/namespaces/{space}/scaledobjects")
    scaler = {  # as KEDA's operator writes it, which does not run here
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "keda-hpa-counts-consumer"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment"}
            | scaled["spec"]["scaleTargetRef"],
            "minReplicas": scaled["spec"]["minReplicaCount"],
            "maxReplicas": scaled["spec"]["maxReplicaCount"],
            "metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {"name": "s0-prometheus"},
                        "target": {"type": "AverageValue", "averageValue": "2000"},
                    },
                }
            ],
        },
    }
    assert cluster.apply(scaler, space)[0] == 201
    about = f"/apis/autoscaling/v2/namespaces/{space}/horizontalpodautoscalers/keda-hpa-counts-consumer"
    eventually(
        lambda: (
            ("AbleToScale", "True")
            in {
                (condition["type"], condition["status"])
                for condition in cluster.ask("GET", about)[1]["status"].get("conditions", ())
            }
        )
    )
    assert cluster.ask("DELETE", about)[0] == 200
    scale = f"/apis/apps/v1/namespaces/{space}/deployments/counts-consumer/scale"
    content = "application/merge-patch+json"
    assert cluster.ask("PATCH", scale, {"spec": {"replicas": 3}}, content=content)[0] == 200
    newer = EVERYTHING | {"image": {"tag": "newer"}}
    assert run_helm(cluster, space, "upgrade", newer, tmp_path) == ""
    eventually(lambda: replicas(cluster, space)["consumer"] == 3)


def test_the_values_for_one_small_node_also_fit_on_it_during_an_upgrade(
    cluster: Cluster, nodes: Nodes, space: str, tmp_path: Path
) -> None:
    def close(node: str, closed: bool) -> None:
        content = "application/merge-patch+json"
        body = {"spec": {"unschedulable": closed}}
        assert cluster.ask("PATCH", f"/api/v1/nodes/{node}", body, content=content)[0] == 200

    add_needs(cluster, space)
    others = ("node-1", "node-2")
    for node in others:
        close(node, True)
    try:
        assert run_helm(cluster, space, "install", SMALL, tmp_path) == ""
        newer = SMALL | {"image": {"tag": "newer"}}
        assert run_helm(cluster, space, "upgrade", newer, tmp_path) == ""
    finally:
        for node in others:
            close(node, False)
    placed = {pod["spec"]["nodeName"] for pod in cluster.objects(f"/api/v1/namespaces/{space}/pods")}
    assert placed == {"node-0"}


def test_storage_grows_once_the_statefulset_is_deleted_without_its_pod(
    cluster: Cluster, nodes: Nodes, space: str, tmp_path: Path
) -> None:
    add_needs(cluster, space)
    assert run_helm(cluster, space, "install", DEFAULTS, tmp_path) == ""
    larger = DEFAULTS | {"services": {"live-worker": {"storage": "20Gi"}}}
    assert "spec.volumeClaimTemplates" in run_helm(cluster, space, "upgrade", larger, tmp_path)
    keeper = f"/apis/apps/v1/namespaces/{space}/statefulsets/counts-live-worker"
    assert cluster.ask("DELETE", keeper, {"propagationPolicy": "Orphan"})[0] == 200
    eventually(lambda: cluster.ask("GET", keeper)[0] == 404)
    pod = f"/api/v1/namespaces/{space}/pods/counts-live-worker-0"
    before = cluster.ask("GET", pod)[1]["metadata"]["uid"]
    assert run_helm(cluster, space, "upgrade", larger, tmp_path) == ""
    assert cluster.ask("GET", pod)[1]["metadata"]["uid"] == before
