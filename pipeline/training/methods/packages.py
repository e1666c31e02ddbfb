"""Which methods can be used with what is installed."""

from collections.abc import Mapping
from importlib.util import find_spec

from pipeline.errors import MissingPackageError
from pipeline.training.methods.presets import METHODS, MethodSpec


def require_package(spec: MethodSpec) -> None:
    """Check that the optional package of a method is installed.

    Raises
    ------
    MissingPackageError
        With the command that installs it.
    """
    if not _is_installed(spec):
        raise MissingPackageError(
            f"method {spec.name}: its network is that of the package {spec.package}, which is not installed. "
            f"Install it beside abignet: pip install 'abignet[mil]'."
        )


def usable_methods() -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Methods that can be used here, and by method the package that the others lack."""
    usable = tuple(name for name, spec in METHODS.items() if _is_installed(spec))
    return usable, {name: str(spec.package) for name, spec in METHODS.items() if name not in usable}


def _is_installed(spec: MethodSpec) -> bool:
    return spec.package is None or find_spec(spec.package) is not None
