import pytest

from heatproof.report import build

from .synthetic_run import write_synthetic_run


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A synthetic run of 12 images and 12 methods."""
    return write_synthetic_run(tmp_path_factory.mktemp("runs") / "demo", size=48)


@pytest.fixture(scope="session")
def page(demo):
    """The text of the page of `demo`; the tests that read it are one group, so that one process writes it once."""
    return build(demo.path).read_text()
