"""Data sets of images, one in each file; the exports are the registry. An image that cannot be used is refused by name, with a
remedy.
"""

from heatproof.data.arrays import Arrays
from heatproof.data.bam_folder import BamFolder
from heatproof.data.base import UNREADABLE, Dataset, Item
from heatproof.data.decoding import FORMATS, MAX_ASPECT, MAX_PIXELS, MIN_SIDE, open_image
from heatproof.data.digits import Digits
from heatproof.data.faces import Faces
from heatproof.data.folder import Folder
from heatproof.data.image_folder import ImageFolder
from heatproof.data.loading import LoadedImages, load, load_images, load_regions, load_scenes
from heatproof.data.mini_bam import MiniBam
from heatproof.data.molecular_graphs import molecule_tensor
from heatproof.data.molecules import Molecules
from heatproof.data.mosaics import Mosaics
from heatproof.data.photos import Photograph, Photos
from heatproof.data.planted_marks import PlantedMarks
from heatproof.data.planted_patches import PlantedPatches
from heatproof.data.torchvision_set import TorchvisionSet

__all__ = [
    "FORMATS",
    "MAX_ASPECT",
    "MAX_PIXELS",
    "MIN_SIDE",
    "UNREADABLE",
    "Arrays",
    "BamFolder",
    "Dataset",
    "Digits",
    "Faces",
    "Folder",
    "ImageFolder",
    "Item",
    "LoadedImages",
    "MiniBam",
    "Molecules",
    "Mosaics",
    "Photograph",
    "Photos",
    "PlantedMarks",
    "PlantedPatches",
    "TorchvisionSet",
    "load",
    "load_images",
    "load_regions",
    "load_scenes",
    "molecule_tensor",
    "open_image",
]
