"""The collector waits while modules are loaded; a program of ours lets it look rarely."""

import gc
import subprocess
import sys

import pytest

from heatproof.core.loading import NEW_OBJECTS, loading

PROGRAM = """
import gc
from heatproof.core.loading import collect_rarely
collect_rarely()
class Last:
    def __del__(self):
        print("looked through")
last = Last()
last.itself = last
del last
print(gc.get_threshold()[0], gc.isenabled())
"""


@pytest.mark.parametrize("collects", [True, False])
def test_what_was_set_holds_after_a_block_and_after_an_error_in_it(collects: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        with pytest.raises(AssertionError, match="while it loads"), loading():
            assert gc.isenabled(), "while it loads"
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()


def test_a_program_looks_rarely_and_not_at_its_end() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == [f"{NEW_OBJECTS} True", ""]
