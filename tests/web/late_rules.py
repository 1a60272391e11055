"""URL rules that are parsed once for all applications, and compile their builders when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from werkzeug.routing import Rule
from werkzeug.routing.rules import RulePart

_Parsed = tuple[list[RulePart], list[tuple[bool, str]], dict[str, Any]]


class LateRule(Rule):
    """A rule that is matched as usual, and compiled for building when it is first asked for an address.

    Werkzeug parses each rule and compiles two functions for it as it is bound, most of the CPU that making an
    application takes; of some 250 rules a handful is ever built, and the tests make thousands of applications
    with the same rules. Where Werkzeug names the steps otherwise, it does both at once.
    """

    _parsed: ClassVar[dict[str, _Parsed]] = {}

    def _parse_rule(self, rule: str) -> Iterable[RulePart]:
        if rule not in self._parsed:
            traced = len(self._trace)
            parts = [*super()._parse_rule(rule)]
            self._parsed[rule] = parts, self._trace[traced:], dict(self._converters)
            return parts
        parts, trace, converters = self._parsed[rule]
        self._trace += trace
        self._converters |= converters
        self.arguments |= converters.keys()
        return parts

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled: list[Callable[..., tuple[str, str]]] = []
        compile_now = super()._compile_builder

        def build(rule: Rule, /, *values: object, **named: object) -> tuple[str, str]:
            if not compiled:
                compiled.append(compile_now(append_unknown))
            return compiled[0](rule, *values, **named)

        return build
