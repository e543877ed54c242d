"""Writes a ``params.dill`` like that of a baseline run on a simulated sweep."""

from __future__ import annotations

import numpy as np

from .physics import N, make_probe

LEGACY_PHOTONS = 1e9  # nphotons in the params of a baseline run, whatever the dose is


def write_params(path: str, frames: int) -> None:
    """Write a ``params.dill`` like that of a baseline run: config and metrics in one dictionary.

    Parameters
    ----------
    path : str
        The file to write.
    frames : int
        Number of training images in the config.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import dill  # here, since it is slow to import

    config = {
        "N": N,
        "offset": 4,
        "gridsize": 1,
        "batch_size": 16,
        "nepochs": 50,
        "n_filters_scale": 2,
        "output_prefix": "simulated_baseline/",
        "default_probe_scale": 0.7,
        "mae_weight": 0.0,
        "nll_weight": 1.0,
        "tv_weight": 0.0,
        "nphotons": LEGACY_PHOTONS,
        "nimgs_train": frames,
        "nimgs_test": max(frames // 3, 1),
        "data_source": "generic",
        "probe.trainable": False,
        "intensity_scale.trainable": True,
        "probe.mask": False,
        "probe.big": True,
        "object.big": True,
        "model_type": "supervised",
        "label": "simulated_baseline",
        "size": 392,
        "timestamp": "08/26/2025, 16:38:17",
        "probe": make_probe().astype(np.complex64)[..., None],
        "intensity_scale": np.float32(np.sqrt(LEGACY_PHOTONS) / (N / 2)),
    }
    # Invented values, of the types that an evaluation produces: NumPy scalars, an int, a NaN, arrays.
    metrics = {
        "mae": (np.float32(0.0095), np.float64(5.4e-7)),
        "mse": (np.float32(0.0048), np.float64(1.0e-11)),
        "psnr": (71.3, 158.1),
        "ssim": (np.float64(np.nan), np.float64(0.99)),
        "ms_ssim": (np.float64(0.925), np.float64(0.921)),
        "frc50": (6, float("nan")),
        "frc1over7": (11, 40.0),
        "frc": (np.linspace(1.0, 0.0, N), None),
    }
    with open(path, "wb") as file:
        dill.dump(config | metrics, file, protocol=4)
