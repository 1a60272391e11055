"""Apache Hadoop: HDFS, YARN and the job history on one node, in a network namespace of its own.

Hadoop cannot be kept to the loopback address by settings (the shuffle and every application master listen on
all), so its daemons see a network that is nothing but their own `lo`. `bin/hadoop` and `bin/in_ns` enter it
by themselves; `hadoop_relay.py` leads from in there to a server out here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import zipfile
from pathlib import Path

from serving.downloads import debian, maven_jars
from serving.place import Place
from serving.processes import Process

VERSION = "3.4.2"
# The NodeManager logs "Shutting down" at once, and continues for ten seconds.
STOP_WITHIN_S = 4.0
_ARTIFACTS = (
    "hadoop-streaming",
    "hadoop-client",
    "hadoop-hdfs",
    "hadoop-yarn-server-resourcemanager",
    "hadoop-yarn-server-nodemanager",
    "hadoop-yarn-server-timelineservice",  # the ResourceManager does not start without it
    "hadoop-mapreduce-client-app",
    "hadoop-mapreduce-client-shuffle",
    "hadoop-mapreduce-client-hs",
)
_POM = "<dependencies>{}</dependencies>".format(
    "".join(
        f"<dependency><groupId>org.apache.hadoop</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{VERSION}</version></dependency>"
        for artifact in _ARTIFACTS
    )
)
_OPENS = "--add-opens=java.base/java.lang=ALL-UNNAMED"
_JVM = f"-XX:+UseSerialGC -XX:TieredStopAtLevel=1 {_OPENS}"

_SITES = {
    "core-site": """
fs.defaultFS hdfs://127.0.0.1:18020
hadoop.tmp.dir {folder}/data/tmp
hadoop.http.staticuser.user hadoop
""",
    "hdfs-site": """
dfs.replication 1
dfs.namenode.name.dir file://{folder}/data/nn
dfs.datanode.data.dir file://{folder}/data/dn
dfs.namenode.rpc-address 127.0.0.1:18020
dfs.namenode.rpc-bind-host 127.0.0.1
dfs.namenode.http-address 127.0.0.1:19870
dfs.namenode.http-bind-host 127.0.0.1
dfs.namenode.secondary.http-address 127.0.0.1:19868
dfs.datanode.address 127.0.0.1:19866
dfs.datanode.http.address 127.0.0.1:19864
dfs.datanode.ipc.address 127.0.0.1:19867
dfs.namenode.datanode.registration.ip-hostname-check false
dfs.namenode.safemode.extension 0
dfs.namenode.accesstime.precision 0
dfs.datanode.du.reserved 0
dfs.permissions.enabled false
""",
    "yarn-site": """
