"""The Helm chart renders valid Kubernetes objects, with no more rights than necessary."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_file import STACK
from kubernetes_tools import tool, write_schemas

from frametally.settings.loading import Settings
from frametally_videos.queues.task_queue import QUEUES

pytestmark = pytest.mark.services

CHART = STACK / "kubernetes"
URLS = {
    "FRAMETALLY_STORE_URL": "s3://counts",
    "FRAMETALLY_LOG_URL": "kafka://kafka:9093",
    "FRAMETALLY_INDEX_URL": "elasticsearch+https://elastic:9200",
    "FRAMETALLY_LEDGER_URL": "postgresql://frametally@postgres/frametally",
    "FRAMETALLY_CATALOGUE_URL": "postgresql://frametally@postgres/frametally",
}
EVERYTHING = {
    "settings": {**URLS, "FRAMETALLY_QUEUE_URL": "amqps://frametally@rabbitmq"},
    "keda": {"enabled": True},
    "ingress": {
        "enabled": True,
        "proxyLogin": {"enabled": True, "authUrl": "https://auth.example.org/check"},
    },
}
SMALL = yaml.safe_load((CHART / "values-small.yaml").read_text(encoding="utf-8")) | {"settings": URLS}
VALUES = {"defaults": {"settings": URLS}, "small": SMALL, "everything": EVERYTHING}


def helm(
    what: str, values: dict[str, Any], folder: Path, *, release: str = "counts"
) -> subprocess.CompletedProcess[str]:
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    name = [release] if what == "template" else ["--strict"]
    return subprocess.run(
        [tool("helm"), what, *name, str(CHART), "--kube-version", "1.31.0", "-f", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=VALUES)
def rendered(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    done = helm("template", VALUES[request.param], tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def objects(rendered: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(rendered) if one]


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in objects:
        if one["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield one["metadata"]["labels"]["app.kubernetes.io/component"], one["spec"]["template"]["spec"]


def variables(pod: dict[str, Any]) -> dict[str, str]:
    [container] = pod["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"]}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_finds_nothing_to_mend(values: dict[str, Any], tmp_path: Path) -> None:
    done = helm("lint", values, tmp_path)
    assert done.returncode == 0, done.stdout


def test_every_object_follows_the_schemas_of_kubernetes(rendered: str, tmp_path: Path) -> None:
    place = write_schemas(tmp_path)
    command = [tool("kubeconform"), "-strict", "-skip", "ScaledObject", "-schema-location", place]
    done = subprocess.run(command, input=rendered, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    wrong = rendered.replace("runAsNonRoot", "runsAsNonRoot", 1)
    assert subprocess.run(command, input=wrong, capture_output=True, text=True, check=False).returncode == 1


def test_every_pod_meets_the_restricted_pod_security_standard(objects: list[dict[str, Any]]) -> None:
    assert [*pods(objects)]
    for name, pod in pods(objects):
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert pod["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & {*pod}, name
        assert {kind for volume in pod["volumes"] for kind in volume} <= {"name", "emptyDir", "secret"}


def test_secrets_are_files_and_every_variable_is_a_setting(objects: list[dict[str, Any]]) -> None:
    settings = {f"FRAMETALLY_{name.upper()}" for name in Settings.model_fields}
    for name, pod in pods(objects):
        own = variables(pod)
        mounted = {
            f"/run/secrets/frametally/{item['path']}"
            for volume in pod["volumes"]
            for item in volume.get("secret", {}).get("items", ())
        }
        assert {value for key, value in own.items() if key.endswith("_FILE")} == mounted, name
        assert {key.removesuffix("_FILE") for key in own} <= settings, name
        assert not {key for key in own if key.endswith(("PASSWORD", "SECRET", "SECRET_KEY"))}, name


def test_every_stage_is_probed_and_the_setup_comes_first(objects: list[dict[str, Any]]) -> None:
    for name, pod in pods(objects):
        [container] = pod["containers"]
        probes = {key for key in container if key.endswith("Probe")}
        assert probes == (set() if name == "setup" else {"startupProbe", "livenessProbe", "readinessProbe"})
    [setup] = [one for one in objects if one["kind"] == "Job"]
    assert setup["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"


def test_every_running_service_has_a_disruption_budget_and_a_network_policy_selects_all(
    objects: list[dict[str, Any]],
) -> None:
    def selected(kind: str) -> list[dict[str, str]]:
        return [one["spec"]["selector"]["matchLabels"] for one in objects if one["kind"] == kind]

    running = [
        one["spec"]["selector"]["matchLabels"]
        for one in objects
        if one["kind"] in ("Deployment", "StatefulSet") and one["spec"].get("replicas", 1)
    ]
    assert sorted(map(str, selected("PodDisruptionBudget"))) == sorted(map(str, running))
    [everyone] = [
        one["spec"]
        for one in objects
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "counts-all"
    ]
    assert everyone["policyTypes"] == ["Ingress", "Egress"]
    assert {*everyone["podSelector"]["matchLabels"].items()} <= {*running[0].items()}


def test_consumers_are_scaled_by_what_waits_and_never_above_the_partitions(tmp_path: Path) -> None:
    objects = [one for one in yaml.safe_load_all(helm("template", EVERYTHING, tmp_path).stdout) if one]
    [scaled] = [one for one in objects if one["kind"] == "ScaledObject"]
    target = scaled["spec"]["scaleTargetRef"]["name"]
    [consumer] = [one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == target]
    assert "replicas" not in consumer["spec"]  # otherwise each upgrade would undo KEDA's settings
    assert variables(consumer["spec"]["template"]["spec"])["FRAMETALLY_LOG_PARTITIONS"] == str(
        scaled["spec"]["maxReplicaCount"]
    )
    assert "frametally_log_messages_behind" in scaled["spec"]["triggers"][0]["metadata"]["query"]


def test_a_proxy_log_in_is_asked_by_the_ingress_and_believed_by_the_dashboard_alone(tmp_path: Path) -> None:
    objects = [one for one in yaml.safe_load_all(helm("template", EVERYTHING, tmp_path).stdout) if one]
    [ingress] = [one for one in objects if one["kind"] == "Ingress"]
    asked = {
        key.partition("/")[2]: value
        for key, value in ingress["metadata"]["annotations"].items()
        if "/auth-" in key
    }
    assert asked == {
        "auth-url": "https://auth.example.org/check",
        "auth-response-headers": "X-Forwarded-User,X-Frametally-Proxy-Secret",
    }
    [backend] = [path["backend"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    assert backend["service"]["name"] == "counts-dashboard"
    assert ingress["spec"]["tls"][0]["hosts"] == [ingress["spec"]["rules"][0]["host"]]
    believing = {name for name, pod in pods(objects) if "FRAMETALLY_PROXY_SECRET_FILE" in variables(pod)}
    assert believing == {"dashboard"}
    proxy: dict[str, Any] = {"enabled": True, "proxyLogin": {"enabled": True}}
    unasked = helm("template", {"settings": URLS, "ingress": proxy}, tmp_path)
    assert unasked.returncode != 0
    assert "ingress.proxyLogin.authUrl is empty" in unasked.stderr


UNITS = {"Mi": 2**20, "Gi": 2**30, "m": 0.001, "": 1.0}


def amount(text: str) -> float:
    number = text.rstrip("GMim")
    return float(number) * UNITS[text[len(number) :]]


def test_the_values_for_one_small_node_fit_on_it(tmp_path: Path) -> None:
    objects = [one for one in yaml.safe_load_all(helm("template", SMALL, tmp_path).stdout) if one]
    requests = [
        container["resources"]["requests"]
        for one in objects
        if one["kind"] in ("Deployment", "StatefulSet")
        for container in one["spec"]["template"]["spec"]["containers"] * one["spec"]["replicas"]
    ]
    assert 0 < sum(amount(request["cpu"]) for request in requests) < 4 - 1  # the system needs some
    assert 0 < sum(amount(request["memory"]) for request in requests) < 8 * 2**30 - 2**30


def test_every_queue_has_a_worker(objects: list[dict[str, Any]]) -> None:
    taken: set[str] = set()
    for one in objects:
        if one["kind"] == "Deployment" and one["spec"].get("replicas"):
            command = one["spec"]["template"]["spec"]["containers"][0]["command"]
            if command[:2] == ["frametally", "work"]:
                taken |= {*command[3:]} or {*QUEUES}
    assert taken == {*QUEUES}


def test_the_chart_is_of_the_version_that_it_runs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((STACK.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chart["appVersion"] == project["version"]
    assert chart["version"] == project["version"].replace(".dev", "-dev")


@pytest.mark.parametrize("name", URLS)
def test_a_missing_address_is_named(name: str, tmp_path: Path) -> None:
    done = helm("template", {"settings": URLS | {name: ""}}, tmp_path)
    assert done.returncode != 0
    assert f"settings.{name} is empty" in done.stderr


def test_a_release_whose_name_leaves_no_room_for_the_names_of_its_parts_is_refused(tmp_path: Path) -> None:
    longest = helm("template", EVERYTHING, tmp_path, release="x" * 36)
    names = [one["metadata"]["name"] for one in yaml.safe_load_all(longest.stdout) if one]
    assert max(map(len, names)) == 63
    longer = helm("template", EVERYTHING, tmp_path, release="x" * 37)
    assert longer.returncode != 0
    assert "has 37 characters: give at most 36" in longer.stderr
