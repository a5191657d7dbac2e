import os
import time

from heatproof.store.claims import Claims


def test_one_process_of_many_gets_a_unit(tmp_path):
    claims = [Claims(tmp_path) for _ in range(5)]
    assert [each.take("u1") for each in claims] == [True, False, False, False, False]


def test_only_the_holder_gives_a_unit_up(tmp_path):
    mine, yours = Claims(tmp_path), Claims(tmp_path)
    mine.take("u1")
    yours.release("u1")
    assert not yours.take("u1")
    mine.release("u1")
    assert yours.take("u1")


def test_a_claim_that_nobody_renews_is_taken_over_by_one(tmp_path):
    dead, claims = Claims(tmp_path), [Claims(tmp_path, stale=60) for _ in range(3)]
    dead.take("u1")
    os.utime(tmp_path / "claims" / "u1", (time.time() - 61,) * 2)
    assert [each.take("u1") for each in claims] == [True, False, False]
    assert [file.name for file in (tmp_path / "claims").iterdir()] == ["u1"]


def test_a_claim_is_renewed_while_its_unit_is_computed(tmp_path):
    mine, yours = Claims(tmp_path, stale=0.4), Claims(tmp_path, stale=0.4)
    mine.take("u1")
    with mine.renewing("u1"):
        os.utime(tmp_path / "claims" / "u1", (0, 0))
        deadline = time.monotonic() + 30
        while os.stat(tmp_path / "claims" / "u1").st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert os.stat(tmp_path / "claims" / "u1").st_mtime > 0
    assert yours.take("u1")