yarn.resourcemanager.hostname 127.0.0.1
yarn.resourcemanager.bind-host 127.0.0.1
yarn.resourcemanager.address 127.0.0.1:18032
yarn.resourcemanager.scheduler.address 127.0.0.1:18030
yarn.resourcemanager.resource-tracker.address 127.0.0.1:18031
yarn.resourcemanager.admin.address 127.0.0.1:18033
yarn.resourcemanager.webapp.address 127.0.0.1:18088
yarn.resourcemanager.nodemanagers.heartbeat-interval-ms 100
yarn.resourcemanager.nodemanagers.heartbeat-interval-min-ms 100
yarn.resourcemanager.nodemanagers.heartbeat-interval-max-ms 200
yarn.nm.liveness-monitor.expiry-interval-ms 5000
yarn.resourcemanager.nm.liveness-monitor.interval-ms 500
yarn.nodemanager.hostname 127.0.0.1
yarn.nodemanager.bind-host 127.0.0.1
yarn.nodemanager.address 127.0.0.1:18041
yarn.nodemanager.localizer.address 127.0.0.1:18040
yarn.nodemanager.collector-service.address 127.0.0.1:18048
yarn.nodemanager.webapp.address 127.0.0.1:18042
yarn.nodemanager.aux-services mapreduce_shuffle
yarn.nodemanager.aux-services.mapreduce_shuffle.class org.apache.hadoop.mapred.ShuffleHandler
yarn.nodemanager.local-dirs {folder}/data/nm-local
yarn.nodemanager.log-dirs {folder}/logs/userlogs
yarn.nodemanager.resource.memory-mb 4096
yarn.nodemanager.resource.cpu-vcores 4
yarn.nodemanager.vmem-check-enabled false
yarn.nodemanager.pmem-check-enabled false
yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage 100
yarn.nodemanager.env-whitelist JAVA_HOME,HADOOP_CONF_DIR,PATH,LANG,TZ
yarn.nodemanager.delete.debug-delay-sec 0
yarn.scheduler.minimum-allocation-mb 128
yarn.scheduler.maximum-allocation-mb 2048
yarn.application.classpath {folder}/conf,{lib}/*
yarn.log-aggregation-enable false
yarn.client.application-client-protocol.poll-interval-ms 100
""",
    "mapred-site": """
mapreduce.framework.name yarn
mapreduce.application.classpath {folder}/conf,{lib}/*
mapreduce.shuffle.port 13562
mapreduce.jobhistory.address 127.0.0.1:18010
mapreduce.jobhistory.webapp.address 127.0.0.1:18019
mapreduce.jobhistory.admin.address 127.0.0.1:18011
mapreduce.jobhistory.bind-host 127.0.0.1
mapreduce.jobhistory.jhist.format json
yarn.app.mapreduce.am.resource.mb 384
yarn.app.mapreduce.am.command-opts -Xmx200m {jvm}
yarn.app.mapreduce.am.scheduler.heartbeat.interval-ms 100
mapreduce.map.memory.mb 384
mapreduce.map.java.opts -Xmx200m {jvm}
mapreduce.reduce.memory.mb 384
mapreduce.reduce.java.opts -Xmx200m {jvm}
mapreduce.task.io.sort.mb 50
mapreduce.map.speculative false
mapreduce.reduce.speculative false
mapreduce.job.ubertask.enable false
mapreduce.client.completion.pollinterval 300
mapreduce.client.progressmonitor.pollinterval 300
mapreduce.client.submit.file.replication 1
""",
    "capacity-scheduler": """
yarn.scheduler.capacity.root.queues default
yarn.scheduler.capacity.root.default.capacity 100
yarn.scheduler.capacity.root.default.state RUNNING
yarn.scheduler.capacity.maximum-am-resource-percent 0.5
""",
}
_LOG4J = """
log4j.logger.org.apache.hadoop.util.NativeCodeLoader=ERROR
log4j.rootLogger=${hadoop.root.logger}
hadoop.root.logger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{yy/MM/dd HH:mm:ss} %p %c{2}: %m%n
"""
_IN_NS = """#!/bin/bash
# Runs a command inside Hadoop's network namespace.
holder=$(cat "{folder}/holder.pid")
if [ "$(readlink /proc/self/ns/net)" = "$(readlink "/proc/$holder/ns/net")" ]; then exec "$@"; fi
exec nsenter --target "$holder" {enter} -- "$@"
"""
_HADOOP = """#!/bin/bash
# A thin `hadoop`: version | fs | dfs | jar. Commands on files start from an archive of loaded classes, in
# half of the time; Java takes one only with a class path of jars, so the settings are in one, too.
set -e
export HADOOP_USER_NAME="${{HADOOP_USER_NAME:-hadoop}}" HADOOP_CONF_DIR="{folder}/conf"
export JAVA_HOME="{java_home}" CLASSPATH="{folder}/conf.jar:{lib}/*"
archive=-XX:SharedArchiveFile={folder}/fs.jsa
[ -e "{folder}/fs.jsa" ] || archive="-XX:ArchiveClassesAtExit={folder}/fs.jsa -Xlog:disable"
command=${{1:?}}; shift
case $command in
  version) class=org.apache.hadoop.util.VersionInfo archive=;;
  fs|dfs)  class=org.apache.hadoop.fs.FsShell;;
  jar)     class=org.apache.hadoop.util.RunJar archive=;;
  *) echo "hadoop: unknown command $command" >&2; exit 1;;
esac
exec "{folder}/bin/in_ns" "{java_home}/bin/java" -Xmx256m {jvm} $archive $class "$@"
"""
_DAEMONS = {
    "namenode": (256, "org.apache.hadoop.hdfs.server.namenode.NameNode"),
    "datanode": (256, "org.apache.hadoop.hdfs.server.datanode.DataNode"),
    "resourcemanager": (384, "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager"),
    "nodemanager": (256, "org.apache.hadoop.yarn.server.nodemanager.NodeManager"),
    "jobhistory": (256, "org.apache.hadoop.mapreduce.v2.hs.JobHistoryServer"),
}
_READY = {
    "http://127.0.0.1:19870/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState": (
        '"FSState" : "Operational"',
        '"NumLiveDataNodes" : 1',
    ),
    "http://127.0.0.1:18088/ws/v1/cluster/metrics": ('"activeNodes":1',),
    "http://127.0.0.1:18019/ws/v1/history/info": ("hadoopVersion",),
}


def start(place: Place) -> dict[str, str]:
    """Start the five daemons, and the process that holds their namespace."""
    lib = install(place.cache)
    java_home = Path(shutil.which("java") or "java").resolve().parents[1]
    folder = place.folder
    _configure(folder, lib, java_home)
    if not (folder / "lib").exists():
        (folder / "lib").symlink_to(lib)  # where jobs search for the streaming jar
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    holder = place.spawn(
        [*unshare, "bash", "-c", "ip link set lo up && exec sleep infinity"], label="namespace"
    )
    (folder / "holder.pid").write_text(str(holder.pid), encoding="utf-8")
    in_ns = folder / "bin" / "in_ns"
    place.wait_until(
        lambda: "UP" in place.run([in_ns, "ip", "-o", "link", "show", "lo"]) and _is_apart(holder.pid),
        process=holder,
        timeout_s=10,
    )
    java = [in_ns, java_home / "bin" / "java", *_JVM.split(), f"-Dhadoop.log.dir={folder / 'logs'}"]
    path = ["-cp", f"{folder / 'conf'}:{lib}/*"]
    # mrjob finds a history file only if the user in its name is "hadoop".
    environment = {"HADOOP_CONF_DIR": str(folder / "conf"), "HADOOP_USER_NAME": "hadoop"}
    if not (folder / "data" / "nn" / "current").is_dir():
        namenode = _DAEMONS["namenode"][1]
        place.run([*java, "-Xmx256m", *path, namenode, "-format", "-nonInteractive"], env=environment)
    for label in _DAEMONS:
        start_daemon(place, label)
    for url, words in _READY.items():
        place.wait_until(
            lambda url=url, words=words: _says(place, in_ns, url, words),  # type: ignore[misc]
            process=_process(place, "resourcemanager"),
            timeout_s=120,
        )
    # As on any cluster, which lets the first job find it.
    place.run([folder / "bin" / "hadoop", "fs", "-mkdir", "-p", "hdfs:///tmp"])
    return {
        # No process outside can connect to it, so it names no port.
        "FRAMETALLY_TEST_HADOOP_URL": "hdfs://namespace",
        "FRAMETALLY_TEST_HADOOP_FOLDER": str(folder),
        "FRAMETALLY_TEST_HADOOP_BIN": str(folder / "bin" / "hadoop"),
        "FRAMETALLY_TEST_HADOOP_IN_NS": str(in_ns),
    }


def install(cache: Path) -> Path:
    """Install Java and a few commands, and the folder with Hadoop's jars."""
    debian("java", ["default-jre-headless"])
    for command, package in (("unshare", "util-linux"), ("ip", "iproute2"), ("curl", "curl")):
        debian(command, [package])
    return maven_jars(cache, f"hadoop-{VERSION}", _POM)


def start_daemon(place: Place, label: str) -> Process:
    """Start one of the daemons, including one that a test has killed."""
    folder = place.folder
    lib = maven_jars(place.cache, f"hadoop-{VERSION}", _POM)
    java = Path(shutil.which("java") or "java").resolve()
    heap_mb, main = _DAEMONS[label]
    options = [f"-Dhadoop.log.dir={folder / 'logs'}", "-cp", f"{folder / 'conf'}:{lib}/*"]
    return place.spawn(
        [folder / "bin" / "in_ns", java, f"-Xmx{heap_mb}m", *_JVM.split(), *options, main],
        label=label,
        env={"HADOOP_CONF_DIR": str(folder / "conf"), "HADOOP_USER_NAME": "hadoop"},
    )


def stop(place: Place) -> None:
    """Kill the NodeManager first, then the containers that it leaves behind."""
    alive = {process.label: process for process in place.processes if process.alive}
    if "nodemanager" in alive:
        os.kill(alive["nodemanager"].pid, signal.SIGKILL)
    if "namespace" in alive and _is_apart(alive["namespace"].pid):
        for pid in containers(alive["namespace"].pid):
            os.kill(pid, signal.SIGKILL)


def containers(holder_pid: int) -> list[int]:
    """Pids of YARN's containers in the namespace of that process."""
    namespace = Path(f"/proc/{holder_pid}/ns/net").readlink()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = (process / "ns" / "net").readlink() == namespace
            if inside and b"\0CONTAINER_ID=" in b"\0" + (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def _configure(folder: Path, lib: Path, java_home: Path) -> None:
    for name in (
        "bin",
        "conf",
        "logs/userlogs",
        *(f"conf/webapps/{one}" for one in ("hdfs", "datanode", "static")),
    ):
        (folder / name).mkdir(parents=True, exist_ok=True)  # the daemons require webapps/, which may be empty
    values = {"folder": folder, "lib": lib, "jvm": _JVM, "java_home": java_home}
    for name, text in _SITES.items():
        pairs = [line.split(" ", 1) for line in text.format(**values).splitlines() if line]
        body = "".join(
            f"<property><name>{key}</name><value>{value}</value></property>" for key, value in pairs
        )
        site = f'<?xml version="1.0"?><configuration>{body}</configuration>\n'
        (folder / "conf" / f"{name}.xml").write_text(site, encoding="utf-8")
    (folder / "conf" / "log4j.properties").write_text(_LOG4J, encoding="utf-8")
    (folder / "fs.jsa").unlink(missing_ok=True)  # it only works for one class path
    with zipfile.ZipFile(folder / "conf.jar", "w") as jar:
        for path in (folder / "conf").iterdir():
            if path.is_file():
                jar.write(path, path.name)
    enter = "--net" if os.geteuid() == 0 else "--user --preserve-credentials --net"
    for name, text in (("in_ns", _IN_NS), ("hadoop", _HADOOP)):
        script = folder / "bin" / name
        script.write_text(text.format(enter=enter, **values), encoding="utf-8")
        script.chmod(0o755)


def _process(place: Place, label: str) -> Process:
    return next(process for process in place.processes if process.label == label)


def _is_apart(pid: int) -> bool:
    return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def _says(place: Place, in_ns: Path, url: str, words: tuple[str, ...]) -> bool:
    done = subprocess.run([in_ns, "curl", "-s", "-m", "3", url], capture_output=True, text=True, check=False)
    return all(word in done.stdout for word in words)
