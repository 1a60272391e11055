"""`frametally api`: every action of the API is a command, with the API's checks, words and audit entries."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from tests.commands import CommandLine, Finished
from tests.examples import first_quick
from tests.kit.processes import run_program

from frametally.actions.endpoints import Endpoint
from frametally.openers.port_openers import open_books
from frametally.settings.loading import load_settings
from frametally.work.family_members import MemberOptions
from frametally_cli.main import cli
from frametally_web.api.endpoints import ALL_ENDPOINTS
from frametally_web.app import close_app, opened_app

SHORT = [endpoint for endpoint in ALL_ENDPOINTS if not endpoint.native]
CLOCKS = {"as_of_ms", "age_s", "at_ms", "now_ms", "read_at_ms", "made_at_ms"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """The command line in a folder with three counted pictures of the source `pics`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMETALLY_DETECTOR", "pixels")
        run = CommandLine(tmp_path_factory.mktemp("actions"))
        (run.folder / "pics").mkdir()
        for second in range(3):
            image = np.zeros((48, 64, 3), np.uint8)
            image[8:30, 4 + second : 26 + second] = 255
            cv2.imwrite(str(run.folder / "pics" / f"still_20260301_1200{second:02d}.jpg"), image)
        run("produce", "pics", "--time-pattern", "still_%Y%m%d_%H%M%S")
        run("consume", "--until-caught-up")
        run("aggregate", "--interval", "60")
        run("index")
        yield run


@pytest.fixture(scope="module")
def client(run: CommandLine) -> Iterator[FlaskClient]:
    """A client of the dashboard over the same data."""
    settings = load_settings("web", data_dir=run.folder / "frametally-data")
    with (
        open_books(settings) as (ports, ledger),
        opened_app(ports, ledger, MemberOptions(alone=True)) as app,
    ):
        yield app.test_client()
        close_app(app)


def without_clocks(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: without_clocks(value) for name, value in document.items() if name not in CLOCKS}
    return [*map(without_clocks, document)] if isinstance(document, list) else document


def of_action(endpoint: Endpoint) -> str:
    return endpoint.name.replace("_", "-")


def error_of(done: Finished) -> str:
    assert (done.code, done.out) == (2, ""), done
    return done.err.removeprefix("error: ").strip()


@pytest.mark.thorough
@pytest.mark.parametrize(
    "endpoint", first_quick([one for one in SHORT if one.method == "GET" and one.answer]), ids=of_action
)
def test_a_command_that_reads_answers_as_the_api_does(
    run: CommandLine, client: FlaskClient, endpoint: Endpoint
) -> None:
    path, query, arguments = endpoint.address, {}, []
    for parameter in endpoint.parameters:
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", parameter.example)
            arguments.append(parameter.example)
        elif parameter.name == "source":
            query["source"] = "pics"
            arguments += ["--source", "pics"]
        elif parameter.required:
            query[parameter.name] = parameter.example
            arguments += [f"--{parameter.name.replace('_', '-')}", parameter.example]
    answer = client.get(path, query_string=query)
    done = run("api", of_action(endpoint), *arguments, code=None)
    if answer.status_code == 200:
        assert without_clocks(json.loads(done.out)) == without_clocks(answer.json)
    else:
        assert error_of(done) == f"{answer.json['detail']} {answer.json['remedy']}"


@pytest.mark.parametrize(
    "endpoint", first_quick([one for one in SHORT if one.method != "GET" and one.body]), ids=of_action
)
def test_a_command_refuses_a_value_in_the_words_of_the_api(
    run: CommandLine, client: FlaskClient, endpoint: Endpoint
) -> None:
    field = next(iter(endpoint.body.__struct_fields__))
    body = run.folder / "body.json"
    body.write_text(json.dumps({field: {"not": "a value"}}))
    names = [parameter for parameter in endpoint.parameters if parameter.place == "path"]
    path = endpoint.address
    for parameter in names:
        path = path.replace(f"{{{parameter.name}}}", parameter.example)
    answer = client.open(path, method=endpoint.method, json=json.loads(body.read_text()))
    assert answer.status_code >= 400 and answer.json is not None
    done = run("api", of_action(endpoint), "--body", body, *(one.example for one in names), code=None)
    assert error_of(done) == f"{answer.json['detail']} {answer.json['remedy']}"


