"""Units in the processes of a Ray cluster: the numbers of a serial run, and what is lost with a process or a machine."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from heatproof.core.errors import SettingsError, UsageError
from heatproof.evaluation.executors import RayExecutor, SerialExecutor, UnitOutcome, ray_cluster
from heatproof.evaluation.executors.base import Work
from heatproof.evaluation.executors.ray_worker import Ended, RayWorker, Start, WorkerPlace
from heatproof.evaluation.experiment import Experiment
from heatproof.evaluation.plan import Network, Unit, plan
from heatproof.evaluation.run import run_experiment
from heatproof.evaluation.worker import compute_unit
from heatproof.models.loaders import Toy
from heatproof.store import Run

TOY = {"name": "toy", "architecture": "three_blocks", "side": 64, "width": 0.05}
EXPERIMENT = {
    "name": "ray",
    "batch": 2,
    "kept_maps": 1,
    "precision": "plain",
    "dataset": {"name": "photos", "count": 4},
    "models": [TOY],
    "methods": [{"name": "gradient"}, {"name": "smooth_grad", "samples": 2}, {"name": "random_map"}],
    "metrics": [{"name": "perturbation_curve", "draws": 2, "regions": 4}, {"name": "repeatability"}],
}

OWN_NETWORK = """
import sys
import time
from pathlib import Path

from torch import nn

for folder in map(Path, sys.path):
    if (folder / "own_slow_network.py").is_file() and folder.resolve() != Path("{folder}"):
        Path("{folder}", "sent").touch()


class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 3))

    def forward(self, images):
        time.sleep(0.05)
        return self.layers(images)
"""
OWN_EXPERIMENT = """
name = "trial"
batch = 1
precision = "plain"
dataset = {name = "photos", count = 40}
models = [{name = "own_slow_network:Slow", preprocessing = {side = 16, resize = 16}}]
methods = ["gradient"]
metrics = ["sparseness"]
"""


pytestmark = pytest.mark.one_process  # one cluster for all tests


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    """A cluster of three machines, all of them this one: the first computes nothing, the others have a processor each."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed")
    with ray_cluster.alone():
        names = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")  # with these, another process joins
        joining = {name: os.environ[name] for name in names if name in os.environ}
        import ray
        from ray.cluster_utils import Cluster

        small = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
        fast = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300, "health_check_failure_threshold": 3}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "_system_config": fast, **small})
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(2)]
        cluster.wait_for_nodes()
    try:
        yield cluster, nodes, joining
    finally:
        ray.shutdown()
        cluster.shutdown()


def units() -> list[Unit]:
    experiment = Experiment.parse({**EXPERIMENT, "batch": 1})
    model = Toy.from_dict(TOY).load()
    return plan(experiment, experiment.data().items(), [Network(model.digest, {}, (3, 64, 64))])


def crashing(run: Path, unit: Unit) -> None:
    """The first unit of gradient kills its process once; one of random_map kills it whenever it is computed."""
    once = run / "once"
    if unit.method["name"] == "gradient" and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if unit.method["name"] == "random_map" and run.joinpath("victim").read_text() == unit.key:
        os.kill(os.getpid(), signal.SIGKILL)
    compute_unit(run, unit)


class Doomed:
    """A process that is killed as it is made, as it starts or before it has its network, as often as a file of that name says."""

    def __init__(self, place: WorkerPlace, objects: bytes) -> None:
        self._place, self._worker = place, RayWorker(place, objects)
        self._die("made")

    def _die(self, when: str) -> None:
        left = self._place.folder / when
        if left.exists() and (times := int(left.read_text())):
            left.write_text(str(times - 1))
            os.kill(os.getpid(), signal.SIGKILL)

    def start(self) -> Start:
        self._die("started")
        if (self._place.folder / "raises").exists():
            raise ImportError("no such module")
        return self._worker.start()

    def compute(self, work: Work, unit: Unit, networks: list[Any]) -> Ended:
        self._die("loading")
        return self._worker.compute(work, unit, networks)


def hanging(run: Path, unit: Unit) -> None:
    """One unit takes an hour, one fails."""
    if run.joinpath("victim").read_text() == unit.key:
        time.sleep(3600)
    if run.joinpath("failing").read_text() == unit.key:
        raise ValueError("no luck")


def slow(run: Path, unit: Unit) -> None:
    """A little of time; a file says that the unit was computed."""
    time.sleep(0.2)
    (run / unit.key).touch()


