import pytest

from .synthetic_run import write_synthetic_run


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A synthetic run of 12 images and 12 methods."""
    return write_synthetic_run(tmp_path_factory.mktemp("runs") / "demo", size=48)
