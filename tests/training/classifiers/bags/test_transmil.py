import pytest
import torch

torchmil = pytest.importorskip("torchmil")

from pipeline.training.classifiers.bags.bag_classifier import Bag  # noqa: E402
from pipeline.training.classifiers.bags.transmil import TransformerBags  # noqa: E402
from pipeline.training.methods.presets import METHODS  # noqa: E402


def test_the_order_of_patches_counts():
    torch.manual_seed(0)
    model, x = TransformerBags.from_spec(METHODS["transmil"], 5, 2).eval(), torch.randn(1, 9, 5)
    forward, backward = (model.read(Bag(patches, 0, None))[0] for patches in (x, x.flip(1)))
    assert not torch.allclose(forward, backward)


def test_small_bags_have_whole_attention_and_large_ones_the_published_landmarks():
    model = TransformerBags.from_spec(METHODS["transmil"], 5, 2).eval()
    for n_patches, n_landmarks in ((5, 10), (16, 17), (500, 64)):
        model.read(Bag(torch.randn(1, n_patches, 5), 0, None))
        assert [layer.att_module.n_landmarks for layer in model.model.layers] == [n_landmarks] * 2
    with_landmarks = model.model.layers[0].att_module
    x = torch.randn(1, 12, 128)
    with_landmarks.n_landmarks = 12
    exact = with_landmarks._qkv(x)
    q, k, v = (part.view(1, 12, 4, 32).transpose(1, 2) for part in exact)
    expected = with_landmarks.out_proj(
        torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    )
    torch.testing.assert_close(with_landmarks(x), expected, atol=0.05, rtol=0.1)
