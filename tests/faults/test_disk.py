"""The disk refuses to write, at each operation in turn: one clear line, a whole store, and the same records after a new start."""

import errno

import pytest

from heatproof.core.errors import StorageError
from heatproof.evaluation.executors import SerialExecutor, SharedExecutor
from heatproof.evaluation.worker import forget
from heatproof.store.run_log import logged_units
from tests.faults.faulty_disk import FaultyDisk
from tests.faults.small_run import check_consistent, content, experiment, start


def refused(disk, wanted, folder, executor):
    """Start a run on a faulty disk; the message by which it ends, or nothing if all went well."""
    try:
        with disk.in_place():
            start(wanted, folder, executor)
    except StorageError as error:
        return str(error)
    finally:
        forget()
    return ""


@pytest.mark.parametrize(
    ("executor", "stride"), [(SerialExecutor(), 1), (SharedExecutor(stale=0.02, wait=0.001), 7)], ids=["serial", "shared"]
)
def test_a_disk_that_is_full_or_read_only_from_any_operation_on_costs_no_result(executor, stride, tmp_path):
    wanted = experiment(tmp_path, methods=["gradient"], metrics=["sparseness"])
    start(wanted, tmp_path / "undisturbed")
    whole = content(tmp_path / "undisturbed")
    disk = FaultyDisk(tmp_path / "counted", at=None, code=errno.EROFS)
    assert refused(disk, wanted, tmp_path / "counted", executor) == ""
    assert min(disk.seen[operation] for operation in ("open", "write", "fsync", "mkdir", "replace", "link", "unlink")) > 0

    for at in range(1, disk.operations + 1, stride):
        folder = tmp_path / str(at)
        full = FaultyDisk(folder, at, errno.ENOSPC)
        message = refused(full, wanted, folder, executor)
        assert "\n" not in message
        if full.operations >= at:
            assert "No space left on device" in message
            assert "free space on this disk, then start the same command again" in message
        check_consistent(folder)
        if at % 3 == 0:
            message = refused(FaultyDisk(folder, 1 + at // 2, errno.EROFS), wanted, folder, executor)
            assert not message or "Read-only file system'; make the folder writable or choose another one" in message
            check_consistent(folder)
        start(wanted, folder, executor)
        assert content(folder) == whole, at


def test_the_log_that_a_full_disk_tears_is_read(tmp_path):
    wanted = experiment(tmp_path)
    for at in range(8, 40, 8):
        refused(FaultyDisk(tmp_path / "run", at), wanted, tmp_path / "run", SerialExecutor())
    start(wanted, tmp_path / "run")
    assert {unit.unit for unit in logged_units(tmp_path / "run") if unit.outcome == "done"} == set(content(tmp_path / "run")[0])
