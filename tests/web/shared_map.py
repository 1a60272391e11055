"""A map of addresses that is made once for all applications with the same rules."""

from __future__ import annotations

from collections.abc import Hashable
from operator import attrgetter
from typing import Any, ClassVar

from werkzeug.routing import Map, Rule, RuleFactory

_OF_FLASK = "provide_automatic_options"
"""What Flask notes at a rule, beside Werkzeug's fields: whether it answers OPTIONS by itself."""
_FACTS = attrgetter("rule", "endpoint", "strict_slashes", "subdomain", "build_only", "alias", "websocket")


class SharedMap(Map):
    """A map that waits until it is first used, and then takes what an equal one has made.

    To bind, compile and sort an application's 250 rules takes most of the CPU that making it does, and the
    tests make thousands of applications with the same rules.
    """

    _made: ClassVar[dict[Hashable, Map]] = {}

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._given: list[Rule] = []
        self._is_whole = True
        super().__init__(*arguments, **options)

    def add(self, rulefactory: RuleFactory) -> None:
        """Note a rule."""
        self._given += rulefactory.get_rules(self)
        self._is_whole = False

    def update(self) -> None:
        """Make the map if rules have been added since, or take an equal one."""
        if self._is_whole:
            return
        key = (
            self.merge_slashes,
            *(
                (
                    *_FACTS(rule),
                    getattr(rule, _OF_FLASK, False),
                    frozenset(rule.methods or ()),
                    str(rule.defaults),
                )
                for rule in self._given
            ),
        )
        if key not in self._made:
            made = Map(host_matching=self.host_matching, merge_slashes=self.merge_slashes)
            for rule in self._given:
                same = rule.empty()
                setattr(same, _OF_FLASK, getattr(rule, _OF_FLASK, False))
                made.add(same)
            made.update()
            self._made[key] = made
        self._matcher = self._made[key]._matcher
        self._rules_by_endpoint = self._made[key]._rules_by_endpoint
        self._is_whole = True
