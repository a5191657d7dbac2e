"""Ten kinds of procedural grey textures, each with a random period, place, tilt and contrast."""

import numpy as np
import numpy.typing as npt
from PIL import Image

TEXTURES = (
    "horizontal stripes",
    "vertical stripes",
    "diagonal stripes",
    "chessboard",
    "dots",
    "rings",
    "waves",
    "grain",
    "clouds",
    "spokes",
)

_TILT = 0.12
"""The largest tilt, in radians."""


def texture(kind: str, side: int, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Grey values `[side, side]` of one of `TEXTURES`, none above 200.

    >>> import numpy as np
    >>> from heatproof.data.textures import texture
    >>> texture("rings", 32, np.random.default_rng(0)).shape
    (32, 32)
    """
    dark, bright = random.uniform(10, 90), random.uniform(120, 200)
    share = _shares(kind, side, random).clip(0, 1)
    grain = random.normal(0, 4, (side, side))
    values: npt.NDArray[np.uint8] = (dark + (bright - dark) * share + grain).clip(0, 200).round().astype(np.uint8)
    return values


def _shares(kind: str, side: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """How far each place is from dark, 0, to bright, 1."""
    y, x = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij")
    tilt, periods = random.uniform(-_TILT, _TILT), random.uniform(3.5, 6)
    y, x = y * np.cos(tilt) - x * np.sin(tilt), y * np.sin(tilt) + x * np.cos(tilt)
    phases, centre = random.uniform(0, 2 * np.pi, 2), random.uniform(0.2, 0.8, 2)
    down, right = 2 * np.pi * periods * y + phases[0], 2 * np.pi * periods * x + phases[1]
    match kind:
        case "horizontal stripes":
            return _steps(np.sin(down))
        case "vertical stripes":
            return _steps(np.sin(right))
        case "diagonal stripes":
            return _steps(np.sin((down + right) / np.sqrt(2)))
        case "chessboard":
            return _steps(np.sin(down) * np.sin(right))
        case "dots":
            return _steps(np.cos(down) + np.cos(right) - 0.9)
        case "rings":
            return _steps(np.sin(2 * np.pi * periods * np.hypot(y - centre[0], x - centre[1]) * 1.3 + phases[0]))
        case "waves":
            return np.asarray(0.5 + 0.5 * np.sin(down + 2.2 * np.sin(2 * np.pi * 2 * x + phases[1])))
        case "grain":
            return random.uniform(0, 1, (side, side))
        case "clouds":
            coarse = Image.fromarray(random.uniform(0, 255, (5, 5)).astype(np.uint8))
            return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float64) / 255
        case "spokes":
            angle = np.arctan2(y - centre[0], x - centre[1])
            return _steps(np.sin(round(periods * 1.8) * angle + phases[0]))
    raise ValueError(f"texture: expected one of {', '.join(TEXTURES)}, got {kind!r}")


def _steps(waves: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bright where a wave is above 0, with soft edges."""
    return 0.5 + 0.5 * np.tanh(4 * waves)
