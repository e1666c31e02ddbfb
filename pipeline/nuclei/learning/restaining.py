"""Colours to concentrations of the three stains and back, to stain a picture anew; arrays in, arrays out."""

import numpy as np

from pipeline.arrays import Float32s, Rgb
from pipeline.nuclei.stain.stain_channels import HED_FROM_RGB, RGB_FROM_HED, optical_density


def hed_from_rgb(rgb: Rgb) -> Float32s:
    """Concentrations (..., 3) of haematoxylin, eosin and residual by colour deconvolution (Ruifrok & Johnston 2001)."""
    return optical_density(rgb) @ HED_FROM_RGB


def rgb_from_hed(hed: Float32s) -> Rgb:
    """Colours (..., 3) of the concentrations ``hed``; inverse of ``hed_from_rgb`` but for rounding."""
    intensity = np.exp(-(hed @ RGB_FROM_HED)) * 256 - 1
    return np.asarray(np.clip(np.rint(intensity), 0, 255), np.uint8)
