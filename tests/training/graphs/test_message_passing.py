import subprocess
import sys

from pipeline.training.graphs.edge_kernels import OWN_KERNELS, OwnKernels
from pipeline.training.graphs.message_passing import edge_kernels
from pipeline.training.graphs.pyg_kernels import PyGKernels


def test_kernels_by_name():
    assert edge_kernels("own") is OWN_KERNELS
    assert isinstance(edge_kernels("own"), OwnKernels)
    assert isinstance(edge_kernels("pyg"), PyGKernels)


def test_methods_without_a_fixed_graph_do_not_import_pytorch_geometric():
    code = (
        "import sys; from pipeline.training.classifiers.image_classifier import build_model;"
        "from pipeline.training.methods.presets import METHODS;"
        "[build_model(METHODS[name], 5, 2) for name in ('default', 'paper_a', 'mean_pool', 'logistic')];"
        "sys.exit('torch_geometric' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
