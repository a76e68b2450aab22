"""The contract between a GAN and the engine: what a file in `gan_jax.recipes` describes.

A recipe is a pure description: named networks, the players that own them, a table of phases (each one kind of
update with its loss), how to average weights and how to sample. It knows nothing of devices, microbatches,
optimiser states or checkpoints; the engine does those for every GAN alike.

A loss is a pure function `loss(view, batch, key) -> (value, Out)`. `value` is a scalar that is a mean over the
microbatch, or `{player: scalar}` when several players are updated at once by losses of their own.
"""

import dataclasses
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from gan_jax.engine import durations, sharding
from gan_jax.errors import ConfigError

Tree = Any


@dataclasses.dataclass(frozen=True)
class Network:
    """A linen module and dummy arguments that touch every parameter.

    Attributes:
        module: the module; its collections other than `params` are statistics that the state keeps.
        inputs: makes the positional arguments of `module.init` (called under `jax.eval_shape` and `jit`).
        kwargs: keyword arguments of `module.init`.
    """

    module: nn.Module
    inputs: Callable[[], tuple]
    kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Player:
    """Owner of networks and of one optimiser for all of them.

    Attributes:
        networks: names of the networks whose parameters this player updates.
        optimizer: an optax transformation, or a config section that `engine.optimizers` turns into one.
        project: maps `{network: params}` to the same after every update (weight clipping).
        reset_at_stage: start the optimiser afresh when a new stage begins.
        lazy: k where a regularisation phase of its own joins the main phase every k steps: k + 1 updates where there
            were k, so a config section's rate c and decays b become c k/(k + 1) and b^(k/(k + 1)) (StyleGAN2, arXiv
            1912.04958, appendix B). The recipe multiplies the regularisation by k.
    """

    networks: tuple[str, ...]
    optimizer: Any
    project: Callable[[Tree], Tree] | None = None
    reset_at_stage: bool = False
    lazy: int | None = None


@dataclasses.dataclass(frozen=True)
class Phase:
    """One kind of update: these players take one step on this loss, `repeat` times every `every` steps.

    `every` and `repeat` may be functions of the host's step counter. Each update reads `batches` slices of what the step
    has read, from `first_slice` on, as one batch of so many times the size; so phases see the same examples, or others
    where they begin at another slice. A phase without players changes nothing but what its `Out` holds; the value of its
    loss is {}.
    """

    name: str
    players: tuple[str, ...]
    loss: Callable[["View", Tree, jax.Array], tuple[Any, "Out"]]
    every: int | Callable[[int], bool] = 1
    repeat: int | Callable[[int], int] = 1
    first_slice: int = 0
    batches: int = 1


@dataclasses.dataclass(frozen=True)
class Ema:
    """Moving average of the weights of some networks.

    Attributes:
        networks: names of the averaged networks.
        decay: `(images, images_per_step) -> scalar`, or the config section `ema` (see `engine.schedule`).
        stats: "average" treats statistics as weights (BigGAN-PyTorch), "copy" takes them over (StyleGAN2).
    """

    networks: tuple[str, ...]
    decay: Any
    stats: str = "average"


@dataclasses.dataclass(frozen=True)
class Stage:
    """A span of training with its own shapes (progressive growing).

    Attributes:
        until: images seen at which the stage ends; None for the last.
        batch: images per step, None for the config's batch size.
        info: anything static that the losses need (a resolution, a level).
        rate: multiplies the learning rates of all players during the stage.
    """

    until: int | None = None
    batch: int | None = None
    info: Any = None
    rate: float = 1.0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Out:
    """What a loss hands back beside its value; each part may be partial, all default to nothing.

    Attributes:
        stats: `{network: {collection: tree}}`, the advanced statistics of any network.
        aux: `{name: tree}`, new values of the recipe's own state.
        metrics: `{name: scalar}`, for the log.
    """

    stats: dict[str, Tree] = dataclasses.field(default_factory=dict)
    aux: dict[str, Tree] = dataclasses.field(default_factory=dict)
    metrics: dict[str, jax.Array] = dataclasses.field(default_factory=dict)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Net:
    """A network with its variables, as a value: calling it returns the output and the advanced network.

    Where a mesh is given, images that the network makes are split over it.
    """

    variables: Mapping[str, Tree]
    module: nn.Module = dataclasses.field(metadata={"static": True})
    mesh: Mesh | None = dataclasses.field(default=None, metadata={"static": True})

    def __call__(self, *args, advance: bool = True, **kwargs) -> tuple[Any, "Net"]:
        """Applies the module; with `advance=False` the returned network keeps its old statistics."""
        # Mutable in either case: flax's own BatchNorm writes its moments without asking whether it may.
        output, changed = self.module.apply(self.variables, *args, mutable=list(self.stats), **kwargs)
        # Latents split over the batch do not tell the partitioner that images are split by rows as well.
        if self.mesh and "space" in self.mesh.axis_names:
            output = sharding.split(output, self.mesh)
        return output, dataclasses.replace(self, variables={**self.variables, **changed}) if advance else self

    @property
    def params(self) -> Tree:
        return self.variables["params"]

    @property
    def stats(self) -> dict[str, Tree]:
        """The collections other than the parameters, as `Out.stats` wants them."""
        return {name: tree for name, tree in self.variables.items() if name != "params"}

    def frozen(self) -> "Net":
        """The same network behind a stop-gradient."""
        return dataclasses.replace(self, variables=jax.lax.stop_gradient(self.variables))


