"""`make mutants`: break each rule that decides a number, and see that a quick test fails.

Each function of `rules/` and of the money paths gets a mutant: a comparison shifted, a bound off by one,
`and` for `or`, `+` for `-`. The test files that are nearest to its module by their imports run once without
it, which shows which test calls which function. Then each mutant runs in a fork: its code replaces the
function's in memory, no file changes, and the tests that call it run, the quickest first, until one fails. A
command that a test starts does not have the mutant. The exit code is 1 if a mutant survives that
`EQUIVALENT` does not name.

Why no library: mutmut 3 derives a module's name from its path below `.`, `src/` or `source/`, but our
packages are in nine folders; it also runs the whole suite once to map it. cosmic-ray changes the working
tree in place, and runs the same command, the whole suite, for each mutant.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import importlib
import multiprocessing
import os
import re
import sys
import tempfile
import time
import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console
from rich.progress import Progress
from tests.capabilities import PACKAGES

ROOT = Path(__file__).resolve().parents[1]
FLOWS, REPORT = ("capabilities/frametally_traffic/flows", "capabilities/frametally_traffic/report")
RULES = (
    "core/frametally/rules",
    "capabilities/frametally_accuracy/rules",
    "capabilities/frametally_traffic/geometry",
    *(f"{FLOWS}/{name}.py" for name in ("day_columns", "flow_sums", "shapes")),
    "capabilities/frametally_traffic/counting/place_records.py",
    "capabilities/frametally_traffic/tasks/zones.py",
    *(f"{REPORT}/{name}.py" for name in ("movement_table", "schemes")),
)
MONEY_PATHS = (
    "core/frametally/segments/chain.py",
    "consumer/frametally_consumer/worker/loop.py",
    "hadoop/frametally_hadoop/job/reading.py",
    "hadoop/frametally_hadoop/job/map_reduce.py",
    *(f"hadoop/frametally_hadoop/planning/{name}.py" for name in ("hours", "plan")),
    *(f"hadoop/frametally_hadoop/publication/{name}.py" for name in ("publish", "quality_checks")),
    "core/frametally/adapters/day_cells/merging.py",
    "core/frametally/books/evidence.py",
    *(f"core/frametally/adapters/sql/ledger/{name}_rows.py" for name in ("segment", "hour", "frame")),
)
QUICK = " and ".join(
    f"not {mark}"
    for mark in ["thorough", "services", "stack", "compose", "cluster", "demo", "images", "spark"]
)
NEAREST_FILES = (0, 2, 7, 20)  # the second and the third step are for survivors of the previous one
LONGEST_TEST_S, LONGEST_FILE_S, LONGEST_MUTANT_S = 60, 30, 600
ENOUGH_TESTS = 30

EQUIVALENT = {
    (
        "frametally_accuracy.rules.quantiles._away_from_zero",
        "return value if (abs(value) >= _TINY) else _TINY",
    ): "the same number, but for its sign",
    (
        "frametally.rules.once.one_line_per_frame",
        "if known_line is None or (line <= known_line):",
    ): "the same line again",
    (
        "frametally_traffic.flows.shapes._place",
        "return shape.name, shape.from_ms is not None, shape.from_ms or 1",
    ): "the second part says that there is no beginning",
    (
        "frametally_traffic.flows.shapes.stay_row",
        "return stay.from_ms - day_ms, stay.to_ms - day_ms, zone, 1, *ways, 0, 0",
    ): "the label is that of the visit, which replaces it",
    (
        "frametally_traffic.flows.shapes.stay_row",
        "return stay.from_ms - day_ms, stay.to_ms - day_ms, zone, 0, *ways, 0, 1",
    ): "the number is that of the visit, likewise",
    (
        "frametally_traffic.geometry.crossings._half_ways",
        "yield Passage(step, (first + last) / 2, 1)",
    ): "nobody reads the side of a half way",
    (
        "frametally_traffic.geometry.zones.PictureZone.is_clear",
        "if (height2 >= self.narrow2) and self.place_of(x, y) > 0:",
    ): "an equal height becomes itself",
    (
        "frametally_traffic.geometry.zones.PictureZone._depth2",
        "return max((self.distance2(x, y) for x, y in middles if self.place_of(x, y) > 0), "
        "default=Fraction(1))",
    ): "every polygon has a diagonal or an ear within",
    (
        "frametally.rules.clocks.turns._local_time",
        "return local_time(time_ms, zone).replace(tzinfo=None, fold=1)",
    ): "moments without a zone are compared without their fold",
    (
        "frametally_traffic.report.movement_table.turns_of",
        "to_leg: ((SIDES.index(to_side) - SIDES.index(from_side) + _EIGHTHS // 2)) % _EIGHTHS",
    ): "half a turn to either hand is the same",
    (
        "frametally_hadoop.job.map_reduce.FrameGroups._add_segment",
        "if (self.held_bytes > self._buffer_bytes):",
    ): "when lines are passed on changes no count",
    (
        "frametally_hadoop.planning.plan._Touching.__init__",
        "for day in days if (len(days) < _MOST_DAYS) else [None]: # None means checked for each day",
    ): "each day is checked again",
    ("frametally_hadoop.job.reading._close", "return 1"): "no status of HTTP's either",
    (
        "frametally_hadoop.job.reading._all_belong",
        "if (frame.source == source):",
    ): "each line is then checked alone, with the same result",
    (
        "frametally.rules.counted_boxes._units",
        "return math.ceil(round(value * units, 7))",
    ): "a setting has fewer digits",
}
"""Mutants that change no result, by rule and changed line, with the reason."""

_PAIRS: list[tuple[type[ast.AST], type[ast.AST]]] = [
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.In, ast.NotIn), (ast.Is, ast.IsNot)),
    *((ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv), (ast.LShift, ast.RShift)),
    *((ast.BitAnd, ast.BitOr), (ast.Mod, ast.FloorDiv), (ast.Div, ast.Mult)),
]
_SWAPS: dict[type[ast.AST], Any] = {b: a for a, b in _PAIRS} | dict(_PAIRS)
_SILENT = (ast.Raise, ast.JoinedStr, ast.Assert)  # the words of a message decide no number


class Mutant(NamedTuple):
    """A module with one change: `text` is the whole module, `old` and `new` the lines that differ."""

    path: Path
    rule: str
    old: str
    new: str
    is_blunt: bool
    text: str


def module_name(path: Path) -> str:
    """Return the dotted name by which a module of a package, or of the tests, is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    first = (
        0 if parts[0] == "tests" else next(i for i, part in enumerate(parts) if part.startswith("frametally"))
    )
    return ".".join(parts[first:]).removesuffix(".__init__")


