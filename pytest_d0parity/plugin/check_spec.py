"""The subject of a built-in check: which values it is about, and which problems belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..compare.comparator import Comparator
from ..compare.difference import Comparison, within
from ..compare.values import Named
from ..evidence.model import Problem
from ..readers.params.baseline import METRICS
from ..util.text import valid_utf8
from .run_store import RunData

STAGES = ("raw", "normalized", "grouped")
PARTS = ("amplitude", "phase", "norm")
FLAGS = ("probe.trainable", "probe.mask", "intensity_scale.trainable")

_MEASURED = ("diff3d", "probeGuess", "scan_index")
_SWEEP = ("dataset_root", "limit_datasets", "datasets")

Kind = Literal["datasets", "file", "arrays", "stage", "photon_dose", "probe", "flag", "params", "metric"]
# Which arrays' problems belong to a check; "photons" is the count, and the empty name the file's own name.
_BELONGS = {
    "file": (),
    "raw": ("diff3d",),
    "normalized": ("diff3d",),
    "grouped": ("scan_index",),
    "photon_dose": ("photons", ""),
    "probe": ("probeGuess",),
}
_BELONGS_AS_ERROR = {"grouped": ("diff3d",), "photon_dose": ("diff3d",)}


@dataclass(frozen=True)
class CheckSpec:
    """What a check is about.

    Attributes
    ----------
    kind : str
    dataset : str or None
        File name.
    part : str
        Stage, part of the probe, flag, or metric, where the kind has several.
    """

    kind: Kind
    dataset: str | None = None
    part: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values, or what they lie below."""
        match self.kind:
            case "file":
                return ("sha256", "size_bytes")
            case "arrays":
                return ("arrays",)
            case "stage":
                return (self.part,)
            case "photon_dose":
                return ("photons",)
            case "probe" if self.part == "norm":
                return ("probe.l2_norm", "probe.shape", "probe.dtype")
            case "probe":
                return (f"probe.{self.part}",)
            case "flag":
                return (f"params.{self.part}",)
            case "metric":
                return (f"metrics.{self.part}",)
        return ()

    def values(self, data: RunData) -> Named:
        """Give what the check records."""
        if self.kind == "datasets":
            return {"total_datasets": len(data.selection.filenames)}
        if self.dataset is not None:
            return within(data.values(self.dataset), self.names)
        return self._of_whole(data.whole)

    def compare(self, data: RunData, comparator: Comparator) -> Comparison:
        """Compare with the reference; with nothing, where the reference does not have the dataset."""
        if self.kind == "datasets":
            return comparator.compare_names([valid_utf8(name) for name in data.selection.filenames])
        if self.dataset is None:
            return comparator.compare_whole(self._of_whole(data.whole), self._of_whole(comparator.values.whole))
        name = valid_utf8(self.dataset)
        if name not in comparator.values.datasets:
            return Comparison((), 0)
        sound = not any(problem.severity == "error" for problem in data.dataset(self.dataset).problems)
        return comparator.compare_dataset(name, data.values(self.dataset), sound=sound, names=self.names)

    def problems(self, data: RunData) -> list[Problem]:
        """Which problems of the run belong to the check."""
        if self.kind == "datasets":
            return [problem for problem in data.selection.problems if problem.where in _SWEEP]
        if self.dataset is None:
            return [problem for problem in data.run.problems if self._has(problem.where)]
        return [problem for problem in data.dataset(self.dataset).problems if self._concerns(problem)]

    def _concerns(self, problem: Problem) -> bool:
        array = problem.where.removeprefix(self.dataset or "").removeprefix(":")
        error = problem.severity == "error"
        if error and not array:
            return True  # the file as a whole
        if self.kind == "arrays":
            return error or array not in (*_MEASURED, "photons", "")
        kind = self.part if self.kind == "stage" else self.kind
        return array in _BELONGS[kind] or (error and array in _BELONGS_AS_ERROR.get(kind, ()))

    def _of_whole(self, values: Named) -> Named:
        if self.kind != "params":
            return within(values, self.names)
        flags = within(values, [f"params.{flag}" for flag in FLAGS])
        return {name: value for name, value in within(values, ["params"]).items() if name not in flags}

    def _has(self, where: str) -> bool:
        """Whether a problem of the params file belongs here: one of all of it does, one of a key may."""
        _, _, key = where.partition(":")
        if self.kind == "params":
            return key not in (*FLAGS, *METRICS)
        return not key or key == self.part
