"""Settings on the command line are read as everywhere else: `smooth_grad,samples=20,noise.sigma=0.2`."""

from heatproof.core.settings_text import parse_settings

__all__ = ["parse_settings"]
