"""Makes a command of an action that a handler declares; words and checks are those of the declaration.

A command calls the handler itself, on the data here, without a server. It imports only what the action needs.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import RLock
from typing import Any, cast

import click
import msgspec

from frametally.actions.calls import Call, Reply, set_call
from frametally.actions.endpoints import Endpoint, route_of
from frametally.actions.parameters import Args, Parameter, check_known
from frametally.actions.problems import Problem, problem_of
from frametally.console import output as console
from frametally.console.action_answers import print_json
from frametally.console.options import data_dir_option, output_option, read_settings
from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.files.reserve import keep_reserve, reserve_released
from frametally.openers.port_openers import port_openers, readable
from frametally.plugins import load, plugins
from frametally.ports.opened import Ports
from frametally.process.exit_codes import NOTHING_DONE, PART_DONE
from frametally.settings.loading import Settings
from frametally_accounts.audit.command_log import command_user
from frametally_accounts.password_links import local_address_of
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.api.declared import find_action
from frametally_web.api.field_words import field_words
from frametally_web.books.context import ActionContext

_PAUSE_S = 0.1
_CHARTS = "frametally_web.api.chart_routes:ChartRoutes"
_AUDIT = "frametally_accounts.audit.opened_book:OpenedAudit"
_TO_TRY_LATER = (429, 503)


class ActionCommand(click.Command):
    """The command of one action."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Make the command of an action, by its name."""
        self._endpoint = endpoint
        name = endpoint.name.replace("_", "-")
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
        with _context(settings, endpoint) as context:
            answer, handlers = _ask(context, endpoint, values, body)
            if desk := _desk_of(endpoint, handlers):
                return _finish(desk)
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


class _OnUse:
    """An object that is made when one of its attributes is used first; threads may share it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = RLock()
        self._objects: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if not self._objects:
                self._objects.append(self._make())
        return getattr(self._objects[0], name)


class _Parts(dict[str, Any]):
    """What plug-ins open for a dashboard, each opened on use; those of the action's plug-in first."""

    def __init__(self, opening: Iterator[Mapping[str, Any]]) -> None:
        super().__init__()
        self._opening = opening

    def __missing__(self, name: str) -> Any:
        for parts in self._opening:
            self.update(parts)
            if name in self:
                return self[name]
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        with suppress(KeyError):
            return self[name]
        return default


@contextmanager
def _context(settings: Settings, endpoint: Endpoint) -> Iterator[ActionContext]:
    """Yield what the handlers read, opened as they use it, for nobody but the user of this command."""
    with ExitStack() as opened, nullcontext(settings) if endpoint.changes else readable(settings) as usable:
        if endpoint.changes:
            keep_reserve(settings.data_dir)
        usable = usable.model_copy(update={"web_store_links": False})  # the bytes, not a browser's link

        def port(name: str) -> Any:
            url, make = port_openers(usable)[name]
            return _OnUse(lambda: opened.enter_context(closing(make(url))))

        whole = DashboardPorts(
            store=port("store"), index=port("index"), ledger=port("ledger"), log=port("log")
        )
        readers: list[Any] = []

        def books() -> Any:
            readers.append(load("frametally_web.books.reader:BooksReader")(whole, usable))
            return readers[0]

        def parts() -> Iterator[Mapping[str, Any]]:
            from frametally.work.family_members import MemberOptions  # most actions need none of these parts

            package = endpoint.handler.__module__.partition(".")[0]
            ports = Ports(usable, whole.store, whole.log, whole.index)
            for plugin in sorted(plugins(), key=lambda plugin: f"frametally_{plugin.name}" != package):
                if plugin.serving:
                    options = MemberOptions(alone=True, listens=False)
                    yield opened.enter_context(load(plugin.serving)(ports, options))

        context = ActionContext(
            settings=usable,
            ports=whole,
            whole=whole,
            books=cast(Any, _OnUse(books)),
            counts=lambda args: context.shared(load(_CHARTS)).counts(args),
            remedy=None,
            parts=_Parts(parts()),
        )
        try:
            yield context
        finally:
            context.close()
            for reader in readers:
                reader.close()


def ask_action(settings: Settings, name: str, values: Mapping[str, object]) -> Any:
    """Return the answer of an action; see `frametally.console.action_answers.ask_action`."""
    endpoint = find_action(name)
    if endpoint is None:
        raise AssertionError(f"there is no action {name}")
    places = {part.name: _destination(part) for part in endpoint.parameters}
    places |= {field.encode_name: f"body_{field.encode_name}" for field in _fields(endpoint)}
    by_place = {places[key]: str(value) if isinstance(value, int) else value for key, value in values.items()}
    with _context(settings, endpoint) as context:
        return _ask(context, endpoint, by_place, None)[0]