def test_an_unknown_option_is_refused_in_the_words_of_the_api(run: CommandLine, client: FlaskClient) -> None:
    problem = client.get("/api/v1/counts?intervall=60").json
    done = run("api", "counts", "--intervall", "60", code=2)
    assert error_of(done) == f"{problem['detail']} {problem['remedy']}"


def test_every_option_of_an_action_says_what_it_is(run: CommandLine) -> None:
    for endpoint in SHORT:
        text = " ".join(run("api", of_action(endpoint), "--help").out.split())
        assert endpoint.summary in text
        for parameter in endpoint.parameters:
            assert " ".join(parameter.description.split()) in text or parameter.place == "path"


def test_a_change_runs_to_its_end_and_is_in_the_audit_log_as_a_command(run: CommandLine) -> None:
    done = json.loads(
        run("api", "change-footage", "--what", "rename", "--source", "pics", "--name", "B 1").out
    )
    assert done["state"] == "done" and done["changed"]["source"] == "b-1"
    [entry] = [
        entry
        for entry in json.loads(run("api", "audit").out)["changes"]
        if entry["what"] == "POST /api/footage/changes" and entry["status"] == 202
    ]
    assert entry["who"].startswith("(command) ") and entry["origin"] == "command line"
    run("api", "change-footage", "--what", "rename", "--source", "b-1", "--name", "pics")


@pytest.mark.thorough
def test_a_measurement_of_models_ends_before_its_command(run: CommandLine) -> None:
    measured = json.loads(run("api", "measure-presets").out)
    assert (measured["what"], measured["state"]) == ("measure", "done")
    assert all(line.endswith(" ms of CPU time for a picture.") for line in measured["lines"])


@pytest.mark.thorough
def test_a_change_that_leaves_something_alone_gives_the_exit_code_6(run: CommandLine, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "copy")
    run = CommandLine(tmp_path / "copy")
    cv2.imwrite(str(run.folder / "pics" / "still_20260301_120100.jpg"), np.zeros((48, 64, 3), np.uint8))
    run("produce", "pics", "--time-pattern", "still_%Y%m%d_%H%M%S")
    [picture] = (run.folder / "frametally-data" / "store" / "images").rglob("1772366460000-*")
    picture.unlink()
    run("consume", "--until-caught-up", code=6)
    done = run("api", "change-letters", "--what", "replay", "--cause", "missing", code=6)
    assert len(json.loads(done.out)["left_alone"]) == 1


def test_a_change_that_fails_gives_the_exit_code_2(run: CommandLine) -> None:
    assert "No footage from source 'nobody'" in error_of(
        run("api", "change-footage", "--what", "rename", "--source", "nobody", "--name", "B 1", code=None)
    )