@dataclasses.dataclass(frozen=True)
class View:
    """What a loss sees of the training state; the differentiated parameters are already in `params`.

    `images` (uint32) and `step` (int32) are traced scalars; `stage`, `mesh` and `images_per_step` are static.
    """

    modules: Mapping[str, nn.Module]
    params: Mapping[str, Tree]
    stats: Mapping[str, Tree]
    ema: Mapping[str, Tree]
    aux: Mapping[str, Tree]
    step: jax.Array
    images: jax.Array
    stage: Stage
    mesh: Mesh
    images_per_step: int = 1

    def net(self, name: str) -> Net:
        return Net({"params": self.params[name], **self.stats[name]}, self.modules[name], self.mesh)

    def ema_net(self, name: str) -> Net:
        return Net(self.ema[name], self.modules[name], self.mesh)

    def at_present(self, number: Any) -> Any:
        """A number of the config at the images seen: itself, or where `{"start", "end", "until"}` has come to.

        See `engine.durations.at`.
        """
        return durations.at(number, self.images, self.images_per_step)

    def shard(self, x: Tree) -> Tree:
        """Splits arrays over the devices: the first axis, and images [n, h, w, c] by rows where the mesh has the axis.

        Every array that is born inside a loss (latents, labels, masks) needs this: without it the partitioner
        runs the whole generator on every device.
        """
        return sharding.split(x, self.mesh)

    def normal(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Standard normal float32 latents of `shape`, split over the devices."""
        return self.shard(jax.random.normal(key, shape))

    def generated_labels(self, key: jax.Array, real: jax.Array, num_classes: int, source: str) -> jax.Array:
        """Labels for as many generated images as there are real ones, in the form of the `real` labels.

        Args:
            real: class numbers int32 [n], or vectors float32 [n, num_classes].
            source: "uniform" (a class at random, every one alike; as a vector it is one-hot), "batch" (the labels of
                the real images at hand) or "empirical" (drawn with replacement from those). The last two are
                distributed as in the data set. Use one of them where images have several labels: the vector of a single
                class may not occur among the real ones.

        On several devices "empirical" costs one all-gather of the real labels for each draw: 8 kB for 2048 class
        numbers, 8 MB for as many vectors of 1000 classes. The others cost nothing.

        Raises:
            ConfigError: another source.
        """
        if source == "batch":
            return real
        if source == "empirical":
            return self.shard(real[jax.random.randint(key, (len(real),), 0, len(real))])
        if source != "uniform":
            raise ConfigError(
                f'config.phases.generated_labels is {source!r}: expected "uniform", "batch" or "empirical"'
            )
        labels = jax.random.randint(key, (len(real),), 0, max(num_classes, 1))
        vectors = jnp.issubdtype(real.dtype, jnp.floating)
        return self.shard(jax.nn.one_hot(labels, num_classes) if vectors else labels)


@dataclasses.dataclass(frozen=True)
class Styles:
    """The two halves of a style-based generator, for tools that work between them.

    Attributes:
        map: `(variables, latents, labels, options) -> ws` float32 [n, layers, d], truncated as the options say.
        synthesize: `(variables, ws) -> images` float [n, r, r, c] in [-1, 1], differentiable.
    """

    map: Callable[[Tree, jax.Array, jax.Array, Mapping[str, Any]], jax.Array]
    synthesize: Callable[[Tree, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A GAN, described.

    Attributes:
        networks, players, phases: the three tables; the order of `phases` is the order of updates.
        prior: `(key, options) -> latent` of one sample; options hold e.g. `truncation`.
        sample: `(variables, latents, labels, options) -> images` float in [-1, 1], with
            `variables = {network: {"params": ..., collection: ...}}`: the only way in for sampling.
        truncates: whether `prior` or `sample` heeds `truncation` and its `form`; asking others for it is refused.
        aux: makes the recipe's own state `{name: tree}` (called under `jit`).
        ema: which networks are averaged, None for none.
        rules: `((regex, PartitionSpec), ...)` on state paths, behind those of the config.
        stages: the spans of training.
        standing: `(variables, latents, labels) -> variables` with batch statistics taken anew from latents and
            labels of shape [accumulations, batch, ...]; None where no network keeps them.
        styles: the halves of a style-based generator, None for others.
        hidden_labels: whether the phases know real images without a label, -1 (`data.labelled`).
    """

    networks: Mapping[str, Network]
    players: Mapping[str, Player]
    phases: tuple[Phase, ...]
    prior: Callable[[jax.Array, Mapping[str, Any]], jax.Array]
    sample: Callable[[Tree, jax.Array, jax.Array, Mapping[str, Any]], jax.Array]
    truncates: bool = False
    aux: Callable[[], dict[str, Tree]] = dict
    ema: Ema | None = None
    rules: tuple[tuple[str, PartitionSpec], ...] = ()
    stages: tuple[Stage, ...] = (Stage(),)
    standing: Callable[[Tree, jax.Array, jax.Array], Tree] | None = None
    styles: Styles | None = None
    hidden_labels: bool = False

    def __post_init__(self):
        owners = [name for player in self.players.values() for name in player.networks]
        for what, names, known in (
            ("player's networks", owners, self.networks),
            ("phase's players", [p for phase in self.phases for p in phase.players], self.players),
            ("EMA's networks", self.ema.networks if self.ema else (), self.networks),
        ):
            if unknown := [name for name in names if name not in known]:
                raise ConfigError(f"recipe: a {what} {unknown} are not among {sorted(known)}")
        if twice := sorted({name for name in owners if owners.count(name) > 1}):
            raise ConfigError(f"recipe: networks {twice} belong to more than one player")
        if len({phase.name for phase in self.phases}) < len(self.phases):
            raise ConfigError("recipe: two phases have the same name")


def load(config) -> Recipe:
    """Builds the recipe that `config.recipe` names: a module of `gan_jax.recipes`, or a dotted path.

    The module has a function `build(config) -> Recipe`. A dotted path is looked up in the current folder too.

    Raises:
        ConfigError: there is no such module, it fails to import, or it has no `build`; or `data.labelled` hides labels from
            a recipe that needs every one.
    """
    name = config.recipe if "." in config.recipe else f"gan_jax.recipes.{config.recipe}"
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a console script does not search it, unlike `python -m`
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _unimportable(config.recipe, error) from error
        raise ConfigError(
            f"config.recipe is {config.recipe!r}, but there is no module {name}: expected a file in "
            f"gan_jax/recipes or the dotted path of your own module, from {os.getcwd()} or installed"
        ) from error
    except Exception as error:
        raise _unimportable(config.recipe, error) from error
    if not callable(getattr(module, "build", None)):
        raise ConfigError(f"config.recipe is {config.recipe!r}, but {module.__file__} has no function build(config)")
    recipe = module.build(config)
    if config.data.labelled and config.data.num_classes and not recipe.hidden_labels:
        raise ConfigError(
            f"config.data.labelled is {config.data.labelled}, but {config.recipe} by these rules needs the label of every "
            "image: set it to None, or config.data.num_classes to 0 to train without classes"
        )
    return recipe


def _unimportable(name: str, error: Exception) -> ConfigError:
    *_, place = traceback.extract_tb(error.__traceback__)
    where = "" if isinstance(error, SyntaxError) else f" ({place.filename}, line {place.lineno})"
    return ConfigError(f"config.recipe is {name!r}, which cannot be imported: {type(error).__name__}: {error}{where}")


def compute_dtype(config) -> jnp.dtype:
    """The dtype of the networks' convolutions, from `config.precision.compute`."""
    if config.precision.compute not in ("float32", "bfloat16"):
        raise ConfigError(f'config.precision.compute is {config.precision.compute!r}: expected "float32" or "bfloat16"')
    return jnp.dtype(config.precision.compute)
