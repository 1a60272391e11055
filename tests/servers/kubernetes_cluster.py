"""A Kubernetes cluster whose nodes run no containers: etcd, the API server, the controllers, the scheduler.

`python tests/servers/kubernetes_cluster.py` builds them with Go, which takes long. In place of a
kubelet, `Nodes` writes the states of pods: it pulls no image, starts no process and asks no probe.
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme
from serving.downloads import cache_folder, go_module_folder, go_programs
from serving.place import Place, answers
from serving.processes import Process

VERSION = "1.37.2"
KEDA = "github.com/kedacore/keda/v2@v2.17.2"
_ETCD = "go.etcd.io/etcd/server/v3"
_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_STAMP = "k8s.io/component-base/version"
_PASS_S = 0.2

Object = dict[str, Any]


def programs_folder() -> Path:
    """Where the programs lie, if they are built."""
    return cache_folder() / f"kubernetes-{VERSION}"


def build() -> None:
    """Build the programs in a module of its own: that of Kubernetes names parts by missing folders."""
    kubernetes = f"k8s.io/kubernetes@v{VERSION}"
    text = (go_module_folder(kubernetes) / "go.mod").read_text(encoding="utf-8")
    parts = re.findall(r"^\s*(k8s\.io/\S+) => \./staging/", text, re.MULTILINE)
    version = "v0." + VERSION.partition(".")[2]
    module = f"module cluster\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v{VERSION}\n\n"
    module += "".join(f"replace {part} => {part} {version}\n" for part in parts)
    major, minor, _ = VERSION.split(".")
    stamps = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
    link = " ".join(["-s -w", *(f"-X {_STAMP}.{name}={value}" for name, value in stamps.items())])
    packages = [f"k8s.io/kubernetes/cmd/{name}" for name in _PROGRAMS]
    go_programs(cache_folder(), programs_folder().name, module, [*packages, _ETCD], link=link)


class Cluster:
    """A running cluster.

    Attributes:
        kubeconfig: File by which `helm` reaches it, as an administrator.
    """

    def __init__(self, url: str, token: str, authority: Path, kubeconfig: Path) -> None:
        """Nothing is asked yet."""
        self.kubeconfig = kubeconfig
        self._url, self._token = url, token
        self._trust = ssl.create_default_context(cafile=str(authority))

    def ask(
        self, method: str, path: str, body: object = None, *, content: str = "application/json"
    ) -> tuple[int, Object, list[str]]:
        """Ask the API server: status, answer (JSON, or the text under `text`), warnings."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": content},
        )
        try:
            response = urllib.request.urlopen(request, timeout=30, context=self._trust)  # noqa: S310 - our own
        except urllib.error.HTTPError as refusal:
            response = refusal
        with response:
            text = response.read().decode()
            warnings = response.headers.get_all("Warning") or []
        return response.status, json.loads(text) if text.startswith("{") else {"text": text}, warnings

    def objects(self, path: str) -> list[Object]:
        """The objects of a collection, such as `/api/v1/pods`."""
        status, answer, _ = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"{path}: {answer}")
        items: list[Object] = answer["items"]
        return items

    def place_of(self, described: Object, namespace: str) -> str:
        """The path of an object: its kind's collection, as the API server names it, and the object's name."""
        version = described["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        [kind] = [
            kind
            for kind in self.ask("GET", root)[1]["resources"]
            if kind["kind"] == described["kind"] and "/" not in kind["name"]
        ]
        inside = f"/namespaces/{namespace}" if kind["namespaced"] else ""
        return f"{root}{inside}/{kind['name']}/{described['metadata']['name']}"

    def apply(
        self, described: Object, namespace: str = "", *, query: str = ""
    ) -> tuple[int, Object, list[str]]:
        """Apply an object on the server's side; a field that its kind lacks is refused."""
        place = self.place_of(described, namespace)
        path = f"{place}?fieldManager=tests&force=true&fieldValidation=Strict{query}"
        return self.ask("PATCH", path, described, content="application/apply-patch+yaml")


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start a cluster on free ports of 127.0.0.1, and end it.

    Raises:
        ServerFailed: A program ended, or was not ready in time.
    """
    place = Place("kubernetes", folder, cache=cache_folder())
    try:
        yield _start(place)
    finally:
        place.stop()


def _start(place: Place) -> Cluster:
    programs, folder, token = programs_folder(), place.folder, place.secret("administrator")
    authority, keys, signing = folder / "ca.pem", folder / "server.pem", folder / "accounts.pem"
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(authority))
    issuer.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(keys))
    issuer.issue_cert("accounts").private_key_pem.write_to_path(str(signing))
    tokens, kubeconfig = folder / "tokens.csv", folder / "kubeconfig.json"
    for secret in (keys, signing, tokens, kubeconfig):
        secret.touch()
        secret.chmod(0o600)
    tokens.write_text(f"{token},administrator,1,system:masters\n")
    url = f"https://127.0.0.1:{place.port('api')}"
    server = {"server": url, "certificate-authority": str(authority)}
    context = {"cluster": "tests", "user": "administrator"}
    contents = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": server}],
        "users": [{"name": "administrator", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": context}],
        "current-context": "tests",
    }
    kubeconfig.write_text(json.dumps(contents))
    cluster = Cluster(url, token, authority, kubeconfig)

    clients, peers = (f"http://127.0.0.1:{place.port(name)}" for name in ("clients", "peers"))

    def spawn(program: str, **options: object) -> Process:
        flags = (f"--{name.replace('_', '-')}={value}" for name, value in options.items())
        return place.spawn([programs / program, *flags], label=program)

    etcd = spawn(
        "server",
        data_dir=folder / "etcd",
        unsafe_no_fsync="true",
        listen_client_urls=clients,
        advertise_client_urls=clients,
        listen_peer_urls=peers,
        initial_advertise_peer_urls=peers,
        initial_cluster=f"default={peers}",
    )
    place.wait_until(lambda: answers(place.port("clients")), process=etcd)
    api = spawn(
        "kube-apiserver",
        etcd_servers=clients,
        bind_address="127.0.0.1",
        secure_port=place.port("api"),
        tls_cert_file=keys,
        tls_private_key_file=keys,
        authorization_mode="RBAC",
        token_auth_file=tokens,
        service_cluster_ip_range="10.0.0.0/24",
        service_account_issuer="https://kubernetes.default.svc",
        service_account_key_file=signing,
        service_account_signing_key_file=signing,
    )
    place.wait_until(lambda: cluster.ask("GET", "/readyz")[0] == 200, process=api, timeout_s=240)
    works = {"kubeconfig": kubeconfig, "leader_elect": "false", "bind_address": "127.0.0.1"}
    controllers = spawn(
        "kube-controller-manager",
        **works,
        secure_port=place.port("controllers"),
        node_monitor_grace_period="24h",  # nodes give no further sign of life
        use_service_account_credentials="true",
        root_ca_file=authority,
        service_account_private_key_file=signing,
    )
    spawn("kube-scheduler", **works, secure_port=place.port("scheduler"))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    place.wait_until(lambda: cluster.ask("GET", account)[0] == 200, process=controllers, timeout_s=120)
    return cluster


class Nodes:
    """Nodes that only say what a kubelet would: pods that are bound run, those of jobs succeed, others end.

    Attributes:
        started: Names of the components whose pods ran, in the order of their first.
        failing: Components whose containers end with an error.
    """

    def __init__(self, cluster: Cluster, count: int = 3) -> None:
        """Add the nodes, of 4 cores and 8 GiB each."""
        self._cluster, self._end = cluster, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.started: Counter[str] = Counter()
        self.failing: set[str] = set()
        for number in range(count):
            name = f"node-{number}"
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
            size = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}
            ready = [{"type": "Ready", "status": "True", "reason": "Told", "lastHeartbeatTime": None}]
            cluster.apply(node)
            self._write(f"/api/v1/nodes/{name}", {"capacity": size, "allocatable": size, "conditions": ready})

    def __enter__(self) -> Nodes:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; the nodes stay."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(_PASS_S):
            for pod in self._cluster.objects("/api/v1/pods"):
                self._step(pod)

    def _step(self, pod: Object) -> None:
        about, status = pod["metadata"], pod["status"]
        path = f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}"
        if "deletionTimestamp" in about:
            self._cluster.ask("DELETE", path, {"gracePeriodSeconds": 0})
        elif "nodeName" in pod["spec"] and status["phase"] == "Pending":
            component = about.get("labels", {}).get("app.kubernetes.io/component", "")
            self.started[component] += 1
            self._write(path, self._state(pod, component))

    def _state(self, pod: Object, component: str) -> Object:
        fails, once = component in self.failing, pod["spec"]["restartPolicy"] != "Always"
        runs = not fails and not once
        ended = {"terminated": {"exitCode": int(fails), "reason": "Error" if fails else "Completed"}}
        containers = [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": runs,
                "restartCount": 0,
                "state": {"running": {"startedAt": pod["metadata"]["creationTimestamp"]}} if runs else ended,
            }
            for container in pod["spec"]["containers"]
        ]
        conditions = [{"type": kind, "status": str(runs)} for kind in ("Ready", "ContainersReady")]
        phase = ("Failed" if fails else "Succeeded") if once else "Running"
        return {"phase": phase, "conditions": conditions, "containerStatuses": containers}

    def _write(self, path: str, status: Object) -> None:
        content = "application/merge-patch+json"
        answered, answer, _ = self._cluster.ask(
            "PATCH", f"{path}/status", {"status": status}, content=content
        )
        if answered not in (200, 404, 409):
            raise RuntimeError(f"{path}: {answer}")


if __name__ == "__main__":
    build()
    subprocess.run([programs_folder() / "kube-apiserver", "--version"], check=True)
