"""Processes that are told to stop, that hang or that die end as promised, and nothing is lost."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.examples import first_quick
from tests.faults.conftest import Deploy, Deployment, Stage, assert_chains, detected, write_pictures
from tests.kit.processes import children_of, cpu_s, is_running
from tests.kit.waiting import until

from frametally.segments.contents import list_segments, read_segment

sys.path.insert(0, str(Path(__file__).parent))
try:
    from make_corpus import slow_frames
finally:
    sys.path.pop(0)


PICTURES = ("--time-pattern", "cam_%Y%m%d_%H%M%S")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "gate", range(120))
    return tmp_path / "gate"


def segments(deployment: Deployment) -> dict[str, bytes]:
    with closing(deployment.store()) as store:
        return {key: store.get(key) for key in list_segments(store)}


def frames_found(stage: Stage) -> int:
    return int(re.search(r"detections: (\d+) frames", stage.output.read_text())[1])


def test_sigterm_ends_with_0_and_a_second_start_repeats_nothing(deploy: Deploy, pictures: Path) -> None:
    deployment = deploy("one", FRAMETALLY_BATCH_FRAMES="5", FAULTS_JITTER_S="0")
    deployment.run("produce", *PICTURES, pictures)
    first = deployment.start("consume", FAULTS_JITTER_S="0.05")
    until(lambda: len(segments(deployment)) > 3, "some segments")
    first.send(signal.SIGTERM)
    assert first.wait(60) == 0, first.output.read_text()
    before = segments(deployment)
    second = deployment.run("consume", "--until-caught-up")
    assert frames_found(first) + frames_found(second) == 120
    assert before.items() <= segments(deployment).items()
    with closing(deployment.store()) as store, closing(deployment.log()) as log:
        assert len(detected(store)) == 120
        assert_chains(store, log.end_offsets("frames"))
    third = deployment.run("consume", "--until-caught-up")
    assert frames_found(third) == 0


INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background ignores it
from frametally_cli.starting import main
class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["frametally", "quality", "--data-dir", "{folder}"]
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["frametally_cli.main", "frametally_cli.commands.status_report"])
def test_ctrl_c_while_a_command_is_imported_ends_it_without_a_traceback(tmp_path: Path, module: str) -> None:
    code = INTERRUPTED.format(module=module, folder=tmp_path)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_ctrl_c_in_a_command_is_one_line(tmp_path: Path) -> None:
    code = INTERRUPTED.format(module="frametally.adapters.files.folder_store", folder=tmp_path)
    (tmp_path / "store").mkdir()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr.strip() == "stopped; run the same command to continue"


def test_sigterm_while_the_model_is_loading_ends_at_once_and_loses_nothing(
    deploy: Deploy, pictures: Path
) -> None:
    deployment = deploy("loading", FAULTS_JITTER_S="0")
    deployment.run("produce", *PICTURES, pictures)
    loading = deployment.start("consume", FAULTS_LOADING_S="600")
    until(lambda: loading.output.with_suffix(".loading").exists(), "the model is being loaded")
    loading.send(signal.SIGTERM)
    assert loading.wait(60) in (-signal.SIGTERM, 128 + signal.SIGTERM)  # to `up`, as good as 0
    deployment.run("consume", "--until-caught-up")
    with closing(deployment.store()) as store:
        assert len(detected(store)) == 120


@pytest.mark.thorough
def test_sigterm_during_a_detection_that_takes_too_long_ends_with_0_within_10_s(
    deploy: Deploy, pictures: Path
) -> None:
    deployment = deploy("slow", FAULTS_JITTER_S="0")
    deployment.run("produce", *PICTURES, pictures)
    slow = deployment.start("consume", FAULTS_DETECTION_S="60")
    until(lambda: slow.output.with_suffix(".detecting").exists(), "the detector is at work")
    slow.send(signal.SIGTERM)
    assert slow.wait(10) == 0, slow.output.read_text()
    assert segments(deployment) == {}
    deployment.run("consume", "--until-caught-up")
    with closing(deployment.store()) as store:
        assert len(detected(store)) == 120


@pytest.mark.parametrize("command", first_quick([["run", "--no-serve"], ["consume", "--until-caught-up"]]))
def test_a_detection_stopped_before_its_end_says_so_and_ends_with_130(
    deploy: Deploy, pictures: Path, command: list[str]
) -> None:
    deployment = deploy("cut", FAULTS_JITTER_S="0")
    deployment.run("produce", *PICTURES, pictures)
    footage = [*PICTURES, pictures] if command[0] == "run" else []
    # It gives up the detection at once; a user's waits some seconds for it.
    slow = deployment.start(*command, *footage, FAULTS_DETECTION_S="60", FAULTS_STOP_WITHIN_S="0.5")
    until(lambda: slow.output.with_suffix(".detecting").exists(), "the detector is at work")
    slow.send(signal.SIGINT)
    assert slow.wait(45) == 130, slow.output.read_text()  # a detection takes 60 s
    assert slow.output.read_text().count("stopped; run the same command to continue") == 1


@pytest.mark.parametrize("number", first_quick([signal.SIGINT, signal.SIGTERM]))
def test_a_stop_takes_effect_while_a_video_decodes_for_minutes(
    deploy: Deploy, tmp_path: Path, number: signal.Signals
) -> None:
    slow = tmp_path / "gate" / "slow.avi"
    slow.parent.mkdir()
    slow.write_bytes(slow_frames(20_000))
    deployment = deploy("deaf")
    producer = deployment.start("produce", slow)
    said = producer.output
    until((deployment.data_dir / "seen-files.sqlite").exists, "the file is about to be decoded")
    pid = producer.process.pid
    assert pid is not None
    read_s = cpu_s(pid)
    until(lambda: cpu_s(pid) > read_s + 0.5, "the file is being decoded")
    producer.send(number)
    # A limit to detect hangs: the frame takes minutes, ending takes a second unless the machine is busy.
    assert producer.wait(60) == 130, said.read_text()
    assert "run the same command to continue" in said.read_text()


@pytest.mark.thorough
def test_a_consumer_suspended_past_its_lease_wakes_up_and_does_no_harm(
    deploy: Deploy, pictures: Path
) -> None:
    lease_s = 2.0  # longer than a busy machine may let a running consumer wait between two polls
    deployment = deploy(
        "zombie", FRAMETALLY_BATCH_FRAMES="4", FRAMETALLY_LEASE_S=str(lease_s), FAULTS_JITTER_S="0.02"
    )
    deployment.run("produce", *PICTURES, pictures)
    go = deployment.folder / "go"
    first = deployment.start("consume", FAULTS_HOLD_PUT_UNTIL=str(go))
    until(go.with_name("go.holding").exists, "a put is on its way")
    first.send(signal.SIGSTOP)
    second = deployment.start("consume")
    until(deployment.drained, "the other one has taken over")
    before = segments(deployment)
    go.touch()
    first.send(signal.SIGCONT)
    time.sleep(3 * lease_s)  # it finds its put in the way and its lease gone, and joins again
    assert first.running
    for stage in (first, second):
        stage.send(signal.SIGTERM)
    for stage in (first, second):
        assert stage.wait(60) == 0, stage.output.read_text()
    assert segments(deployment) == before, "no differing object"
    with closing(deployment.store()) as store, closing(deployment.log()) as log:
        assert len(detected(store)) == 120
        assert_chains(store, log.end_offsets("frames"))


@pytest.mark.thorough
def test_workers_share_the_partitions_and_one_that_dies_is_restarted(deploy: Deploy, pictures: Path) -> None:
    deployment = deploy("team", FRAMETALLY_BATCH_FRAMES="4", FRAMETALLY_LEASE_S="1")
    deployment.run("produce", *PICTURES, pictures)
    team = deployment.start("consume", "--workers", 3, FRAMETALLY_FAILPOINT="chain.put:8")
    until(deployment.drained, "the log is drained")
    team.send(signal.SIGTERM)
    assert team.wait(60) == 0, team.output.read_text()
    said = team.output.read_text()
    assert "was killed by SIGKILL" in said
    assert "it starts again in" in said
    with closing(deployment.store()) as store, closing(deployment.log()) as log:
        assert len(detected(store)) == 120
        assert_chains(store, log.end_offsets("frames"))
        assert len({read_segment(store, key).header.partition for key in list_segments(store)}) > 1


@pytest.mark.thorough
def test_workers_that_lose_their_supervisor_end(deploy: Deploy, pictures: Path, tmp_path: Path) -> None:
    deployment = deploy("orphans", FRAMETALLY_LEASE_S="1")
    deployment.run("produce", *PICTURES, pictures)
    team = deployment.start("consume", "--workers", 2)
    until(deployment.drained, "the log is drained")
    assert team.process.pid is not None
    children = children_of(team.process.pid)
    assert len(children) >= 2
    team.kill()
    until(lambda: not any(map(is_running, children)), "the workers have not ended")


@pytest.mark.thorough
def test_workers_that_can_do_nothing_say_so_once_and_end(deploy: Deploy) -> None:
    deployment = deploy("bad", FRAMETALLY_BATCH_FRAMES="4")
    team = deployment.start("consume", "--workers", 2, "--until-caught-up", FRAMETALLY_FAILPOINT="nowhere")
    assert team.wait(30) == 2
    assert "unknown failpoint" in team.output.read_text()
