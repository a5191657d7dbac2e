import json
import math
from dataclasses import fields

from heatproof.core.records import Failure, Record

GIVEN = {
    "unit": "u", "model": "m", "method": "gradient", "method_label": "Gradient", "method_settings": "{}", "metric": "x",
    "metric_settings": "{}", "direction": "lower", "image": "ab", "image_name": "a.png", "target": 1, "clean_score": 2.0,
    "clean_probability": 0.5, "seed": 0, "value": 1.5, "forward_rows": 3, "backward_rows": 2, "seconds": 0.1,
}  # fmt: skip


def test_a_record_is_plain_values_in_field_order() -> None:
    plain = Record(**GIVEN).to_dict()
    assert list(plain) == [field.name for field in fields(Record)]
    assert Record(**json.loads(json.dumps({k: v for k, v in plain.items() if v == v}))).to_dict().keys() == plain.keys()


def test_what_was_not_measured_is_nan_and_what_is_not_there_is_empty() -> None:
    record = Record(**GIVEN)
    assert math.isnan(record.error)
    assert (record.component, record.curve, record.notes) == ("", [], "")


def test_a_failure_is_plain_values() -> None:
    plain = {"unit": "u", "what": "image", "reason": "broken", "traceback": ""}
    assert Failure(unit="u", what="image", reason="broken").to_dict() == plain
