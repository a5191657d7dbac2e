"""The tasks that end in maps."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.tasks.networks import Segmenting, TwoInputs, convolutional, drawn, grad_cam, integrated_gradients
from benchmarks.tasks.task import Names, Side, Task, near, near_up_to_scale

CLASS = 1


def images() -> Names:
    """A convolutional network and an image."""
    return {"network": convolutional(), "image": drawn(1, 3, 64, 64)}


def cam_of(names: Names, key: str = "image", layer: Callable[[Any], Any] = lambda network: network[4]) -> Tensor:
    """Grad-CAM by hand of the class that is explained."""
    network, x = names["network"], names[key]
    return grad_cam(network, layer(network), x, int(network(x).argmax()) if "class" not in names else names["class"])


def stated(numbers: Any) -> bool:
    """Whether there is a finite number."""
    return bool(torch.isfinite(torch.as_tensor(numbers)).all())


def _vision_transformer() -> Names:
    import timm

    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=3, img_size=64).eval()
    return {"network": network, "image": drawn(1, 3, 64, 64)}


def _hugging_face() -> Names:
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "num_labels": 3}
    network: nn.Module = ResNetForImageClassification(ResNetConfig(**sizes, layer_type="basic"))
    return {"network": network.eval(), "image": drawn(1, 3, 64, 64)}


def _last_tokens(names: Names) -> Tensor:
    network, x = names["network"], names["image"]

    def grid(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, 4, 4)

    return grad_cam(network, network.blocks[-1].norm1, x, int(network(x).argmax()), grid)


def _hugging_face_cam(names: Names) -> Tensor:
    network, x = names["network"], names["image"]
    return grad_cam(network, network.resnet.encoder.stages[-1], x, int(network(x).logits.argmax()))


def _segmentation_cam(names: Names) -> Tensor:
    """The class's own pixels, and the layer `features`."""
    network, x = names["network"], names["image"]
    with torch.no_grad():
        own = network(x)["out"].argmax(1) == CLASS

    class Summed(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.as_tensor(network(inputs)["out"] * own).flatten(2).sum(2)

    return grad_cam(Summed(), network.features, x, CLASS)


def _both(names: Names, found: Any) -> bool:
    """Integrated gradients of two inputs by their joint path, 2000 midpoints."""
    network, steps = names["network"], 2000
    alpha = ((torch.arange(steps) + 0.5) / steps)[:, None]
    points = [(alpha.view(-1, *[1] * (x.ndim - 1)) * x).requires_grad_() for x in (names["image"], names["row"])]
    slopes = torch.autograd.grad(network(*points)[:, CLASS].sum(), points)
    return all(
        near(mine, x * slope.mean(0, keepdim=True))
        for mine, x, slope in zip(found, (names["image"], names["row"]), slopes, strict=True)
    )


def _occluded(names: Names) -> Tensor:
    """The drop of the class's score when a window of 8 × 8 is black."""
    network, x = names["network"], names["image"]
    expected = torch.zeros_like(x)
    with torch.no_grad():
        clean = network(x)[0, CLASS]
        for top in range(0, 64, 8):
            for left in range(0, 64, 8):
                hidden = x.clone()
                hidden[:, :, top : top + 8, left : left + 8] = 0
                expected[:, :, top : top + 8, left : left + 8] = clean - network(hidden)[0, CLASS]
    return expected.sum(1, keepdim=True)


def _same_shape(found: Any, expected: Tensor) -> bool:
    """Whether two maps are the same up to one factor, which conventions choose."""
    values = torch.as_tensor(found).detach().double().flatten()
    return bool(torch.corrcoef(torch.stack([values, expected.double().flatten()]))[0, 1] > 0.999)


def _ours(code: str, expected: Callable[[Names], Tensor], **more: Any) -> Side:
    """Our way to an activation map, which is raw."""
    return Side(
        "heatproof",
        code,
        {
            "right": lambda names: near(names["maps"].values.sum(1), expected(names)),
            "raw": lambda names: near(names["maps"].values.sum(1), expected(names)),
            **more,
        },
    )


def _theirs(code: str, expected: Callable[[Names], Tensor], **more: Any) -> Side:
    """grad-cam's way to one, which is scaled to [0, 1]."""
    return Side(
        "grad-cam",
        code,
        {
            "right": lambda names: near_up_to_scale(names["cam"], expected(names)),
            "raw": lambda names: near(names["cam"], expected(names)),
            **more,
        },
    )


def _captums(code: str, expected: Callable[[Names], Tensor]) -> Side:
    return Side(
        "captum",
        code,
        {"right": lambda names: near(names["cam"], expected(names)), "raw": lambda names: near(names["cam"], expected(names))},
    )


IMPORTS = """import heatproof as hp
"""
TASKS = (
    Task(
        1,
        "Grad-CAM over a photograph",
        images,
        _theirs(
            """from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import show_cam_on_image

cam = GradCAM(model=network, target_layers=[network[4]])(input_tensor=image, targets=None)
picture = show_cam_on_image(image[0].permute(1, 2, 0).numpy(), cam[0], use_rgb=True)
""",
            cam_of,
            picture=lambda names: names["picture"].shape == (64, 64, 3),
        ),
        _ours(
            IMPORTS
            + """
maps = hp.methods.GradCam().attribute(hp.Model(network, hp.Bounds.of(0, 1, channels=3)), image)
picture = maps.overlay(image)[0]
""",
            cam_of,
            picture=lambda names: names["picture"].shape == (64, 64, 3),
        ),
        poison="image",
    ),
    Task(
        2,
        "Integrated gradients, and whether they converged",
        images,
        Side(
            "captum",
            """from captum.attr import IntegratedGradients

maps, delta = IntegratedGradients(network).attribute(image, target=1, return_convergence_delta=True)
""",
            {
                "right": lambda names: near(names["maps"], integrated_gradients(names["network"], names["image"], CLASS), 0.05),
                "raw": lambda names: names["maps"].shape == names["image"].shape,
                "error": lambda names: stated(names["delta"]),
            },
        ),
        Side(
            "heatproof",
            IMPORTS
            + """
maps = hp.methods.IntegratedGradients().attribute(hp.Model(network, hp.Bounds.of(0, 1, channels=3)), image, target=1)
""",
            {
                "right": lambda names: near(
                    names["maps"].values, integrated_gradients(names["network"], names["image"], CLASS), 0.05
                ),
                "raw": lambda names: names["maps"].values.shape == names["image"].shape,
                "error": lambda names: stated(names["maps"].gap),
            },
        ),
        poison="image",
    ),
    Task(
        3,
        "Six methods on one photograph, drawn",
        images,
        Side(
            "captum",
            """import matplotlib.pyplot as plt
from captum.attr import DeepLift, GuidedBackprop, InputXGradient, IntegratedGradients, LayerAttribution, LayerGradCam, Saliency

methods = (Saliency, InputXGradient, IntegratedGradients, DeepLift, GuidedBackprop)
found = {each.__name__: each(network).attribute(image, target=1) for each in methods}
found["GradCam"] = LayerAttribution.interpolate(LayerGradCam(network, network[4]).attribute(image, target=1), (64, 64))
figure, axes = plt.subplots(1, 6)
for axis, (name, values) in zip(axes, found.items()):
    axis.imshow(values.detach()[0].sum(0))
    axis.set_title(name)
figure.savefig("maps.png")
""",
            {
                "right": lambda names: near(
                    names["found"]["IntegratedGradients"], integrated_gradients(names["network"], names["image"], CLASS), 0.05
                ),
                "error": lambda names: False,
                "picture": lambda names: bool(names["files"]),
            },
        ),
        Side(
            "heatproof",
            IMPORTS
            + """
model = hp.Model(network, hp.Bounds.of(0, 1, channels=3))
methods = ("gradient", "input_x_gradient", "integrated_gradients", "deep_lift", "guided_backprop", "grad_cam")
found = {name: hp.methods.Method.from_dict(name).attribute(model, image, target=1) for name in methods}
for name, maps in found.items():
    maps.save(f"{name}.png", image)
""",
            {
                "right": lambda names: near(
                    names["found"]["integrated_gradients"].values,
                    integrated_gradients(names["network"], names["image"], CLASS),
                    0.05,
                ),
                "error": lambda names: stated(names["found"]["integrated_gradients"].gap),
                "picture": lambda names: len(names["files"]) == 6,
            },
        ),
        poison="image",
    ),
    Task(
        7,
        "Grad-CAM of a vision transformer",
        _vision_transformer,
        _theirs(
            """from pytorch_grad_cam import GradCAM


def to_grid(tokens):
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, 4, 4)


layers = [network.blocks[-1].norm1]
cam = GradCAM(model=network, target_layers=layers, reshape_transform=to_grid)(input_tensor=image, targets=None)
""",
            _last_tokens,
        ),
        _ours(
            IMPORTS
            + """
maps = hp.methods.GradCam().attribute(hp.Model(network, hp.Bounds.of(0, 1, channels=3)), image)
""",
            _last_tokens,
        ),
        poison="image",
    ),
    Task(
        8,
        "Grad-CAM of a convolutional network of Hugging Face",
        _hugging_face,
        _theirs(
            """import torch
from pytorch_grad_cam import GradCAM


class Logits(torch.nn.Sequential):
    def forward(self, x):
        return self[0](x).logits


cam = GradCAM(model=Logits(network), target_layers=[network.resnet.encoder.stages[-1]])(input_tensor=image, targets=None)
""",
            _hugging_face_cam,
        ),
        _ours(
            IMPORTS
            + """
maps = hp.methods.GradCam().attribute(hp.Model(network, hp.Bounds.of(0, 1, channels=3)), image)
""",
            _hugging_face_cam,
        ),
        poison="image",
    ),
    Task(
        10,
        "Grad-CAM of a signal",
        lambda: {"network": convolutional(1, 2), "signal": drawn(1, 2, 64), "class": CLASS},
        _captums(
            """from captum.attr import LayerAttribution, LayerGradCam

cam = LayerGradCam(network, network[4]).attribute(signal, target=1, relu_attributions=True)
cam = LayerAttribution.interpolate(cam, 64, "linear")
""",
            lambda names: cam_of(names, "signal"),
        ),
        _ours(
            IMPORTS
            + """
maps = hp.methods.GradCam().attribute(hp.Model(network, hp.Bounds.of(0, 1, channels=2)), signal, target=1)
""",
            lambda names: cam_of(names, "signal"),
        ),
        poison="signal",
    ),
    Task(
        11,
        "Grad-CAM of a volume",
        lambda: {"network": convolutional(3, 1), "volume": drawn(1, 1, 16, 16, 12), "class": CLASS},
        _captums(
            """from captum.attr import LayerAttribution, LayerGradCam

cam = LayerGradCam(network, network[4]).attribute(volume, target=1, relu_attributions=True)
cam = LayerAttribution.interpolate(cam, (16, 16, 12), "trilinear")
""",
            lambda names: cam_of(names, "volume"),
        ),
        _ours(
            IMPORTS
            + """
maps = hp.methods.GradCam().attribute(hp.Model(network, hp.Bounds.of(0, 1, channels=1)), volume, target=1)
""",
            lambda names: cam_of(names, "volume"),
        ),
        poison="volume",
    ),
    Task(
        12,
        "Grad-CAM of a class in a segmentation",
        lambda: {"network": Segmenting().eval(), "image": drawn(1, 3, 32, 32)},
        _theirs(
            """import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import SemanticSegmentationTarget


class Scores(torch.nn.Sequential):
    def forward(self, x):
        return self[0](x)["out"]


mask = (network(image)["out"][0].argmax(0) == 1).float().numpy()
targets = [SemanticSegmentationTarget(1, mask)]
cam = GradCAM(model=Scores(network), target_layers=[network.features])(input_tensor=image, targets=targets)
""",
            _segmentation_cam,
        ),
        _ours(
            """import heatproof as hp
from heatproof.models import SegmentedClass

model = hp.Model(network, hp.Bounds.of(0, 1, channels=3), output=SegmentedClass())
maps = hp.methods.GradCam(layer="features").attribute(model, image, target=1)
""",
            _segmentation_cam,
        ),
        poison="image",
    ),
    Task(
        13,
        "Integrated gradients of several inputs",
        lambda: {"network": TwoInputs().eval(), "image": drawn(1, 3, 8, 8), "row": drawn(1, 5)},
        Side(
            "captum",
            """from captum.attr import IntegratedGradients

maps = IntegratedGradients(network).attribute((image, row), target=1)
""",
            {"right": lambda names: _both(names, names["maps"])},
        ),
        Side(
            "heatproof",
            """from heatproof.interop import CaptumStyle
from heatproof.methods import IntegratedGradients

maps = CaptumStyle(IntegratedGradients(), network, bounds=(0, 1)).attribute((image, row), target=1)
""",
            {"right": lambda names: _both(names, names["maps"])},
        ),
        poison="row",
    ),
    Task(
        14,
        "Occlusion",
        images,
        Side(
            "captum",
            """from captum.attr import Occlusion

maps = Occlusion(network).attribute(image, target=1, sliding_window_shapes=(3, 8, 8), strides=(3, 8, 8))
""",
            {"right": lambda names: _same_shape(names["maps"].sum(1), _occluded(names))},
        ),
        Side(
            "heatproof",
            IMPORTS
            + """
maps = hp.methods.Occlusion(window=8, stride=8).attribute(hp.Model(network, hp.Bounds.of(0, 1, channels=3)), image, target=1)
""",
            {"right": lambda names: _same_shape(names["maps"].values.sum(1), _occluded(names))},
        ),
        poison="image",
    ),
    Task(
        15,
        "A map shown or saved, over its photograph",
        lambda: {**images(), "maps": _made()},
        Side(
            "captum",
            """from captum.attr import visualization

values, photograph = (each[0].permute(1, 2, 0).numpy() for each in (maps.values, image))
figure, _ = visualization.visualize_image_attr(values, photograph, "blended_heat_map", sign="all", use_pyplot=False)
figure.savefig("map.png")
""",
            {"picture": lambda names: names["files"] == ["map.png"]},
        ),
        Side(
            "heatproof",
            """maps.save("map.png", image)
""",
            {"picture": lambda names: names["files"] == ["map.png"]},
        ),
    ),
)


def _made() -> Any:
    import heatproof as hp

    given = images()
    return hp.methods.IntegratedGradients().attribute(hp.Model(given["network"], hp.Bounds.of(0, 1, channels=3)), given["image"])
