"""Folders and files of BigGAN-PyTorch and of pytorch-pretrained-BigGAN, and to which of our configs they lead."""

import json

from etils import epath

from gan_jax.errors import UserError
from gan_jax.weights import biggan, biggan_deep, licences, tensors, torch_file
from gan_jax.weights.published import AS_PUBLISHED, MISSING, Published, current, described, shapes_of, with_places

_AVERAGED_AT_ONCE = {"ema.start": "0 steps"}


def read(path: epath.Path) -> Published:
    """A folder of BigGAN-PyTorch with G.pth, D.pth, G_ema.pth (some may be missing), or one generator's file."""
    files = {name: path / f"{name}.pth" for name in ("G", "D", "G_ema")} if path.is_dir() else {"G_ema": path}
    found = {name: tensors.read(file) for name, file in files.items() if file.exists() or not path.is_dir()}
    if not found.keys() & {"G", "G_ema"}:
        raise UserError(
            f"{path} has neither G.pth nor G_ema.pth: expected a folder of BigGAN-PyTorch, or give one file"
        )
    notes = [f"there is no {name}.pth{instead}" for name, instead in MISSING.items() if name not in found]
    generator = found.get("G_ema", found.get("G"))
    with described(path):
        parts = {name: with_places(values, biggan.places) for name, values in found.items()}
        shapes = shapes_of(generator)
        fields = biggan.describe_generator(shapes)
        if "D" in found:
            fields |= biggan.describe_discriminator(shapes_of(found["D"]), fields["data.resolution"])
        else:
            fields |= {"model.D.channels": fields["model.G.channels"], "model.D.attention": fields["model.G.attention"]}
        fields["phases.conditioning.name"] = "projection" if fields["data.num_classes"] else "none"
    epsilons, note = _epsilons(path / "state_dict.pth")
    config = "biggan_deep_imagenet128" if biggan.is_deep(shapes) else "biggan_imagenet128"
    if not biggan.is_deep(shapes) and not fields["model.G.shared_embedding"]:
        config = "biggan_cifar10"
    return Published(
        f"configs/{config}.py",
        {**AS_PUBLISHED, **_AVERAGED_AT_ONCE, **epsilons, **fields},
        current(parts),
        {"G": parts["G_ema"]} if "G_ema" in parts else {},
        (*notes, note),
        licences.BIGGAN,
        files=tuple(files[name] for name in found),
    )


def _epsilons(path: epath.Path) -> tuple[dict[str, float], str]:
    """The epsilons of a run's own settings, and a sentence on where they come from."""
    try:
        run = torch_file.read(path)
        settings = run["config"]
        bn_eps, sn_eps = settings["BN_eps"], settings["SN_eps"]
        note = f"BN_eps {bn_eps} and SN_eps {sn_eps} as in state_dict.pth, written at step {run['itr']}"
        return {"model.G.bn_eps": bn_eps, "model.G.sn_eps": sn_eps, "model.D.sn_eps": sn_eps}, note
    except (UserError, KeyError, TypeError):
        return {}, (
            "state_dict.pth cannot be read, so BN_eps is taken for 1e-5: change it by --config.model.G.bn_eps=VALUE "
            "(1e-4 for networks converted from TF-Hub)"
        )


def read_deep(path: epath.Path, truncation: float = 1.0) -> Published:
    """pytorch_model.bin (or .safetensors) with config.json beside it."""
    file = path if not path.is_dir() else path / "pytorch_model.bin"
    settings_file = file.with_name("config.json")
    values = tensors.read(file)
    with torch_file.reading(settings_file):
        settings = json.loads(settings_file.read_text())
    with described(path):
        fields = biggan_deep.describe(settings)
        generator = with_places(biggan_deep.with_one_row(values, truncation), biggan_deep.places)
    return Published(
        "configs/biggan_deep_imagenet128.py",
        {**AS_PUBLISHED, **_AVERAGED_AT_ONCE, **fields},
        {"G": generator},
        {"G": generator},
        (
            f"statistics of truncation {truncation:g}: sample with --truncation={truncation:g} --truncation-form=threshold, "
            "and import again with another --truncation for another",
            "only the generator was published: the discriminator begins untrained",
        ),
        licences.BIGGAN_DEEP,
        files=(file, settings_file),
    )
