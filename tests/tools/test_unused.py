"""The lint's own tools: what they must find, and what they must not."""

from __future__ import annotations

from pathlib import Path

from tools.unused import unused

SOURCE = """
from dataclasses import dataclass

@dataclass
class Record:
    kept_for_the_core: int = 0

    def dead_method(self):
        self.kept_for_the_core += 1
        self.dead_attribute = 1
        return Record(1)

def dead():
    dead_local = 1

def called():
    pass

called()
"""


def test_dead_code_is_found_and_fields_of_records_are_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text(SOURCE)
    found = [line.rpartition(": ")[2].split("'")[1] for line in unused([str(source)], [], 60)]
    assert sorted(found) == ["dead", "dead_attribute", "dead_local", "dead_method"]
    assert list(unused([str(source)], ["dead*"], 60)) == []
