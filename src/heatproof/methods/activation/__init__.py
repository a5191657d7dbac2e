"""Class activation maps: methods that weight the channels, or the values, of the activation of a layer."""

from heatproof.methods.activation.ablation_cam import AblationCam
from heatproof.methods.activation.eigen_cam import EigenCam
from heatproof.methods.activation.grad_cam import GradCam
from heatproof.methods.activation.grad_cam_plus_plus import GradCamPlusPlus
from heatproof.methods.activation.hires_cam import HiresCam
from heatproof.methods.activation.layer_cam import LayerCam
from heatproof.methods.activation.score_cam import ScoreCam
from heatproof.methods.activation.xgrad_cam import XgradCam

__all__ = ["AblationCam", "EigenCam", "GradCam", "GradCamPlusPlus", "HiresCam", "LayerCam", "ScoreCam", "XgradCam"]
