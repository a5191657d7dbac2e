"""The folders of the BAM data set: MSCOCO objects pasted into MiniPlaces scenes, with the labels of both.

    path/obj/train/<object>/<object>-<scene>-<number>.jpg       path/obj/val/<object>-<scene>-<number>.jpg
    path/scene/train/<scene>/…                                  path/scene/val/…
    path/scene_only/train/<scene>/…                             path/scene_only/val/…       the same names, without objects
    path/obj/loc.txt, path/obj/val_loc.txt                      <name> <top>,<left>,<bottom>,<right> of each object

Source: Yang & Kim, "Benchmarking attribution methods with relative feature importance", 2019, and the layout that its code writes.
Differs from the code because the region of an object is found by comparing the image with its scene inside the box around the
object: the masks of the set are pickled arrays, which run code when they are read.
"""

from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image, ImageChops

from heatproof.core.errors import DataError, ImageRefused
from heatproof.data.base import Dataset, Item, bytes_digest, round_robin
from heatproof.data.image_files import file_digest, image_files, open_item

OBJECTS = ("backpack", "bird", "dog", "elephant", "kite", "pizza", "stop_sign", "toilet", "truck", "zebra")
SCENES = (
    *("bamboo_forest", "bedroom", "bowling_alley", "bus_interior", "cockpit"),
    *("corn_field", "laundromat", "runway", "ski_slope", "track"),
)

DIFFERENCE = 20
"""The difference of the 8-bit values of any channel above which a pixel in the box belongs to the object: JPEG moves less."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""


class BamFolder(Dataset):
    """The original images: objects before scenes, with the label of the object or of the scene.

    The classes alternate, so that the first n images contain all of them.

    path    the folder that contains obj, scene and scene_only.
    label   whether the label is that of the object or of the scene.
    shown   both the object and the scene, or the scene alone.
    part    train or val.

    Raises:
        DataError: The folder or one of its files is missing, or a name is not that of an object and a scene.
    """

    path: Path
    label: Literal["object", "scene"] = "object"
    shown: Literal["both", "scene"] = "both"
    part: Literal["train", "val"] = "val"

    @property
    def class_names(self) -> tuple[str, ...]:
        return OBJECTS if self.label == "object" else SCENES

    def items(self) -> list[Item]:
        files = list(self._files())
        if not files:
            raise DataError(
                f"{self.path}: no images of BAM in {self._folder}/{self.part}; give the folder that contains obj and scene"
            )
        labels = [self.class_names.index(self._classes(file.name)[self.label == "scene"]) for file in files]
        chosen = round_robin(labels)[: self.count]
        return [self._item(files[index], labels[index]) for index in chosen]

    def open(self, item: Item) -> Image.Image:
        return open_item(item, self.path)

    def region(self, item: Item) -> Image.Image:
        """The pixels in the box around the object that differ from the scene."""
        name = PurePosixPath(item.name).name
        box = self._boxes().get(name)
        if box is None:
            raise ImageRefused(item.name, f"no box of it in {self._box_file()}; copy the file again")
        image, scene = (self._open("obj", name).convert("RGB"), self._open("scene_only", name).convert("RGB"))
        if image.size != scene.size:
            raise ImageRefused(item.name, f"{image.size} pixels, and {scene.size} without the object; copy both again")
        differs = np.asarray(ImageChops.difference(image, scene)).max(2) > DIFFERENCE
        inside = np.zeros_like(differs)
        left, top, right, bottom = box
        inside[top:bottom, left:right] = differs[top:bottom, left:right]
        return Image.fromarray(np.where(inside, 255, 0).astype(np.uint8))

    def scene(self, item: Item) -> Image.Image:
        return self._open("scene_only", PurePosixPath(item.name).name)

    @property
    def _folder(self) -> str:
        return "scene_only" if self.shown == "scene" else "obj"

    def _files(self) -> list[Path]:
        root = self.path / self._folder / self.part
        if self.part == "val":
            return image_files(root)
        names = OBJECTS if self._folder == "obj" else SCENES
        return [file for name in names if (root / name).is_dir() for file in image_files(root / name)]

    def _item(self, file: Path, label: int) -> Item:
        name = file.name
        box, scene = self._boxes().get(name), self._file("scene_only", name)
        found = repr(box) + file_digest(scene) + file_digest(self._file("obj", name)) if box and scene.is_file() else ""
        where = ("mask", bytes_digest(found.encode())) if found else ("none", "")
        return Item(file.relative_to(self.path).as_posix(), file_digest(file), label, *where)  # type: ignore[arg-type]  # a literal

    def _classes(self, name: str) -> tuple[str, str]:
        parts = name.split("-")
        if len(parts) != 3 or parts[0] not in OBJECTS or parts[1] not in SCENES:
            raise DataError(f"{self.path}: {name}: expected <object>-<scene>-<number>.jpg with names of BAM; move other files away")
        return parts[0], parts[1]

    def _file(self, folder: str, name: str) -> Path:
        object_name, scene_name = self._classes(name)
        inner = {"obj": object_name}.get(folder, scene_name)
        return self.path / folder / self.part / (name if self.part == "val" else f"{inner}/{name}")

    def _open(self, folder: str, name: str) -> Image.Image:
        file = self._file(folder, name)
        return open_item(Item(file.relative_to(self.path).as_posix(), ""), self.path)

    def _box_file(self) -> Path:
        return self.path / "obj" / ("val_loc.txt" if self.part == "val" else "loc.txt")

    def _boxes(self) -> dict[str, Box]:
        file = self._box_file()
        try:
            return _read_boxes(file, file.stat().st_mtime_ns)
        except OSError as error:
            raise DataError(f"{file}: expected the boxes around the objects, found none ({error.strerror}); check `path`") from None


@lru_cache(maxsize=4)
def _read_boxes(file: Path, _changed: int) -> dict[str, Box]:
    """The boxes of the file, by the names of the images. The file is read again when it has changed."""
    boxes: dict[str, Box] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        name, _, numbers = line.strip().rpartition(" ")
        try:
            top, left, bottom, right = map(int, numbers.split(","))
        except ValueError:
            raise DataError(f"{file}: line {number}: expected <name> <top>,<left>,<bottom>,<right>, got {line[:60]!r}") from None
        if not name or not (0 <= top < bottom and 0 <= left < right):
            raise DataError(f"{file}: line {number}: expected <name> and a box with sides above 0, got {line[:60]!r}")
        boxes[name] = left, top, right, bottom
    return boxes
