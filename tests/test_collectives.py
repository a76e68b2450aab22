"""Collectives, loops and traffic read from the text of compiled programs, stored and freshly compiled."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from gan_jax import config as configs
from gan_jax import hlo
from gan_jax.collectives import Collective, by_kind, find, least
from gan_jax.engine import sharding, state
from gan_jax.engine.recipe import load
from gan_jax.engine.step import abstract_batch, compile_step

DATA = Path(__file__).parent / "data" / "hlo"
# As the TPU compiler writes it: tiles, memories, no length beside a loop, comments with "=" in long tuples.
TPU = (DATA / "tpu.txt").read_text()
# As the GPU compiler writes it: halves of asynchronous collectives, lengths of loops, groups by iota.
GPU = (DATA / "gpu.txt").read_text()


def collectives(text, devices=8, per_host=8):
    return find(hlo.parse(text), devices, per_host)


def test_a_loop_on_a_tpu_is_as_long_as_its_condition_says():
    one, many = sorted(collectives(TPU), key=lambda c: c.times)
    assert (many.times, many.group, many.bytes) == (5, 4, 4 * 300 * 64)
    assert (one.times, one.group, one.bytes) == (1, 8, 4 * 10 + 4 * 3 * 3 * 32 + 2 * 32)
    assert hlo.parse(TPU).loops == [5]


def test_halves_of_collectives_on_a_gpu_count_once():
    assert by_kind(collectives(GPU)) == {
        "all-gather": {"count": 3, "bytes": 3 * 4 * 128},
        "reduce-scatter": {"count": 1, "bytes": 4 * 64},
        "all-reduce": {"count": 1, "bytes": 4 * 64},
        "collective-permute": {"count": 1, "bytes": 4 * 64},
    }
    groups = {c.kind: c.group for c in collectives(GPU)}
    assert groups == {"all-gather": 8, "reduce-scatter": 4, "all-reduce": 8, "collective-permute": 2}


def test_a_group_spans_the_hosts_of_its_devices():
    """The groups {0,1,2,3} and {4,5,6,7}, all eight, and the pair of 0 and 1, on hosts of four devices and of one."""
    for per_host, scattering, whole, pair in ((8, 1, 1, 1), (4, 1, 2, 1), (1, 4, 8, 2)):
        hosts = {c.kind: c.hosts for c in collectives(GPU, per_host=per_host)}
        assert hosts["reduce-scatter"] == scattering
        assert hosts["all-gather"] == hosts["all-reduce"] == whole
        assert hosts["collective-permute"] == pair
    across = GPU.replace("replica_groups=[2,4]<=[8]", "replica_groups={{0,4},{1,5},{2,6},{3,7}}")
    assert {c.hosts for c in collectives(across, per_host=4) if c.kind == "reduce-scatter"} == {2}


def test_a_loop_of_unknown_length_is_told():
    program = hlo.parse(GPU.replace('{"known_trip_count":{"n":"3"}}', "{}"))
    assert program.loops == [None]
    assert by_kind(find(program, 8, 8))["all-gather"]["count"] == 1


def test_traffic_pads_tiles_and_leaves_out_the_chip_s_own_memory():
    """In the loop the sum reads and writes 304 x 128 floats, the counter its tile; outside, 32 floats in their tiles."""
    assert hlo.traffic(hlo.parse(TPU)) == 5 * (2 * 4 * 304 * 128 + 3 * 4) + 4 * 3 * 3 * 128


def test_halves_touch_their_operands_and_results_once():
    """Three times a gathering, once each a scattering, a reduction and a permutation, in floats."""
    gathering, scattering, reduction, permutation = 16 + 128, 64 + 16, 64 + 64, 64 + 64
    assert hlo.traffic(hlo.parse(GPU)) == 4 * (3 * gathering + scattering + reduction + permutation)


# A copy to the chip, a part of it on its way there and one of what is there already, a part changed in place, and a
# computation begun in the background.
HALVES = """HloModule halves

%negated (p: f32[64]) -> f32[64] {
  %p = f32[64]{0} parameter(0)
  ROOT %negate.1 = f32[64]{0} negate(%p)
}

