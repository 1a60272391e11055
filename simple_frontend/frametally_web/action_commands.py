"""Makes a command of each action that the API declares, for `frametally api`; words and checks are the API's.

A command asks an application of its own, on the data here; no server is needed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import click
import msgspec
from flask import Flask
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from frametally.actions.endpoints import Endpoint
from frametally.actions.parameters import Parameter, check_known
from frametally.actions.problems import Problem
from frametally.console import output as console
from frametally.console.options import data_dir_option, output_option, read_settings
from frametally.errors import Misconfigured, Retryable
from frametally.openers.port_openers import open_books
from frametally.process.exit_codes import NOTHING_DONE, PART_DONE
from frametally.settings.loading import Settings
from frametally.work.family_members import MemberOptions
from frametally_accounts.audit.command_log import command_user
from frametally_accounts.password_links import local_address_of
from frametally_web.api.endpoints import ALL_ENDPOINTS, RIGHTS
from frametally_web.api.openapi import field_words
from frametally_web.app import close_app, opened_app, parts_of
from frametally_web.changes.answers import ChangeState

ACTIONS = {endpoint.name.replace("_", "-"): endpoint for endpoint in ALL_ENDPOINTS if not endpoint.native}
"""The actions that need no stream and no upload, by the command's name."""
_PAUSE_S = 0.1


class ActionCommand(click.Command):
    """The command of one action."""

    def __init__(self, name: str) -> None:
        """Make the command of a name in `ACTIONS`."""
        endpoint = ACTIONS[name]
        self._endpoint = endpoint
        super().__init__(name, callback=self._run, params=[*_parameters(endpoint)], help=endpoint.summary)
        output_option(self)
        data_dir_option(self)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; refuse an unknown option in the API's words."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.lstrip("-").partition("=")[0].replace("-", "_")
            fields = (field.encode_name for field in _fields(self._endpoint))
            try:
                check_known([name], [*self._endpoint.in_query, *fields])
            except Problem as problem:
                raise Misconfigured(f"{problem.detail} {problem.remedy}") from problem
            raise

    def _run(
        self, *, output: Path | None, data_dir: Path | None, body: Path | None = None, **values: Any
    ) -> int:
        endpoint = self._endpoint
        settings = read_settings(None, {"data_dir": data_dir} if data_dir else {})
        with _application(settings, reads=not RIGHTS.is_change(endpoint.method, endpoint.address)) as app:
            answer = _ask(app, endpoint, values, body)
            if answer.status_code >= 400:
                _refuse(answer)
            if endpoint.answer is ChangeState:
                return _finish(app)
            _show(answer, output)
        return 0


def _parameters(endpoint: Endpoint) -> Iterator[click.Parameter]:
    """Yield the arguments and options of an action; the API checks their values, so each is a text here."""
    for part in endpoint.parameters:
        if part.place == "path":
            yield click.Argument([_destination(part)], metavar=part.name.upper())
        else:
            form = part.schema.get("enum")
            yield click.Option(
                [f"--{part.name.lower().replace('_', '-')}", _destination(part)],
                metavar=f"[{'|'.join(form)}]" if form else part.schema.get("type", "text").upper(),
                help=f"{part.description} Required." if part.required else part.description,
                multiple=part.many,
            )
    if endpoint.body is not None:
        yield click.Option(
            ["--body"],
            type=click.Path(path_type=Path, allow_dash=True),
            help="File with a JSON object for what no option gives, such as a secret; - is standard input.",
        )
        words = field_words(endpoint.body)
        for field in _fields(endpoint):
            yield click.Option(
                [f"--{field.encode_name.replace('_', '-')}", f"body_{field.encode_name}"],
                metavar=_metavar(field.type),
                help=words.get(field.name),
                multiple=_is_list(field.type),
            )


def _destination(part: Parameter[Any]) -> str:
    return f"{part.place}_{part.name.lower().replace('-', '_')}"


def _fields(endpoint: Endpoint) -> tuple[msgspec.inspect.Field, ...]:
    form = msgspec.inspect.type_info(endpoint.body)
    return form.fields if isinstance(form, msgspec.inspect.StructType) else ()


def _kinds(form: msgspec.inspect.Type) -> list[msgspec.inspect.Type]:
    """Return the types that a field may have."""
    if isinstance(form, msgspec.inspect.Metadata):
        return _kinds(form.type)
    if isinstance(form, msgspec.inspect.UnionType):
        return [kind for member in form.types for kind in _kinds(member)]
    return [form]