def rows(folder: Path, without: str = "") -> str:
    columns = "* EXCLUDE (seconds, metric_seconds)"
    return repr(Run(folder).query(f"SELECT {columns} FROM records WHERE unit != '{without}' ORDER BY ALL").to_pylist())


@pytest.mark.ray
class TestCluster:
    def test_a_run_is_that_of_a_serial_one_to_the_last_bit_though_processes_are_killed(self, machines: Any, tmp_path: Path) -> None:
        """One unit kills its process once and is computed elsewhere; one kills its process each time, and fails alone."""
        experiment = Experiment.parse(EXPERIMENT)
        alone = run_experiment(experiment, tmp_path / "serial", SerialExecutor())
        query = "SELECT min(unit) AS key FROM records WHERE method_settings LIKE '%random_map%'"
        (victim,) = Run(tmp_path / "serial").query(query)["key"].to_pylist()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("heatproof.evaluation.run.compute_unit", crashing)
            (tmp_path / "ray").mkdir()
            (tmp_path / "ray" / "victim").write_text(victim)
            spread = run_experiment(experiment, tmp_path / "ray", RayExecutor(retries=1))
        assert (tmp_path / "ray" / "once").exists()
        assert (alone.computed, alone.failures) == (6, ())
        (failure,) = spread.failures
        assert "process died 2 times" in failure.reason
        assert Run(tmp_path / "ray").done() == Run(tmp_path / "serial").done() - {victim}
        assert rows(tmp_path / "ray") == rows(tmp_path / "serial", without=victim)

    def test_a_unit_that_hangs_is_stopped_and_one_that_raises_has_its_traceback(self, machines: Any, tmp_path: Path) -> None:
        work = units()
        (tmp_path / "victim").write_text(work[1].key)
        (tmp_path / "failing").write_text(work[5].key)
        outcomes = list(RayExecutor(timeout=3).compute(hanging, tmp_path, [work[:3], [], work[3:]]))
        assert {outcome.unit.key for outcome in outcomes[:3]} == {unit.key for unit in work[:3]}
        assert {outcome.unit.key: outcome.failure.reason for outcome in outcomes if outcome.failure} == {
            work[1].key: "TimeoutError: the unit took longer than 3 s and was stopped",
            work[5].key: "ValueError: no luck",
        }
        assert any("in hanging" in outcome.failure.traceback for outcome in outcomes if outcome.failure)

    def test_a_process_that_is_killed_before_it_computes_is_started_again(
        self, machines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The only process dies as it is made, the next as it starts, and one after it before it has its network."""
        monkeypatch.setattr("heatproof.evaluation.executors.ray.RayWorker", Doomed)
        moments = [tmp_path / moment for moment in ("made", "started", "loading")]
        for moment in moments:
            moment.write_text("1")
        outcomes = list(RayExecutor(workers=1).compute(slow, tmp_path, [units()[:3]]))
        assert [moment.read_text() for moment in moments] == ["0", "0", "0"]
        assert (len(outcomes), reasons(outcomes)) == (3, [])

    def test_a_process_that_never_starts_ends_the_run_in_a_line(
        self, machines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("heatproof.evaluation.executors.ray.RayWorker", Doomed)
        (tmp_path / "started").write_text("99")
        with pytest.raises(
            UsageError, match='executor="ray": expected a process that starts, got 3 times ActorDiedError: '
        ) as said:
            list(RayExecutor(workers=1).compute(slow, tmp_path, [units()]))
        assert "\n" not in str(said.value)
        assert (tmp_path / "started").read_text() == "96"
        (tmp_path / "started").unlink()
        (tmp_path / "raises").touch()
        with pytest.raises(UsageError, match=r"expected a process that starts, got .*ImportError.*: .*no such module"):
            list(RayExecutor(workers=1).compute(slow, tmp_path, [units()]))

    def test_what_cannot_be_computed_anywhere_is_refused(self, machines: Any, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="expected a cluster with 64 processors for a process, got 2 processors"):
            list(RayExecutor(cpus=64).compute(slow, tmp_path, [units()]))
        with pytest.raises(UsageError, match=r"expected a folder of the run that all machines see, got none at .*nowhere"):
            list(RayExecutor(workers=1).compute(slow, tmp_path / "nowhere", [units()]))

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_run_of_an_own_network_at_an_address_is_stopped_in_good_order(
        self, machines: Any, tmp_path: Path, number: int, code: int
    ) -> None:
        cluster, _, joining = machines
        (tmp_path / "own_slow_network.py").write_text(OWN_NETWORK.format(folder=tmp_path))
        (tmp_path / "trial.toml").write_text(OWN_EXPERIMENT)
        command = ["evaluate", "trial.toml", "--executor", "ray", "--address", cluster.address, "--workers", "1"]
        process = subprocess.Popen(
            [sys.executable, "-m", "heatproof", *command],
            cwd=tmp_path,
            env={**os.environ, **joining, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        stored = Run.create(tmp_path / "runs" / "trial")
        deadline = time.monotonic() + 120
        while len(stored.parts()) < 2:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, process.kill()
            time.sleep(0.05)
        process.send_signal(number)
        began = time.monotonic()
        output, _ = process.communicate(timeout=60)
        assert time.monotonic() - began < 15  # ten, and the process has to end on a busy machine
        assert process.returncode == code
        assert output.count("the same command continues from there") == 1
        assert not any(word in output for word in ("Traceback", "Exception", "WARNING", "Warning", "ray")), output
        assert stored.faults() == []
        assert len(stored.done()) == stored.records().num_rows < 40
        assert (tmp_path / "sent").exists()  # a copy of the own module, as for a machine that lacks this folder

    def test_units_of_a_machine_that_is_lost_are_computed_elsewhere(self, machines: Any, tmp_path: Path) -> None:
        cluster, nodes, _ = machines
        work, seen = units(), []
        for outcome in RayExecutor().compute(slow, tmp_path, [work]):
            seen.append(outcome)
            if len(seen) == 3:
                cluster.remove_node(nodes[0], allow_graceful=False)
        assert sorted(outcome.unit.key for outcome in seen) == sorted(unit.key for unit in work)
        assert reasons(seen) == []
        assert all((tmp_path / unit.key).exists() for unit in work)


def reasons(outcomes: list[UnitOutcome]) -> list[str]:
    return [outcome.failure.reason for outcome in outcomes if outcome.failure]


def test_ray_is_asked_for_by_its_command_where_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r'executor="ray": expected the package ray, .* run: pip install "heatproof\[ray\]"'):
        RayExecutor()


@pytest.mark.parametrize("settings", [{"workers": 0}, {"cpus": 0}, {"gpus": -1}, {"gpus": 1.5}, {"retries": -1}])
def test_impossible_numbers_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(settings))}: expected"):
        partial(RayExecutor, **settings)()


def test_own_modules_are_those_of_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "own_nets_of_ray").mkdir()
    (tmp_path / "own_nets_of_ray" / "__init__.py").touch()
    (tmp_path / "own_file_of_ray.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    __import__("own_nets_of_ray"), __import__("own_file_of_ray")
    assert ray_cluster.own_modules() == [str(tmp_path / "own_file_of_ray.py"), str(tmp_path / "own_nets_of_ray")]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_an_address_where_nobody_listens_is_refused_before_ray_tries_it(address, monkeypatch):
    with pytest.raises(
        UsageError, match=f"expected a Ray cluster at {re.escape(address)} that can be used, got ConnectionRefusedError"
    ):
        connect_without_ray(address, monkeypatch)


@pytest.mark.parametrize(
    ("banner", "got"),
    [
        (b"", "no answer"),
        (b"SSH-2.0-Open", "the answer b'SSH-2.0-O'"),
        (b"HTTP/1.1 400 Bad Request\r\n", "the answer b'HTTP/1.1 '"),
    ],
)
def test_a_port_that_listens_and_is_no_ray_is_refused_before_ray_tries_it(banner, got, monkeypatch):
    monkeypatch.setattr(ray_cluster, "ANSWERS_WITHIN", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        kept: list[socket.socket] = []

        def serve() -> None:
            connection, _ = server.accept()
            connection.sendall(banner)
            kept.append(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(UsageError, match=f"expected a Ray cluster at {address} .* listens there and gives ({got}), as no Ray"):
            connect_without_ray(address, monkeypatch)
        thread.join()
        kept[0].close()


def connect_without_ray(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    ray = SimpleNamespace(is_initialized=lambda: False, init=started.append, shutdown=lambda: None)
    monkeypatch.setattr(ray_cluster.importlib, "import_module", lambda _: ray)
    try:
        ray_cluster.connect(address, 1)
    finally:
        assert not started
