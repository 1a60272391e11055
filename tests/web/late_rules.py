"""URL rules that compile their builders when the first address is built, not with the application."""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.routing import Rule


class LateRule(Rule):
    """A rule that is matched as usual, and compiled for building when it is first asked for an address.

    Werkzeug compiles two functions for each rule as it is bound, most of the CPU that making an application
    takes; of some 160 rules a handful is ever built, and the tests make thousands of applications. Where
    Werkzeug names the step otherwise, it compiles at once.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled: list[Callable[..., tuple[str, str]]] = []
        compile_now = super()._compile_builder

        def build(rule: Rule, /, *values: object, **named: object) -> tuple[str, str]:
            if not compiled:
                compiled.append(compile_now(append_unknown))
            return compiled[0](rule, *values, **named)

        return build
