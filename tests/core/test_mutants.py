"""`make mutants` breaks every rule, and only at places that can change a result."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.capabilities import HERE, is_gone

from tests import mutants


@pytest.mark.thorough
def test_every_rule_has_a_mutant_and_every_mutant_called_equivalent_exists() -> None:
    places = [*mutants.RULES, *mutants.MONEY_PATHS]
    # A capability's folder may be missing, but not single modules of it.
    assert [place for place in places if not is_gone(place) and not (mutants.ROOT / place).exists()] == []
    changes: dict[str, set[tuple[str, str]]] = {}
    for path in mutants.modules_of(places):
        for rule, of_rule in mutants.mutants_of(path).items():
            changes[rule] = {(rule, mutant.new) for mutant in of_rule}
    assert len(changes) > (200 if "traffic" in HERE else 100)
    assert [rule for rule, of_rule in changes.items() if of_rule <= mutants.EQUIVALENT.keys()] == []
    here = {
        name
        for name in mutants.EQUIVALENT
        if not is_gone(name[0].partition(".")[0].removeprefix("frametally_"))
    }
    assert here - set().union(*changes.values()) == set()


def test_a_mutant_changes_one_thing_and_no_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    module = tmp_path / "core/frametally/rule.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "def rule(a: int, b: int = 3) -> bool:\n"
        '    """Return 1."""\n'
        "    if not a:\n"
        '        raise ValueError(f"less than {1}")\n'
        "    return a < b and a + 1 > 0\n"
    )
    [(name, found)] = mutants.mutants_of(module).items()
    assert name == "frametally.rule.rule"
    assert {mutant.new for mutant in found} == {
        "if (a):",
        "return (a < b or a + 1 > 0)",
        "return (a <= b) and a + 1 > 0",
        "return a < b and (a + 1 >= 0)",
        "return a < b and (a - 1) > 0",
        "return a < b and a + 2 > 0",
        "return a < b and a + 1 > 1",
        "return None",
    }
    assert [mutant.new for mutant in found if mutant.is_blunt] == ["return None"]
    for mutant in found:
        compile(mutant.text, "rule.py", "exec")
