import pytest
import torch

from pipeline.errors import DeviceError
from pipeline.training.cohort.determinism import MEMORY, check_precision, deterministic_torch

CPU = torch.device("cpu")


def state():
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        MEMORY.fill_uninitialized_memory,
        torch.get_rng_state().tolist(),
        products_in_tf32(),
    )


def products_in_tf32():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_a_block_has_its_seed_its_threads_and_deterministic_kernels():
    with deterministic_torch(5, 2, CPU):
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled()
        assert not MEMORY.fill_uninitialized_memory
        drawn = torch.rand(4)
    expected = torch.rand(4, generator=torch.Generator().manual_seed(5))
    assert torch.equal(drawn, expected)


def test_everything_is_put_back_even_after_an_error():
    before = state()
    with deterministic_torch(1, 2, CPU):
        torch.rand(3)
    assert state() == before
    with pytest.raises(KeyError), deterministic_torch(1, 2, CPU):
        raise KeyError
    assert state() == before


def test_half_precision_is_refused_without_cuda():
    check_precision("float32", CPU)
    check_precision("bfloat16", torch.device("cuda"))
    with pytest.raises(DeviceError, match="bfloat16 needs a CUDA device, found cpu"):
        check_precision("bfloat16", CPU)


@pytest.mark.parametrize("tf32", [False, True])
def test_single_precision_is_what_is_asked_for_in_products_and_convolutions(tf32):
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = False
    with deterministic_torch(1, 1, CPU, tf32=tf32):
        assert products_in_tf32() == (tf32, tf32)
    assert products_in_tf32() == (False, True)
