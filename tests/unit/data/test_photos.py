import pytest

from heatproof.core.errors import DataError, ImageRefused, UnknownNameError
from heatproof.data import Item, Photos


def test_there_are_forty_and_the_good_twelve_come_first():
    stems = [item.name.removesuffix(".jpg") for item in Photos().items()]
    assert len(stems) == len(set(stems)) == 40
    assert tuple(stems[:12]) == Photos.TWELVE
    assert stems[12:] == sorted(stems[12:])


def test_every_photograph_opens_in_the_size_the_index_gives():
    photos = Photos()
    for item in photos.items():
        image, about = photos.open(item), photos.about(item)
        assert image.size == about.size
        assert image.mode in ("L", "RGB")
        assert item.label == about.labels[0]
        assert len(about.labels) == len(about.label_names)


def test_every_photograph_says_who_made_it_and_that_it_is_free():
    photos = Photos()
    for about in map(photos.about, photos.items()):
        assert about.licence in ("Public Domain", "CC0-1.0")
        assert about.author
        assert about.source in about.credit


def test_boxes_lie_inside_the_photograph():
    photos = Photos()
    for about in map(photos.about, photos.items()):
        for left, top, right, bottom in about.boxes:
            assert 0 <= left < right <= about.size[0]
            assert 0 <= top < bottom <= about.size[1]


def test_twenty_six_have_a_mask_of_their_own_size_that_is_neither_empty_nor_full():
    photos = Photos()
    masks = [(photos.mask(item), photos.about(item)) for item in photos.items()]
    masks = [(mask, about) for mask, about in masks if mask]
    assert len(masks) == 26
    for mask, about in masks:
        assert (mask.mode, mask.size) == ("L", about.size)
        assert 0 < sum(mask.histogram()[128:]) < mask.width * mask.height


def test_an_item_says_which_region_it_has():
    found = {regions: Photos(regions=regions).items() for regions in ("mask", "box")}
    counts = {regions: sum(item.region == regions for item in items) for regions, items in found.items()}
    assert counts == {"mask": 26, "box": 35}
    for regions, items in found.items():
        photos = Photos(regions=regions)
        known = [item for item in items if item.region != "none"]
        assert len({item.region_digest for item in known}) == len(known)
        assert all((photos.region(item) is None) == (item.region == "none") for item in items)


def test_boxes_cover_their_pixels_and_no_more():
    photos = Photos(names=("panda",), regions="box")
    (item,) = photos.items()
    ((left, top, right, bottom),) = photos.about(item).boxes
    region = photos.region(item)
    assert region.size == photos.about(item).size
    assert region.getbbox() == (left, top, right, bottom)
    assert region.histogram()[255] == (right - left) * (bottom - top)


def test_names_pick_photographs_in_the_given_order():
    items = Photos(names=("koala", "panda")).items()
    assert [(item.name, item.label) for item in items] == [("koala.jpg", 105), ("panda.jpg", 388)]


def test_count_applies_to_names_too():
    assert [item.name for item in Photos(names=("koala", "panda"), count=1).items()] == ["koala.jpg"]


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no photograph is called 'pnda'\. Did you mean panda"):
        Photos(names=("pnda",)).items()
    with pytest.raises(UnknownNameError):
        Photos().about(Item("pnda.jpg", ""))


def test_no_names_at_all_are_an_error():
    with pytest.raises(DataError, match="expected at least one name"):
        Photos(names=()).items()


def test_an_item_of_another_set_is_refused():
    with pytest.raises(ImageRefused, match="no such file"):
        Photos().open(Item("digit 3", ""))