def _ask(
    context: ActionContext, endpoint: Endpoint, values: Mapping[str, Any], body: Path | None
) -> tuple[msgspec.Struct | Reply, object]:
    """Return the answer of an action, and its handlers. Raises what it says is wrong, in its words."""
    parts = _parts_of_call(endpoint, values, body)
    call = Call(route_of(endpoint.method, endpoint.address), "command line", parts["path"])
    call.user_name, call.sent_headers = command_user(), parts["header"]
    call.root_url = f"{local_address_of(context.settings)}/"
    if endpoint.body is not None:
        call.body, call.media_type = msgspec.json.encode(parts["body"]), "application/json"
    pairs = [(name, value) for name, values in parts["query"].items() for value in values]
    args = Args([*pairs, *parts["path"].items()])
    set_call(call)
    try:
        handler = context.route(endpoint).handler
        with _recorded(context, endpoint, call):
            if "timezone" in endpoint.in_query:
                context.books.add_timezone(args)
            with context.whole.index.one_moment() if endpoint.reads_counts else nullcontext():
                return handler(args), handler.__self__  # type: ignore[attr-defined]
    except (Problem, FrametallyError) as error:
        problem = problem_of(error)
        kind = Retryable if problem.status in _TO_TRY_LATER else Misconfigured
        raise kind(f"{problem.detail} {problem.remedy}".strip()) from error
    finally:
        set_call(None)


@contextmanager
def _recorded(context: ActionContext, endpoint: Endpoint, call: Call) -> Iterator[None]:
    """Record a change in the audit log, and let one that frees space use the reserve."""
    if not endpoint.changes:
        yield
        return
    with reserve_released(context.settings.data_dir) if endpoint.frees else nullcontext():
        audit = context.shared(load(_AUDIT))
        audit.begin(call)
        status = 500
        try:
            yield
            status = call.status
        except (Problem, FrametallyError) as error:
            status = problem_of(error).status
            raise
        finally:
            audit.end(call, status)


def _parts_of_call(
    endpoint: Endpoint, values: Mapping[str, Any], body: Path | None
) -> dict[str, dict[str, Any]]:
    """Return what the options give, by its place in a call; values of the query are lists."""
    parts: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}, "body": {}}
    if body is not None:
        data = sys.stdin.buffer.read() if str(body) == "-" else body.read_bytes()
        try:
            parts["body"] = msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError) as error:
            raise Misconfigured(f"{body} is not a JSON object ({error}): correct it") from error
    values = {name: value for name, value in values.items() if value not in (None, (), [])}
    for parameter in endpoint.parameters:
        if (name := _destination(parameter)) in values:
            value = values[name]
            if parameter.place == "query":
                value = [*value] if parameter.many else [value]
            parts[parameter.place][parameter.name] = value
    for field in _fields(endpoint):
        if (name := f"body_{field.encode_name}") in values:
            parts["body"][field.encode_name] = _json_of(values[name], field.type)
    return parts


def _json_of(value: Any, form: msgspec.inspect.Type) -> Any:
    """Return an option's value for a JSON body; the API refuses one of another type."""
    if _is_text(form) or _is_list(form):
        return value
    with suppress(ValueError):
        return json.loads(value)
    return value


def _desk_of(endpoint: Endpoint, handlers: Any) -> Any:
    """Return where a change that the action started runs in the background; None if it started none."""
    is_started = endpoint.answer is not None and endpoint.answer.__name__ == "ChangeState"
    return handlers.desk if is_started else None


def _finish(desk: Any) -> int:
    """Wait for a change that runs in the background, print its outcome, and return the exit code."""
    with console.stage_bar("change") as bar:
        while (state := desk.last).state == "running":
            bar.update(state.done, state.total)
            time.sleep(_PAUSE_S)
    print_json(state)
    if state.state == "failed":
        return NOTHING_DONE
    return PART_DONE if state.left_alone else 0


def _show(answer: msgspec.Struct | Reply, output: Path | None) -> None:
    if isinstance(answer, Reply):
        kind = answer.media_type
        with closing(answer):
            if kind == "application/json" and output is None:
                print_json(msgspec.Raw(b"".join(answer.chunks())))
            elif output is None and kind.partition("/")[0] not in ("", "text") and sys.stdout.isatty():
                raise Misconfigured(f"the answer is a file of type {kind}: give --output FILE")
            else:
                console.write_out(output, answer.chunks())
    elif output is None:
        print_json(answer)
    else:
        console.write_out(output, [msgspec.json.encode(answer)])
