"""What a figure says."""

from matplotlib.text import Text

from heatproof.pictures.picture import Picture


def words(picture: Picture) -> str:
    """All texts of a figure, one a line."""
    return "\n".join(text.get_text().replace("\n", " ") for text in picture.figure.findobj(Text) if text.get_text())


def pixels_of_axes(picture: Picture) -> list:
    """The arrays of all images of a figure, in their order."""
    return [image.get_array() for axes in picture.figure.axes for image in axes.images]
