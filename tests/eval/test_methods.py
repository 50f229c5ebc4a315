"""Baselines: the simple ones, LaCT by each rule, and the two attention networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from nvs.cameras import PoseNormalisation, orbit
from nvs.config import ModelConfig
from nvs.errors import CheckpointError
from nvs.model import LaCTNetwork
from nvs.model.block import Block
from nvs.model.tokens import posed_rays
from nvs.scene import PosedViews
from nvs_eval.methods import make_methods
from nvs_eval.methods.attention import (
    AttentionNetwork,
    load_attention_network,
    random_network,
    save_attention_network,
)
from nvs_eval.methods.base import MeanColour, NearestInput

CONFIG = ModelConfig(dim=32, num_blocks=4, attention_head_dim=16, fast_head_dim=32)
NONE = PoseNormalisation.none()


def views(count: int) -> PosedViews:
    camera = orbit(
        count, radius=2.7, elevation_radians=0.3, hfov_radians=0.9, height=16, width=24
    ).to(dtype=torch.float32)
    image = torch.rand(count, 3, 16, 24, generator=torch.Generator().manual_seed(1))
    return PosedViews(
        image=image, camera=camera, names=tuple(f"v{i}" for i in range(count))
    )


def lively(network: AttentionNetwork) -> AttentionNetwork:
    """Larger weights, so that attention is far from uniform."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 2:
                parameter.normal_(std=0.2, generator=generator)
    return network


def test_nearest_shows_the_input_at_a_target() -> None:
    given = views(6)
    built = NearestInput().build(given, NONE)
    images = list(built.render(given.camera[[4, 1]]))
    assert torch.equal(images[0], given.image[4].permute(1, 2, 0))
    assert torch.equal(images[1], given.image[1].permute(1, 2, 0))


def test_mean_colour_has_the_least_squared_error_of_all_colours() -> None:
    given = views(3)
    (image,) = MeanColour().build(given, NONE).render(given.camera[0])
    colour = image[0, 0]
    torch.testing.assert_close(colour, given.image.mean((0, 2, 3)))
    assert (image == colour).all()
    truth = given.image.permute(0, 2, 3, 1)
    best = (truth - colour).square().mean()
    for nudge in torch.eye(3):
        assert (truth - colour - 0.01 * nudge).square().mean() > best


def test_update_rules_differ_where_they_should(weights: Path) -> None:
    rules = ("muon", "gradient_descent", "momentum")
    methods = make_methods(
        ["lact", *(f"lact:{rule}" for rule in rules)],
        weights=[str(weights)],
        device="cpu",
        precision="float32",
        seed=0,
    )
    images = [next(m.build(views(4), NONE).render(views(1).camera)) for m in methods]
    plain, muon, descent, momentum = images
    assert torch.equal(plain, muon), "the weights were made for Muon"
    assert torch.equal(descent, momentum), "one chunk has no momentum"
    assert not torch.allclose(descent, muon, atol=1e-6)
    assert methods[0].about["weights_digest"] == methods[1].about["weights_digest"]
    assert len({m.about["weights_digest"] for m in methods}) == 3
    assert methods[3].name == "net, momentum"


def masked(network: AttentionNetwork, inputs: Tensor, target: Tensor) -> Tensor:
    """Full attention in one pass over inputs and target under a block-causal mask."""
    x = torch.cat([inputs, target], dim=1)
    tokens = x.shape[2]
    allowed = torch.ones(x.shape[1] * tokens, x.shape[1] * tokens, dtype=torch.bool)
    allowed[:, -tokens:] = False
    for block in network.blocks:
        x = rearrange(block.attend(x), "b v t d -> b (v t) d")
        cross, normed = block.lact, block.lact_norm(x)
        q = rearrange(cross.query(normed), "b t (h d) -> b h t d", d=16)
        k, v = cross.write(normed)
        out = F.scaled_dot_product_attention(cross.query_norm(q), k, v, allowed)
        x = x + cross.output(rearrange(out, "b h t d -> b t (h d)"))
        x = block.transform(rearrange(x, "b (v t) d -> b v t d", t=tokens))
    return x[:, -1:]


@torch.no_grad()
def test_full_attention_is_one_masked_pass_cut_in_two() -> None:
    network = lively(AttentionNetwork(CONFIG, "full_attention"))
    given, target = views(3), posed_rays(views(5).camera[3])
    posed = posed_rays(given.camera)
    state = network.prefill(posed, given.image[None])
    image = network.render(state, target)
    whole = masked(
        network, network.embed(posed, given.image[None]), network.embed(target, None)
    )
    expected = network.decode(whole, (16, 24))
    torch.testing.assert_close(image, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["full_attention", "register"])
@torch.no_grad()
def test_attention_networks_see_a_set_of_views(kind) -> None:
    network = lively(AttentionNetwork(CONFIG, kind, num_registers=8))
    given, target = views(4), posed_rays(views(5).camera[:2])
    posed, image = posed_rays(given.camera), given.image[None]

    def render(order: list[int], pixels: Tensor = image) -> Tensor:
        state = network.prefill(posed[:, order], pixels[:, order])
        return network.render(state, target)

    plain = render([0, 1, 2, 3])
    torch.testing.assert_close(render([2, 0, 3, 1]), plain, atol=1e-5, rtol=1e-4)
    changed = image.clone()
    changed[0, 2] = 0
    assert (render([0, 1, 2, 3], changed) - plain).abs().max() > 1e-3
    alone = network.render(network.prefill(posed, image), target[:, :1])
    torch.testing.assert_close(plain[:, :1], alone, atol=1e-5, rtol=1e-4)


def test_attention_networks_share_our_layers() -> None:
    ours = LaCTNetwork(CONFIG)
    network = AttentionNetwork(CONFIG, "full_attention")
    same = {n: p.shape for n, p in ours.named_parameters() if ".lact." not in n}
    theirs = {n: p.shape for n, p in network.named_parameters() if ".lact." not in n}
    theirs.pop("registers")
    assert same == theirs
    assert isinstance(network.layers[0], Block)


def test_attention_weights_survive_their_file(tmp_path: Path) -> None:
    named = random_network("register", CONFIG, seed=3, num_registers=8)
    path = tmp_path / "net.safetensors"
    save_attention_network(path, named.network)
    loaded = load_attention_network(path, "register")
    assert loaded.digest == named.digest
    assert loaded.network.num_registers == 8
    with pytest.raises(CheckpointError, match="holds no full_attention network"):
        load_attention_network(path, "full_attention")
    assert random_network("register", CONFIG, seed=4).digest != named.digest


def test_attention_methods_run_like_the_others(weights: Path) -> None:
    methods = make_methods(
        ["full_attention", "register"],
        weights=[str(weights)],
        device="cpu",
        precision=None,
        seed=5,
    )
    given = views(3)
    for method in methods:
        assert "random weights, seed 5" in method.name
        images = list(method.build(given, NONE).render(given.camera))
        assert [tuple(image.shape) for image in images] == [(16, 24, 3)] * 3
    assert replace(CONFIG, num_blocks=2) == methods[0].network.config
