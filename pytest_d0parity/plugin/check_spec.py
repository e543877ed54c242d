"""What a built-in check is about: which values it compares, and which problems make it fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..comparison.comparator import Comparator
from ..comparison.difference import Comparison, within
from ..comparison.values import Named
from ..evidence.dataset import Problem
from ..evidence.model import SCHEMA_VERSION
from ..readers.params.baseline import FLAGS, METRICS
from ..util.text import valid_utf8
from .run_store import RunData

PARTS = ("amplitude", "phase", "norm")

_MEASURED = ("diff3d", "probeGuess", "scan_index")
_SWEEP = ("dataset_root", "limit_datasets", "datasets", "doses")

Kind = Literal["datasets", "file", "arrays", "stage", "photon_dose", "probe", "flag", "params", "metric", "attachment"]
# The arrays whose problems belong to a check, by its kind or stage. "photons" stands for the count of photons, and the
# empty name for the file as a whole.
_ARRAYS = {
    "file": (),
    "raw": ("diff3d",),
    "normalized": ("diff3d",),
    "grouped": ("scan_index",),
    "photon_dose": ("photons", ""),
    "probe": ("probeGuess",),
}
# Those of which errors belong to it as well, but not warnings.
_ARRAYS_ERRORS_ONLY = {"grouped": ("diff3d",), "photon_dose": ("diff3d",)}


@dataclass(frozen=True)
class CheckSpec:
    """What a check is about.

    Attributes
    ----------
    kind : str
        Name of the check's function, without ``test_``.
    dataset : str or None
        File name of the dataset.
    part : str
        Stage, part of the probe, flag, metric, or attachment, for the kinds that have several.
    """

    kind: Kind
    dataset: str | None = None
    part: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values, or of the groups that hold them."""
        match self.kind:
            case "file":
                return ("sha256", "size_bytes")
            case "arrays":
                return ("arrays", "metadata")
            case "stage" if self.part == "raw":
                return ("raw", "frames", "pattern")
            case "stage":
                return (self.part,)
            case "photon_dose":
                return ("photons",)
            case "probe" if self.part == "norm":
                return ("probe.l2_norm", "probe.power_per_mode", "probe.shape", "probe.dtype")
            case "probe":
                return (f"probe.{self.part}",)
            case "flag":
                return (f"params.{self.part}",)
            case "metric":
                return (f"metrics.{self.part}",)
            case "attachment":
                return (f"attachments.{self.part}.sha256",)
        return ()

    def values(self, data: RunData) -> Named:
        """Return the values that the check records."""
        if self.kind == "datasets":
            return {"total_datasets": len(data.selection.filenames)}
        if self.dataset is not None:
            return within(data.values(self.dataset), self.names)
        return self._values_of_run(data.baseline.known_to(SCHEMA_VERSION))

    def compare(self, data: RunData, comparator: Comparator) -> Comparison:
        """Compare the values with the reference. Where it lacks the dataset, nothing is compared."""
        if self.kind == "datasets":
            return comparator.compare_names([valid_utf8(name) for name in data.selection.filenames])
        if self.dataset is None:
            return comparator.compare_baseline(data.baseline, self._values_of_run)
        name = valid_utf8(self.dataset)
        if name not in comparator.values.datasets:
            return Comparison((), 0)
        sound = not any(problem.severity == "error" for problem in data.dataset(self.dataset).problems)
        errors = data.dataset(self.dataset).standard_errors
        return comparator.compare_dataset(name, data.values(self.dataset), errors, sound=sound, names=self.names)

    def problems(self, data: RunData) -> list[Problem]:
        """Return the problems that belong to the check, but for those that are accepted."""
        if self.kind == "datasets":
            found = [problem for problem in data.selection.problems if problem.where in _SWEEP]
        elif self.dataset is None:
            found = [problem for problem in data.baseline_run.problems if self._is_problem_of_params(problem)]
        else:
            dataset = data.dataset(self.dataset)
            found = [problem for problem in dataset.problems if self._is_problem_of_dataset(problem, dataset.roles)]
        return [problem for problem in found if not problem.accepted]

    def _is_problem_of_dataset(self, problem: Problem, roles: Mapping[str, str]) -> bool:
        name = problem.where.removeprefix(self.dataset or "").removeprefix(":")
        array = next((role for role, played_by in roles.items() if played_by == name and role in _MEASURED), name)
        error = problem.severity == "error"
        if error and not array:
            return True  # nothing in the file can be read
        if self.kind == "arrays":
            return error or array not in (*_MEASURED, "photons", "")
        kind = self.part if self.kind == "stage" else self.kind
        return array in _ARRAYS[kind] or (error and array in _ARRAYS_ERRORS_ONLY.get(kind, ()))

    def _is_problem_of_params(self, problem: Problem) -> bool:
        """Whether the check is about the key that a problem is about.

        A problem of the whole params file belongs to all checks but those of attachments, one of the whole metrics file
        to those of metrics.
        """
        file, _, key = problem.where.partition(":")
        if (file == "attachments") != (self.kind == "attachment"):
            return False
        if file == "baseline_metrics" and self.kind != "metric":
            return False
        if self.kind == "params":
            return key not in (*FLAGS, *METRICS)
        return not key or key == self.part

    def _values_of_run(self, values: Named) -> Named:
        """Pick the check's values out of all parameters and metrics; flags have a check of their own."""
        if self.kind != "params":
            return within(values, self.names)
        flags = within(values, [f"params.{flag}" for flag in FLAGS])
        return {name: value for name, value in within(values, ["params"]).items() if name not in flags}