def _is_text(form: msgspec.inspect.Type) -> bool:
    texts = (msgspec.inspect.StrType, msgspec.inspect.LiteralType)
    return any(isinstance(kind, texts) for kind in _kinds(form))


def _is_list(form: msgspec.inspect.Type) -> bool:
    """Return whether a field is a list of texts, for which an option is given several times."""
    lists = [kind for kind in _kinds(form) if isinstance(kind, msgspec.inspect.ListType)]
    return any(_is_text(kind.item_type) for kind in lists)


def _metavar(form: msgspec.inspect.Type) -> str:
    kinds = _kinds(form)
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.LiteralType):
            return f"[{'|'.join(map(str, kind.values))}]"
    if _is_text(form) or _is_list(form):
        return "TEXT"
    if any(isinstance(kind, msgspec.inspect.BoolType) for kind in kinds):
        return "[true|false]"
    numbers = (msgspec.inspect.IntType, msgspec.inspect.FloatType)
    return "NUMBER" if any(isinstance(kind, numbers) for kind in kinds) else "JSON"


@contextmanager
def _application(settings: Settings, *, reads: bool) -> Iterator[Flask]:
    """Open the dashboard's application, for nobody but the user of this command."""
    options = MemberOptions(alone=True, listens=False)
    with (
        open_books(settings, reading=reads) as (ports, ledger),
        opened_app(ports, ledger, options, owner=command_user()) as app,
    ):
        try:
            yield app
        finally:
            close_app(app)


def _ask(app: Flask, endpoint: Endpoint, values: Mapping[str, Any], body: Path | None) -> TestResponse:
    """Ask the application as a client would, so that every check of the API applies."""
    parts: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}, "body": {}}
    if body is not None:
        data = sys.stdin.buffer.read() if str(body) == "-" else body.read_bytes()
        try:
            parts["body"] = msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError) as error:
            raise Misconfigured(f"{body} is not a JSON object ({error}): correct it") from error
    values = {name: value for name, value in values.items() if value not in (None, ())}
    for parameter in endpoint.parameters:
        if (name := _destination(parameter)) in values:
            parts[parameter.place][parameter.name] = values[name]
    for field in _fields(endpoint):
        if (name := f"body_{field.encode_name}") in values:
            parts["body"][field.encode_name] = _json_of(values[name], field.type)
    path = endpoint.address.format(**{name: quote(value, safe="") for name, value in parts["path"].items()})
    return app.test_client().open(
        path,
        method=endpoint.method,
        query_string=MultiDict(parts["query"]),
        base_url=local_address_of(parts_of(app).settings),
        headers=parts["header"],
        environ_overrides={"REMOTE_ADDR": "command line"},
        json=parts["body"] if endpoint.body is not None else None,
    )


def _json_of(value: Any, form: msgspec.inspect.Type) -> Any:
    """Return an option's value for a JSON body; the API refuses one of another type."""
    if _is_text(form) or _is_list(form):
        return value
    with suppress(ValueError):
        return json.loads(value)
    return value


def _finish(app: Flask) -> int:
    """Wait for a change that runs in the background, print its outcome, and return the exit code."""
    desks = (parts_of(app).desk, parts_of(app).presets.desk)
    with console.stage_bar("change") as bar:
        while (state := next(filter(None, (desk.last for desk in desks)))).state == "running":
            bar.update(state.done, state.total)
            time.sleep(_PAUSE_S)
    click.echo(_pretty(msgspec.to_builtins(state)))
    if state.state == "failed":
        return NOTHING_DONE
    return PART_DONE if state.left_alone else 0


def _show(answer: TestResponse, output: Path | None) -> None:
    media_type = answer.mimetype or ""
    if media_type == "application/json" and output is None:
        click.echo(_pretty(answer.json))
    elif output is None and media_type.partition("/")[0] not in ("", "text") and sys.stdout.isatty():
        raise Misconfigured(f"the answer is a file of type {media_type}: give --output FILE")
    else:
        console.write_out(output, answer.iter_encoded())


def _pretty(document: Any) -> str:
    return json.dumps(document, indent=2)


def _refuse(answer: TestResponse) -> NoReturn:
    """Raise what the API says is wrong, and its remedy, in its words."""
    document = answer.json or {}
    words = f"{document.get('detail', answer.status)} {document.get('remedy', '')}".strip()
    raise (Retryable if answer.status_code in (429, 503) else Misconfigured)(words)