def mutants_of(path: Path) -> dict[str, list[Mutant]]:
    """Return the mutants of each function, the most telling ones first."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    mutants: dict[str, list[Mutant]] = defaultdict(list)
    for rule, function in _functions(module_name(path), ast.parse(source).body):
        for node, expression, is_blunt in _changes(function):
            last_line, last_column = node.end_lineno or 0, node.end_col_offset or 0
            first, last = starts[node.lineno - 1], starts[last_line]
            head, tail = source[: first + node.col_offset], source[starts[last_line - 1] + last_column :]
            text = head + expression.encode() + tail
            lines = source[first:last], text[first : last + len(text) - len(source)]
            old, new = (" ".join(part.decode().split()) for part in lines)
            mutants[rule].append(Mutant(path, rule, old, new, is_blunt, text.decode()))
    for of_rule in mutants.values():
        of_rule.sort(key=lambda mutant: (mutant.is_blunt, hashlib.sha256(mutant.new.encode()).digest()))
    return mutants


def _functions(prefix: str, body: list[ast.stmt]) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(f"{prefix}.{node.name}", node.body)
        elif isinstance(node, ast.FunctionDef):
            node.args.defaults, node.args.kw_defaults = [], []  # not part of the replaced code
            yield f"{prefix}.{node.name}", node


def _changes(function: ast.FunctionDef) -> Iterator[tuple[ast.expr | ast.stmt, str, bool]]:
    """Yield what to replace, by what, and whether that is blunt: nearly any test would notice it."""
    for node in _deciding(function):
        other: Any = copy.deepcopy(node)
        match node:
            case ast.Compare(ops=ops):
                for at, op in enumerate(ops):
                    other.ops = [*ops[:at], _SWAPS[type(op)](), *ops[at + 1 :]]
                    yield node, f"({ast.unparse(other)})", False
            case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in _SWAPS:
                other.op = _SWAPS[type(op)]()
                yield node, f"({ast.unparse(other)})", False
            case ast.AugAssign(op=op) if type(op) in _SWAPS:
                other.op = _SWAPS[type(op)]()
                yield node, ast.unparse(other), False
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                yield node, f"({ast.unparse(operand)})", False
            case (
                ast.IfExp(test=(ast.Name() | ast.Call()) as test)
                | ast.If(test=(ast.Name() | ast.Call()) as test)
            ):
                yield test, f"(not {ast.unparse(test)})", False
            case ast.Constant(value=int(value) | float(value)):
                yield node, repr(not value if isinstance(value, bool) else value + 1), False
            case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
                yield value, "None", True
            case ast.Expr(value=(ast.Call() | ast.Yield() | ast.YieldFrom()) as value):
                yield value, "None", True
            case ast.Assign(value=value, targets=[ast.Attribute()]):
                yield value, "None", True


def _deciding(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what in a function decides a result: no types, no messages, no checks of `zip`'s."""
    for child in ast.iter_child_nodes(node):
        is_type = child in {getattr(node, "annotation", None), getattr(node, "returns", None)}
        is_strict = isinstance(child, ast.keyword) and child.arg == "strict"
        if not is_type and not is_strict and not isinstance(child, _SILENT):
            yield child
            yield from _deciding(child)