def test_accounts_do_not_close_the_command_line_and_their_links_have_the_dashboards_address(
    run: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(run.folder, tmp_path / "copy")
    run = CommandLine(tmp_path / "copy")
    monkeypatch.setenv("FRAMETALLY_WEB_URL", "https://count.example.org")
    made = json.loads(run("api", "post-account", "--name", "anna", "--role", "run").out)
    assert made["link"].startswith("https://count.example.org/sign-in/once/")
    assert [one["name"] for one in json.loads(run("api", "accounts").out)["accounts"]] == ["anna"]
    assert "last account" in error_of(run("api", "delete-account", "anna", code=None))


def test_an_answer_that_is_a_file_goes_to_a_file_or_to_standard_output(
    run: CommandLine, client: FlaskClient
) -> None:
    table = client.get("/api/v1/export").data
    assert run("api", "export").out.encode() == table
    run("api", "export", "--output", "counts.csv")
    assert (run.folder / "counts.csv").read_bytes() == table


@pytest.mark.parametrize("text", ["{", "[1]", '"a"'])
def test_a_body_that_is_not_an_object_is_refused_by_its_files_name(run: CommandLine, text: str) -> None:
    (run.folder / "wrong.json").write_text(text)
    assert "wrong.json is not a JSON object" in error_of(
        run("api", "post-hold", "--body", run.folder / "wrong.json", code=None)
    )


JSON_OF = {
    "accuracy list": ("", "accuracy"),
    "alerts list": ("", "alerts"),
    "alerts log": ("--failed --limit 9", "alerts/messages?state=failed&limit=9"),
    "audit list": ("--what api --limit 2", "audit?what=api&limit=2"),
    "history": (
        "--from 2026-03-01 --source pics --interval 60",
        "history?from=2026-03-01&to=2026-03-02&source=pics&base=60",
    ),
    "retention show": ("", "retention"),
}
"""Options of commands, and the path of the action whose answer they print with `--json`."""
OWN_JSON = {
    "accuracy next": "it reserves nothing",
    "accuracy result": "it compares any two checks",
    "accuracy start": "it prints the check as it is stored",
    "aggregate": "a plan of the job",
    "compare": "no action lists the bars that differ",
    "dead-letters list": "it has the IDs that `replay` and `drop` take, and those of all models",
    "doctor": "it also asks servers, which the dashboard may not",
    "explain": "every frame of the bar, not a page, and whether they add up to it",
    "live discover": "it has the addresses, which the dashboard must not show",
    "media arrivals": "no action lists the videos that wait for a layer",
    "models count": "progress, a line each",
    "models list": "it measures each model now",
    "privacy erase": "no action erases",
    "privacy report": "no action makes it",
    "privacy show": "no action shows it",
    "lines list": "drawings of all sources",
    "quality": "every day's report, not the latest ones",
    "retention apply": "its plan of all rules",
    "status": "it has the exit code, and does without the dashboard's other numbers",
}
"""Commands whose `--json` is no action's answer, with the reason."""


def with_json(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group) and name != "api":
            yield from with_json(command, (*path, name))
        elif command is not None and any("--json" in parameter.opts for parameter in command.params):
            yield " ".join((*path, name))


def test_each_command_prints_the_answer_of_an_action_as_json_or_has_a_reason_not_to() -> None:
    assert sorted(with_json()) == sorted([*JSON_OF, *OWN_JSON])


@pytest.mark.parametrize("command", JSON_OF)
def test_json_of_a_command_is_the_answer_of_the_api(
    run: CommandLine, client: FlaskClient, command: str
) -> None:
    options, path = JSON_OF[command]
    printed = json.loads(run(*command.split(), *options.split(), "--json").out)
    assert without_clocks(printed) == without_clocks(client.get(f"/api/v1/{path}").json)


WITHOUT_WEB = """
import sys
absent = {"a2wsgi", "argon2", "brotli", "flask", "jinja2", "markupsafe", "starlette", "uvicorn", "werkzeug"}
class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Absent)
from frametally_cli.main import main
assert main(["api", "retention", "--data-dir", sys.argv[1]]) == 0
imported = {"frametally_traffic.line_counts.routes", "frametally_web.app", "numpy"} & sys.modules.keys()
assert not imported, imported
absent |= {"PIL", "cv2"}
assert main(["alerts", "list", "--data-dir", sys.argv[1]]) == 0
assert main(["api", "gap", "--data-dir", sys.argv[1]]) == 2
assert main(["api", "--help"]) == 0
"""


def test_a_command_imports_only_what_its_action_needs_and_no_web_server(run: CommandLine) -> None:
    done = run_program([sys.executable, "-c", WITHOUT_WEB, str(run.folder / "frametally-data")])
    answer, _, listed = done.stdout.partition("Usage:")
    document, _, without = answer.rpartition("there are no rules; ")
    assert json.loads(document)["rules"] == [] and "frametally alerts add" in without
    assert "retention " in listed and "counts " in listed and "frames-boxes" not in listed
    assert "cv2 is not installed; run pip install 'frametally[web]'" in done.stderr


def test_a_folder_without_data_is_named(tmp_path: Path) -> None:
    done = CommandLine(tmp_path)("api", "counts", "--data-dir", tmp_path / "nothing", code=2)
    assert "nothing" in done.err and not (tmp_path / "nothing").exists()
