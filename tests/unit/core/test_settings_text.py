import pytest

from heatproof.core.errors import SettingsError
from heatproof.core.settings_text import parse_settings


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("gradient", {"name": "gradient"}),
        ("smooth_grad,samples=20", {"name": "smooth_grad", "samples": 20}),
        ("smooth_grad,noise.sigma=0.2,noise.antithetic=true", {"name": "smooth_grad", "noise": {"sigma": 0.2, "antithetic": True}}),
        ("integrated_gradients,baseline=white", {"name": "integrated_gradients", "baseline": "white"}),
        ("photos,names=['dog', 'panda'],count=1", {"name": "photos", "names": ["dog", "panda"], "count": 1}),
        ("x,a=1,a.b=2", {"name": "x", "a": {"name": 1, "b": 2}}),
    ],
)
def test_settings_are_toml_values_after_commas(text, settings):
    assert parse_settings(text) == settings


@pytest.mark.parametrize("text", ["smooth_grad,samples", "smooth_grad,=3"])
def test_a_part_without_a_key_or_value_is_refused(text):
    with pytest.raises(SettingsError, match="key=value"):
        parse_settings(text)
