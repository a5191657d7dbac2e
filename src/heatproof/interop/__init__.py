"""Other tools: their objects as methods and models, ours by their calls, maps in their loggers. Nothing of them is required."""

from heatproof.interop.captum_method import CaptumMethod
from heatproof.interop.captum_style import CaptumStyle
from heatproof.interop.given_map import GivenMap
from heatproof.interop.grad_cam_style import GradCamStyle
from heatproof.interop.huggingface_objects import from_pipeline, from_processor
from heatproof.interop.lightning_callback import lightning_callback
from heatproof.interop.map_pictures import log_maps
from heatproof.interop.quantus_style import quantus_explain_func
from heatproof.interop.several_inputs import SeveralInputs
from heatproof.interop.zennit_method import ZennitMethod

__all__ = [
    "CaptumMethod",
    "CaptumStyle",
    "GivenMap",
    "GradCamStyle",
    "SeveralInputs",
    "ZennitMethod",
    "from_pipeline",
    "from_processor",
    "lightning_callback",
    "log_maps",
    "quantus_explain_func",
]