@cache
def _importers() -> dict[str, set[Path]]:
    """Return the importers of each module."""
    tops = [ROOT / "tests", *PACKAGES]
    texts = {path: path.read_text(encoding="utf-8") for top in tops for path in top.rglob("*.py")}
    names = {module_name(path) for path in texts}
    importers: dict[str, set[Path]] = defaultdict(set)
    for path, text in texts.items():
        for module, members in re.findall(r"^\s*from ([\w.]+) import (\([^)]*\)|.*)$", text, re.MULTILINE):
            for target in {f"{module}.{word}" for word in re.findall(r"\w+", members)} & names or {module}:
                importers[target].add(path)
    return importers


def tests_near(path: Path) -> list[str]:
    """Return the test files that reach a module by imports: the nearest first.

    Of those as near, the ones that import the module itself come first, then those that name most of it.

    One that imports a module of the same folder is as near: adapters are found by entry points.

    Tests in a browser are left out: a rule that only a picture of the page would miss has no quick test.
    """
    names = {rule.rpartition(".")[2] for rule in mutants_of(path)}
    steps, border = {path: 0}, {path}
    while border:
        step = 1 + max(steps.values())
        border = {importer for path in border for importer in _importers()[module_name(path)]} - steps.keys()
        steps |= dict.fromkeys(border, step)
    beside = (
        importer for sibling in path.parent.glob("*.py") for importer in _importers()[module_name(sibling)]
    )
    steps |= dict.fromkeys(beside, 1)

    importers = _importers()[module_name(path)]

    def order(test: Path) -> tuple[int, bool, int, int]:
        words = set(re.findall(r"\w+", test.read_text(encoding="utf-8")))
        return steps[test], test not in importers, -len(names & words), test.stat().st_size

    tests = [test for test in steps if re.fullmatch(r"test_\w+(?<!_in_browser)", test.stem)]
    return [str(test.relative_to(ROOT)) for test in sorted(tests, key=order)]


def forked(task: Callable[[Connection], None], longest_s: float | None = None) -> Iterator[Any]:
    """Yield the messages of a task in a separate process, until it ends or is silent for too long."""
    received, sent = multiprocessing.Pipe(duplex=False)

    def run() -> None:
        received.close()  # so that it ends, with its next message, when no one is left to read it
        for stream in range(3):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        task(sent)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    sent.close()
    try:
        while received.poll(longest_s):
            yield received.recv()
    except EOFError:
        process.join()
    finally:
        process.kill()


def _function(mutant: Mutant) -> Any:
    """Return the imported function that a mutant changes."""
    target: Any = importlib.import_module(module_name(mutant.path))
    for name in mutant.rule.removeprefix(f"{target.__name__}.").split("."):
        target = vars(target)[name]
    wrapped = (
        getattr(target, name, None) for name in ("fget", "__func__", "func")
    )  # `func`: cached_property
    target = next(filter(None, wrapped), target)
    return getattr(target, "__wrapped__", target)


