"""Feature groups: which values of an input are present or absent together, one kind in each file; the exports are the registry."""

from heatproof.perturb.groups.base import Groups
from heatproof.perturb.groups.feature_groups import FeatureGroups
from heatproof.perturb.groups.felzenszwalb import Felzenszwalb
from heatproof.perturb.groups.given_groups import GivenGroups
from heatproof.perturb.groups.patches import Patches
from heatproof.perturb.groups.pixels import Pixels
from heatproof.perturb.groups.quickshift import Quickshift
from heatproof.perturb.groups.regular_grid import RegularGrid
from heatproof.perturb.groups.slic import Slic

__all__ = ["FeatureGroups", "Felzenszwalb", "GivenGroups", "Groups", "Patches", "Pixels", "Quickshift", "RegularGrid", "Slic"]
