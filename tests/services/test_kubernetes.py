"""The Helm chart renders valid Kubernetes objects, with no more rights than necessary."""

from __future__ import annotations

import json
import re
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
ROLE = {
    "serviceAccountName": "frametally",
    "nodeSelector": {"pool": "video"},
    "tolerations": [{"key": "video", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "annotations": {"example.org/team": "counts"},
    "labels": {"azure.workload.identity/use": "true"},
    "extraVolumes": [{"name": "ca", "configMap": {"name": "our-ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
}
EVERYTHING: dict[str, Any] = {
    "settings": {
        **URLS,
        "FRAMETALLY_QUEUE_URL": "amqps://frametally@rabbitmq",
        "FRAMETALLY_GOLD_URL": "postgresql://frametally@postgres/frametally",
    },
    "keda": {"enabled": True},
    "ingress": {
        "enabled": True,
        "proxyLogin": {"enabled": True, "authUrl": "https://auth.example.org/check"},
    },
}
WHOLE = EVERYTHING | {
    "settings": {
        **EVERYTHING["settings"],
        "FRAMETALLY_STORE_ACCESS_KEY": "counts",
        "FRAMETALLY_CA_FILE": "/ca/ca.pem",
    },
    "pod": ROLE,
    "models": {"claim": "models"},
    "metrics": {"podMonitor": True, "labels": {"release": "prometheus"}, "annotations": True},
}
SMALL = yaml.safe_load((CHART / "values-small.yaml").read_text(encoding="utf-8")) | {"settings": URLS}
KEYED = {"settings": {**URLS, "FRAMETALLY_STORE_ACCESS_KEY": "counts"}}
VALUES = {"defaults": KEYED, "small": SMALL, "everything": EVERYTHING}
RENDERED = VALUES | {"whole": WHOLE}


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


@pytest.fixture(params=RENDERED)
def rendered(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    done = helm("template", RENDERED[request.param], tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def objects(rendered: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(rendered) if one]


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in objects:
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one.get("spec", {})
        if one["kind"] in ("Deployment", "StatefulSet", "Job", "CronJob"):
            yield one["metadata"]["labels"]["app.kubernetes.io/component"], spec["template"]["spec"]


def variables(pod: dict[str, Any]) -> dict[str, str]:
    """Return the variables that are written out, by name: all but the pod's own address."""
    [container] = pod["containers"]
    return {variable["name"]: variable["value"] for variable in container["env"] if "value" in variable}


def parts_of(values: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    done = helm("template", values, folder)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def secrets_of(values: dict[str, Any], folder: Path) -> dict[str, set[str]]:
    return {
        name: {key.removesuffix("_FILE") for key in variables(pod) if key.endswith("_FILE")}
        for name, pod in pods(parts_of(values, folder))
    }


@pytest.mark.parametrize("values", RENDERED.values(), ids=RENDERED)
def test_helm_lint_finds_nothing_to_fix(values: dict[str, Any], tmp_path: Path) -> None:
    done = helm("lint", values, tmp_path)
    assert done.returncode == 0, done.stdout


def test_every_object_follows_the_kubernetes_schemas(rendered: str, tmp_path: Path) -> None:
    place = write_schemas(tmp_path)
    command = [tool("kubeconform"), "-strict", "-skip", "ScaledObject,PodMonitor", "-schema-location", place]
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
        assert pod["securityContext"]["runAsUser"] == 10001, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & {*pod}, name
        assert {kind for volume in pod["volumes"] for kind in volume} <= {
            *("name", "emptyDir", "secret", "configMap", "persistentVolumeClaim")
        }


def test_secrets_are_files_and_every_variable_is_a_setting(objects: list[dict[str, Any]]) -> None:
    settings = {f"FRAMETALLY_{name.upper()}" for name in Settings.model_fields}
    for name, pod in pods(objects):
        own = variables(pod)
        mounted = {
            f"/run/secrets/frametally/{item['path']}"
            for volume in pod["volumes"]
            for item in volume.get("secret", {}).get("items", ())
        }
        files = {value for key, value in own.items() if key.endswith("_FILE")}
        assert files - {"/ca/ca.pem"} == mounted, name
        assert {key if key in settings else key.removesuffix("_FILE") for key in own} <= settings, name
        assert not {key for key in own if key.endswith(("PASSWORD", "SECRET", "SECRET_KEY"))}, name


def test_every_stage_has_probes_and_the_setup_runs_first(objects: list[dict[str, Any]]) -> None:
    for name, pod in pods(objects):
        [container] = pod["containers"]
        probes = {key for key in container if key.endswith("Probe")}
        once = name in ("setup", "retention", "backup")
        assert probes == (set() if once else {"startupProbe", "livenessProbe", "readinessProbe"})
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


def test_consumers_scale_with_the_backlog_and_never_beyond_the_partitions(tmp_path: Path) -> None:
    objects = [one for one in yaml.safe_load_all(helm("template", WHOLE, tmp_path).stdout) if one]
    [scaled] = [one for one in objects if one["kind"] == "ScaledObject"]
    target = scaled["spec"]["scaleTargetRef"]["name"]
    [consumer] = [one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == target]
    assert "replicas" not in consumer["spec"]  # otherwise each upgrade would undo KEDA's settings
    assert variables(consumer["spec"]["template"]["spec"])["FRAMETALLY_LOG_PARTITIONS"] == str(
        scaled["spec"]["maxReplicaCount"]
    )
    # Of this release alone, by labels that a PodMonitor gives, which asks every pod.
    query = 'max(frametally_log_messages_behind{namespace="default",pod=~"counts-dashboard-.+"})'
    assert scaled["spec"]["triggers"][0]["metadata"]["query"] == query
    [monitor] = [one for one in objects if one["kind"] == "PodMonitor"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    ports = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    served = {port["name"] for _, pod in pods(objects) for port in pod["containers"][0].get("ports", ())}
    assert ports == served
    for one in objects:
        if one["kind"] == "Deployment":
            annotations = one["spec"]["template"]["metadata"]["annotations"]
            [port] = one["spec"]["template"]["spec"]["containers"][0]["ports"]
            assert annotations["prometheus.io/port"] == str(port["containerPort"])


def test_the_ingress_asks_the_sign_in_proxy_and_only_the_dashboard_trusts_its_answer(tmp_path: Path) -> None:
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
    unasked = helm("template", KEYED | {"ingress": proxy}, tmp_path)
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


def test_the_chart_has_the_version_that_it_runs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((STACK.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chart["appVersion"] == project["version"]
    assert chart["version"] == project["version"].replace(".dev", "-dev")


@pytest.mark.parametrize("name", URLS)
def test_a_missing_address_is_named(name: str, tmp_path: Path) -> None:
    done = helm("template", {"settings": URLS | {name: ""}}, tmp_path)
    assert done.returncode != 0
    assert done.stderr.count(f"at '/settings/{name}': '' does not match") == 1
    lint = helm("lint", {}, tmp_path)
    assert lint.returncode != 0
    assert f"at '/settings/{name}': '' does not match" in lint.stdout + lint.stderr


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"ingres": {"enabled": True}}, "'ingres'"),
        ({"services": {"dashboard": {"replica": 3}}}, "'replica'"),
        ({"workers": {"metadata": 2}}, "'metadata'"),
        ({"pod": {"nodeselector": {}}}, "'nodeselector'"),
        ({"settings": {**URLS, "STORE_URL": "s3://counts"}}, "'STORE_URL'"),
        ({"services": {"consumer": {"servers": ["database"]}}}, "/services/consumer/servers/0"),
    ],
)
def test_a_misspelt_value_is_named(values: dict[str, Any], named: str, tmp_path: Path) -> None:
    done = helm("template", KEYED | values, tmp_path)
    assert done.returncode != 0
    assert named in done.stderr


STORE, LOG, INDEX, LEDGER, GOLD, QUEUE, BACKUP, PROXY = (
    f"FRAMETALLY_{name}"
    for name in (
        *("STORE_SECRET_KEY", "LOG_PASSWORD", "INDEX_PASSWORD", "LEDGER_PASSWORD", "GOLD_PASSWORD"),
        *("QUEUE_PASSWORD", "BACKUP_KEY", "PROXY_SECRET"),
    )
)


def test_each_pod_gets_only_the_passwords_of_its_own_servers(tmp_path: Path) -> None:
    seen = secrets_of(WHOLE, tmp_path)
    for name in ("consumer", "consumer-live"):  # they decode what strangers filmed
        assert seen[name] - {"FRAMETALLY_CA"} == {STORE, LOG}, name
    assert seen["live-worker"] - {"FRAMETALLY_CA"} == {STORE, LOG, LEDGER}
    assert {name for name, keys in seen.items() if GOLD in keys} == {
        *("setup", "indexer", "dashboard", "worker-media")
    }
    workers = {name for name in seen if name.startswith("worker-")}
    assert {name for name, keys in seen.items() if QUEUE in keys} == {"setup", "dashboard", *workers}
    assert {name for name, keys in seen.items() if BACKUP in keys} == {"backup"}
    assert {name for name, keys in seen.items() if PROXY in keys} == {"dashboard"}
    assert seen["retention"] - {"FRAMETALLY_CA"} == {STORE, LEDGER}


def test_a_key_is_required_only_for_what_is_configured(tmp_path: Path) -> None:
    assert set.union(*secrets_of(KEYED, tmp_path).values()) == {STORE, LOG, INDEX, LEDGER, BACKUP}
    bare = {
        "settings": {
            **URLS,
            "FRAMETALLY_LOG_USER": "",
            "FRAMETALLY_INDEX_USER": "",
            "FRAMETALLY_LEDGER_URL": "mysql://books",
            "FRAMETALLY_CATALOGUE_URL": "mysql://books",
        },
        "jobs": {"backup": {"secretKeys": []}},
        "pod": {"serviceAccountName": "counts"},
    }
    assert set.union(*secrets_of(bare, tmp_path).values()) == set()
    assert {pod["serviceAccountName"] for _, pod in pods(parts_of(bare, tmp_path))} == {"counts"}


def test_the_readmes_secret_has_what_the_defaults_require(tmp_path: Path) -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    created = set(re.findall(r"--from-file=(\w+)=", readme))
    assert created == set.union(*secrets_of(KEYED, tmp_path).values())


def test_a_service_can_have_its_own_user_nodes_and_image(tmp_path: Path) -> None:
    own = {
        "settings": {"FRAMETALLY_LOG_USER": "consumer"},
        "secretName": "of-consumers",
        "image": "registry.example.org/frametally-gpu:1",
        "pod": {"nodeSelector": {"gpu": "yes"}},
    }
    values = WHOLE | {"services": {"consumer": own}, "worker": {"secretName": "of-workers"}}
    by_name = dict(pods(parts_of(values, tmp_path)))
    secrets = {
        name: volume["secret"]["secretName"]
        for name, pod in by_name.items()
        for volume in pod["volumes"]
        if "secret" in volume
    }
    assert secrets["consumer"] == "of-consumers"
    assert secrets["worker-frames"] == "of-workers"
    assert secrets["indexer"] == "frametally"
    consumer = by_name["consumer"]
    assert variables(consumer)["FRAMETALLY_LOG_USER"] == "consumer"
    assert consumer["containers"][0]["image"] == "registry.example.org/frametally-gpu:1"
    assert consumer["nodeSelector"] == {"gpu": "yes", "pool": "video"}
    assert by_name["consumer-live"]["nodeSelector"] == {"pool": "video"}
    for pod in by_name.values():
        assert pod["serviceAccountName"] == "frametally"
        assert pod["tolerations"] == ROLE["tolerations"]
        assert {"name": "ca", "configMap": {"name": "our-ca"}} in pod["volumes"]
        assert {"name": "ca", "mountPath": "/ca", "readOnly": True} in pod["containers"][0]["volumeMounts"]
    shared = {name for name, pod in by_name.items() if "FRAMETALLY_MODELS_DIR" in variables(pod)}
    assert shared == {"consumer", "consumer-live", "live-worker", *(f"worker-{queue}" for queue in QUEUES)}
    assert {"name": "models", "persistentVolumeClaim": {"claimName": "models"}} in consumer["volumes"]


def test_a_cluster_may_choose_the_user(tmp_path: Path) -> None:
    nobody = {"securityContext": dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"))}
    for name, pod in pods(parts_of(KEYED | {"pod": nobody}, tmp_path)):
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }, name


def test_retention_and_backups_run_automatically_in_a_cluster(tmp_path: Path) -> None:
    jobs = [one for one in parts_of(KEYED, tmp_path) if one["kind"] == "CronJob"]
    commands = {
        one["spec"]["schedule"]: pod["containers"][0]["command"] for one in jobs for _, pod in pods([one])
    }
    assert commands == {
        "45 * * * *": ["frametally", "retention", "apply"],
        "15 1 * * *": ["frametally", "backup"],
    }
    assert {one["spec"]["concurrencyPolicy"] for one in jobs} == {"Forbid"}
    without = KEYED | {"jobs": {"retention": {"schedule": ""}}}
    assert [one["metadata"]["name"] for one in parts_of(without, tmp_path) if one["kind"] == "CronJob"] == [
        "counts-backup"
    ]


def test_mail_and_mqtt_messages_leave_from_the_pods_that_send_them(tmp_path: Path) -> None:
    objects = parts_of(KEYED, tmp_path)
    [policy] = [
        one["spec"]
        for one in objects
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] == "counts-messages"
    ]
    [selected] = policy["podSelector"]["matchExpressions"]
    senders = set(selected["values"])
    assert {"alerts", "dashboard", "worker-frames"} <= senders <= {name for name, _ in pods(objects)}
    assert "consumer" not in senders
    [rule] = policy["egress"]
    assert {port["port"] for port in rule["ports"]} == {25, 465, 587, 1883, 8883}


def test_a_release_name_too_long_for_the_names_of_its_parts_is_refused(tmp_path: Path) -> None:
    longest = helm("template", EVERYTHING, tmp_path, release="x" * 36)
    names = [one["metadata"]["name"] for one in yaml.safe_load_all(longest.stdout) if one]
    assert max(map(len, names)) == 63
    longer = helm("template", EVERYTHING, tmp_path, release="x" * 37)
    assert longer.returncode != 0
    assert "has 37 characters: give at most 36" in longer.stderr