ENTRY %main (a: f32[256], b: f32[64], i: s32[]) -> f32[64] {
  %a = f32[256]{0} parameter(0)
  %b = f32[64]{0} parameter(1)
  %i = s32[]{:S(2)} parameter(2)
  %copy-start = (f32[256]{0:S(1)}, f32[256]{0}, u32[]{:S(2)}) copy-start(%a)
  %slice-start = ((f32[256]{0}), f32[32]{0:S(1)}, s32[]{:S(2)}) slice-start(%a), slice={[0:32]}
  %async-start = ((f32[64]{0}), f32[64]{0}, s32[]{:S(2)}) async-start(%b), calls=%negated
  %async-update = ((f32[64]{0}), f32[64]{0}, s32[]{:S(2)}) async-update(%async-start)
  %copy-done = f32[256]{0:S(1)} copy-done(%copy-start)
  %slice-done = f32[32]{0:S(1)} slice-done(%slice-start)
  %slice.1 = f32[16]{0:S(1)} slice(%copy-done), slice={[0:16]}
  %dynamic-update-slice.1 = f32[256]{0} dynamic-update-slice(%a, %b, %i)
  ROOT %async-done = f32[64]{0} async-done(%async-update)
}
"""


def test_halves_that_reach_the_chip_s_own_memory():
    copied, sliced, negated, updated = 256, 32, 64 + 64, 64 + 64
    assert hlo.traffic(hlo.parse(HALVES)) == 4 * (copied + sliced + negated + updated)


def test_sizes():
    assert hlo.size("(f32[2,3]{1,0}, /*index=1*/s4[3]{0}, pred[], token[])") == 24 + 2 + 1
    assert hlo.elements("((f32[2]{0}, s32[]), (f32[4]{0:T(8,128)}, s32[]), u32[])")[1] == "(f32[4]{0:T(8,128)}, s32[])"


@pytest.fixture(scope="module")
def compiled():
    """Three rounds of: each device multiplies its rows, all devices add theirs up."""
    mesh = sharding.data_mesh(4)
    rows, whole = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec())

    def fn(x, w):
        def body(w, _):
            return jax.lax.with_sharding_constraint(w + (x.T @ (x @ w)), whole), ()

        return jax.lax.scan(body, w, length=3)[0]

    x = jax.ShapeDtypeStruct((16, 32), jnp.float32, sharding=rows)
    w = jax.ShapeDtypeStruct((32, 8), jnp.float32, sharding=whole)
    return jax.jit(fn).lower(x, w).compile()


def test_what_the_compiler_writes_today(compiled):
    program = hlo.parse(compiled.as_text())
    assert by_kind(find(program, 4, 4)) == {"all-reduce": {"count": 3, "bytes": 3 * 4 * 32 * 8}}
    assert {c.group for c in find(program, 4, 4)} == {4}
    assert program.loops == [3]


def test_rows_of_a_mesh_are_added_up_between_hosts():
    """Devices 0 and 2, 1 and 3 have the same columns of a matrix, and each the rows of its own."""
    mesh = sharding.make_mesh(ConfigDict({"axes": ("data", "shard"), "shape": (2, 2)}), jax.devices()[:4])
    rows, columns = NamedSharding(mesh, PartitionSpec("data")), NamedSharding(mesh, PartitionSpec(None, "shard"))
    x = jax.ShapeDtypeStruct((16, 32), jnp.float32, sharding=rows)
    w = jax.ShapeDtypeStruct((32, 8), jnp.float32, sharding=columns)
    text = jax.jit(lambda x, w: x.T @ (x @ w), out_shardings=columns).lower(x, w).compile().as_text()
    for per_host, hosts in ((2, 2), (4, 1)):
        assert collectives(text, 4, per_host) == [Collective("all-reduce", 4 * 32 * 4, group=2, hosts=hosts, times=1)]


def test_traffic_of_a_fresh_program_is_what_it_cannot_do_without_or_some_more(compiled):
    """Each round reads the rows twice and the matrix once at least, and writes the matrix."""
    least = 3 * 4 * (2 * 4 * 32 + 2 * 32 * 8)
    assert least < hlo.traffic(hlo.parse(compiled.as_text())) < 8 * least


def test_the_least_is_the_gradients_of_every_update_and_the_moments_of_every_normalisation():
    """BigGAN: two updates of D, in which G runs forward, one of G, forward and back; four microbatches."""
    recipe = load(configs.load("configs/biggan_digits.py:quick"))
    target = state.abstract(recipe, sharding.data_mesh(1), ())
    weights = {name: sum(leaf.size * 4 for leaf in jax.tree.leaves(target.params[name])) for name in "GD"}
    moments = [leaf.size * 4 for leaf in jax.tree.leaves(target.stats["G"]["batch_stats"])]
    found = least(recipe, (("discriminator", 2), ("generator", 1)), target, 4, "float32")
    assert len(moments) == 2 * 5
    assert found == {
        "count": 3 + 4 * (2 + 2) * 5,
        "bytes": 2 * weights["D"] + weights["G"] + 4 * (2 + 2) * sum(moments),
    }


def test_gradients_of_kernels_count_in_the_dtype_of_the_convolutions():
    recipe = load(configs.load("configs/biggan_digits.py:quick"))
    target = state.abstract(recipe, sharding.data_mesh(1), ())
    full, half = (
        least(recipe, (("discriminator", 1),), target, 1, dtype)["bytes"] for dtype in ("float32", "bfloat16")
    )
    kernels = [
        x.size for p, x in jax.tree.leaves_with_path(target.params["D"]) if sharding.path_name(p).endswith("kernel")
    ]
    assert full - half == 2 * sum(kernels)


def test_a_step_sends_little_more_than_the_least():
    """On CPU, where the gradients are reduced once: bytes within 5 %."""
    config = configs.load("configs/biggan_digits.py", ["model.G.channels=8", "model.D.channels=8"])
    recipe, mesh = load(config), sharding.data_mesh(4)
    target, active = state.abstract(recipe, mesh, ()), (("discriminator", 1),)
    image = jax.ShapeDtypeStruct((1, 1, 8, 16, 16, 1), jnp.uint8)
    batch = abstract_batch({"image": image, "label": jax.ShapeDtypeStruct((1, 1, 8), jnp.int32)}, mesh)
    program = hlo.parse(compile_step(recipe, 0, mesh, active, target, batch).as_text())
    sent = sum(entry["bytes"] for entry in by_kind(find(program, 4, 4)).values())
    assert sent == pytest.approx(least(recipe, active, target, 1, "float32")["bytes"], rel=0.05)
