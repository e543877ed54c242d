"""What one log is about."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass

__all__ = ["DEFAULT_ID", "DEFAULT_ROOT", "Scenario", "default_output"]

DEFAULT_ID = "UNKNOWN"
DEFAULT_ROOT = "photon_grid_study_20250826_152459"
REPORTS_ROOT = "plans/active/seed/reports"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What to look at.

    Attributes
    ----------
    scenario_id : str
        Name of the scenario.
    dataset_root : str
        Folder of the sweep, as given.
    baseline_params : str or None
        The ``params.dill`` of the baseline run, as given.
    limit_datasets : tuple of str or None
        Names of the datasets to look at; None for the whole sweep.
    trust_params : bool
        Load the params with dill itself, executing what the file says.
    """

    scenario_id: str = DEFAULT_ID
    dataset_root: str = DEFAULT_ROOT
    baseline_params: str | None = None
    limit_datasets: tuple[str, ...] | None = None
    trust_params: bool = False


def default_output() -> str:
    """Where the artifacts go when nobody says: ``$ARTIFACT_DIR``, or a new folder named by the time in UTC."""
    now = datetime.datetime.now(datetime.UTC)
    return os.environ.get("ARTIFACT_DIR") or os.path.join(REPORTS_ROOT, f"{now:%Y-%m-%dT%H%M%SZ}")