class Judge:
    """A pytest plugin that runs tests for each mutant, and sends it with the test that kills it, or None."""

    def __init__(self, mutants: list[Mutant], files: dict[str, set[Path]], sent: Connection) -> None:
        """Run mutants, given the modules that each test file is near to."""
        self._mutants, self._files, self._sent = mutants, files, sent
        self._has_failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._has_failed |= report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        mapped = sorted(forked(partial(self._map, session.items)))
        for mutant in self._mutants:
            tests = [items[test] for _, test, rules in mapped if mutant.rule in rules]
            # Hypothesis would retry a test that ran out of time, and then nothing would end it.
            tries = forked(partial(self._try, mutant, tests), LONGEST_MUTANT_S)
            killer = next(tries, "its process, which ended or went on for ever")
            self._sent.send((mutant, killer))
        return True

    def _map(self, items: list[pytest.Item], sent: Connection) -> None:
        """Send the CPU time of each passing test, its name, and the rules that it calls."""
        rules = {id(_function(mutant).__code__): mutant for mutant in self._mutants}
        missing = {mutant.rule: ENOUGH_TESTS for mutant in self._mutants}
        took_s: dict[str, float] = defaultdict(float)
        called: set[str] = set()

        def note(frame: types.FrameType, event: str, _: object) -> None:
            if event == "call" and id(frame.f_code) in rules:
                called.add(rules[id(frame.f_code)].rule)

        sys.setprofile(note)
        for item in items:
            file = item.nodeid.partition("::")[0]
            wanted = {mutant.path for mutant in self._mutants if missing[mutant.rule] > 0}
            if wanted & self._files[file] and took_s[file] < LONGEST_FILE_S:
                called.clear()
                began_s = time.process_time()
                if not self._fails(item):
                    sent.send((time.process_time() - began_s, item.nodeid, set(called)))
                    missing |= {rule: missing[rule] - 1 for rule in called}
                took_s[file] += time.process_time() - began_s

    def _try(self, mutant: Mutant, tests: list[pytest.Item], sent: Connection) -> None:
        code = compile(mutant.text, str(mutant.path), "exec", dont_inherit=True)
        for name in mutant.rule.removeprefix(f"{module_name(mutant.path)}.").split("."):
            code = next(part for part in code.co_consts if getattr(part, "co_name", None) == name)
        _function(mutant).__code__ = code
        sent.send(next((item.nodeid for item in tests if self._fails(item)), None))

    def _fails(self, item: pytest.Item) -> bool:
        self._has_failed = False
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        return self._has_failed


def judged(mutants: list[Mutant], places: slice) -> Iterator[tuple[Mutant, str | None]]:
    """Yield mutants with the test that kills each, of some of the files nearest to its module."""
    files: dict[str, set[Path]] = defaultdict(set)
    for path in {mutant.path for mutant in mutants}:
        for test in tests_near(path)[places]:
            files[test].add(path)

    def run(sent: Connection) -> None:
        os.chdir(ROOT)
        options = ["-q", "-n0", "-p", "no:cacheprovider", "-m", QUICK, f"--timeout={LONGEST_TEST_S}"]
        pytest.main([*options, *files], plugins=[Judge(mutants, files, sent)])

    return forked(run) if files else iter(())


def modules_of(places: Iterable[str]) -> list[Path]:
    """The existing modules among modules and folders."""
    paths = (path for place in places for path in [ROOT / place, *sorted((ROOT / place).rglob("*.py"))])
    return [path for path in paths if path.is_file()]


def main(arguments: list[str]) -> int:
    """Judge the mutants of some modules, print a row for each, and return the exit code."""
    parser = argparse.ArgumentParser(description="Break the rules, and see that tests fail.")
    parser.add_argument("places", nargs="*", default=[*RULES, *MONEY_PATHS], help="modules and folders")
    parser.add_argument("--per-function", type=int, default=1, metavar="N", help="mutants of each function")
    options = parser.parse_args(arguments)
    alive = []
    for mutants in (of_rule for path in modules_of(options.places) for of_rule in mutants_of(path).values()):
        alive += [one for one in mutants if (one.rule, one.new) not in EQUIVALENT][: options.per_function]
    total = len(alive)

    def show(mutant: Mutant, killer: str) -> None:
        cells = (mutant.rule, f"`{mutant.new}`", f"`{mutant.old}`", killer)
        print("|", " | ".join(cell.replace("|", "\\|") for cell in cells), "|", flush=True)

    print("| rule | mutant | was | killed by |\n| --- | --- | --- | --- |")
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder, Progress(console=console, auto_refresh=False) as bar:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        task = bar.add_task("Mapping tests to rules", total=total)
        for places in map(slice, NEAREST_FILES, NEAREST_FILES[1:]):
            for mutant, test in judged(alive, places):
                if test is not None:
                    alive.remove(mutant)
                    show(mutant, f"`{test}`")
                bar.update(task, completed=total - len(alive), description=mutant.rule, refresh=True)
    for mutant in alive:
        show(mutant, "SURVIVED")
    print(f"\n{total} mutants: {total - len(alive)} killed, {len(alive)} survived.")
    return 1 if alive or not total else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
