"""The page docs/project/faults.md names tests that exist, and every target that is fuzzed."""

import re
from pathlib import Path

from tests.hostile.targets import TARGETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "project" / "faults.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > 35
    missing = [f"{file}::{name}" for file, name in named if f"def {name}" not in (ROOT / file).read_text(encoding="utf-8")]
    assert missing == []


def test_every_target_has_a_row_of_ten_thousand_inputs():
    rows = dict(re.findall(r"^\| ([^|]+) \| ([\d,]+) \| [\d,]+ \| [\d,]+ \| \d+ \|$", PAGE, flags=re.M))
    assert rows == dict.fromkeys(TARGETS, "10,000")
