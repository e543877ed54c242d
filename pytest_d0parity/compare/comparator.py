"""A log compared with a reference: dataset by dataset, parameters and metrics, and the users' own checks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..evidence.dataset import Problem
from ..evidence.drift import Difference, NotCompared, Reference
from ..evidence.file import LogFile, read_log
from ..evidence.model import EvidenceLog
from ..scenario.scenario import Scenario
from ..scenario.thresholds import EXACT, Level, Threshold
from ..util.files import is_sha256
from ..util.records import ABSENT
from ..util.text import listed, printable, valid_utf8
from .diagnosis.diagnose import diagnose
from .difference import (
    MISSING,
    PRESENT,
    ROUNDING,
    Comparison,
    are_same,
    find_difference,
    is_finite_number,
    joined,
    within,
    worst_first,
)
from .levels import left_out_by_statistics
from .values import ARRAY_STATISTICS, BaselineValues, CheckValues, Named, Values, values_of

_GROUPS = ("raw", "normalized", "grouped", "probe.amplitude", "probe.phase")
# Statistics in another unit than their group: their magnitude is no measure of its rounding.
_UNITLESS = frozenset(
    {"count", "nan_count", "inf_count", "n_unique_scans", "n_patterns", "nonzero_fraction", "size_bytes"}
)
_FILE = ("sha256", "size_bytes")


@dataclass(frozen=True)
class Comparator:
    """Compares logs with the values of a reference, within thresholds.

    Attributes
    ----------
    record : Reference
        Which log the reference is.
    thresholds : tuple of Threshold
        The last one that covers a value counts; values that none covers have the default limits.
    level : str
        ``bytes``, where everything is compared, or ``statistics``: see `levels`.
    """

    record: Reference
    values: Values
    thresholds: tuple[Threshold, ...] = ()
    level: Level = "bytes"

    @classmethod
    def of(cls, file: LogFile, thresholds: Sequence[Threshold] = (), level: Level = "bytes") -> Comparator:
        """Return a comparator with a log that is trusted."""
        return cls(Reference(path=file.path, sha256=file.sha256), values_of(file.log), tuple(thresholds), level)

    def limited_to(self, filenames: Collection[str] | None) -> Comparator:
        """Leave out of the reference the datasets that are not in a scenario's list; None keeps all."""
        if filenames is None:
            return self
        asked = {valid_utf8(name) for name in filenames}
        kept = {name: values for name, values in self.values.datasets.items() if name in asked}
        left_out = tuple(name for name in self.values.datasets if name not in asked)
        return replace(self, record=replace(self.record, left_out=left_out), values=replace(self.values, datasets=kept))

    def record_beside(self, checks: Collection[str], comparison: Comparison) -> Reference:
        """Return the record for the log of a run: it names what the run, with these own checks, leaves out."""
        left_out = tuple(name for name in self.values.checks if name not in checks)
        return replace(self.record, left_out=self.record.left_out + left_out, not_compared=comparison.not_compared)

    def compare(self, observed: Values) -> Comparison:
        """Compare all values. A check of the users' own that did not run is left out."""
        both = [name for name in self.values.datasets if name in observed.datasets]
        return Comparison.of(
            [
                self.compare_names(observed.datasets),
                *(
                    self.compare_dataset(name, observed.datasets[name], sound=name not in observed.unsound)
                    for name in both
                ),
                self.compare_baseline(observed.baseline),
                *(self.compare_check(name, self._as_trusted(name, check)) for name, check in observed.checks.items()),
            ]
        )

    def compare_names(self, filenames: Collection[str]) -> Comparison:
        """Compare the lists of datasets: one that only one side has is drift. Nothing is shown by equal names."""
        names = dict.fromkeys([*self.values.datasets, *filenames])
        rows = [
            Difference(
                where=name,
                expected=PRESENT if name in self.values.datasets else MISSING,
                observed=PRESENT if name in filenames else MISSING,
                threshold=EXACT.text,
                distance=None,
                verdict="drift",
            )
            for name in names
            if name not in self.values.datasets or name not in filenames
        ]
        return Comparison(tuple(rows), len(rows))

    def compare_dataset(
        self, filename: str, observed: Named, *, sound: bool, names: Sequence[str] = ("",)
    ) -> Comparison:
        """Compare the values of a dataset, which the reference must have.

        Parameters
        ----------
        observed : dict
            All its values, by their dotted names.
        sound : bool
            Whether the whole file could be read. One that could not is never called repacked.
        names : sequence of str
            Compare the values of these names, and those below them; all by default.
        """
        expected = self.values.datasets[filename]
        repacked = sound and self.is_repacked(filename, observed)
        # Where the arrays are the same, to the last bit, no level has anything to leave out.
        level: Level = "bytes" if repacked else self.level
        part = self._compare(f"{filename}:", filename, within(expected, names), within(observed, names), level)
        return replace(part, differences=tuple(map(_as_repacked, part.differences))) if repacked else part

    def compare_baseline(
        self, observed: BaselineValues, pick: Callable[[Named], Named] = lambda values: values
    ) -> Comparison:
        """Compare params and metrics with the reference's, or those of them that a function picks."""
        expected, found = (pick(each.known_to(self.values.version)) for each in (self.values.baseline, observed))
        return self._compare("", None, expected, found, self.level)

    def compare_check(self, check_id: str, observed: CheckValues) -> Comparison:
        """Compare the values that one of the users' own checks recorded."""
        if not self.values.knows_checks:
            return Comparison((), 0)
        known = self.values.checks.get(check_id)
        expected = known.values if known else {}
        return self._compare(f"{check_id}:", observed.dataset, expected, observed.values, "bytes", observed.limits)

    def _as_trusted(self, check_id: str, observed: CheckValues) -> CheckValues:
        """Replace the limits that a check brings along by those of the reference, which is trusted."""
        known = self.values.checks.get(check_id)
        return replace(observed, limits=known.limits) if known else observed

    def is_repacked(self, filename: str, observed: Named) -> bool:
        """Whether a file has other bytes than the reference's, but the same shapes, dtypes, sizes and CRC-32."""
        expected = self.values.datasets.get(filename, {})
        limit = self._threshold_for(filename, "sha256")
        if limit is not None and limit.is_exact:
            return False
        arrays = _stored(expected)
        hashes = expected.get("sha256"), observed.get("sha256")
        return (
            any(name.endswith(".crc32") for name in arrays)
            and arrays == _stored(observed)
            and all(map(is_sha256, hashes))
            and all(type(values.get("size_bytes")) is int for values in (expected, observed))
            and hashes[0] != hashes[1]
        )

    def problems(self, observed: Values, comparison: Comparison) -> tuple[Problem, ...]:
        """Return what is wrong with a comparison of all values: thresholds without effect, and that it is empty."""
        unused = self.unused_thresholds(observed)
        if comparison.compared or comparison.differences or not comparison.not_compared:
            return unused
        reasons = dict.fromkeys(f"{item.name} ({item.why})" for item in comparison.not_compared)
        message = (
            f"nothing is left to compare with {printable(self.record.path)}: {listed([*reasons], 3)} is left out, "
            "which is everything"
        )
        return (*unused, Problem(severity="error", where="reference", message=message))

    def unused_thresholds(self, observed: Values) -> tuple[Problem, ...]:
        """Return a warning for each threshold that covers no value on either side, as after a typing error."""
        named: set[tuple[str | None, str]] = set()
        for values in (self.values, observed):
            named.update((None, name) for name in values.whole)
            named.update((dataset, name) for dataset, names in values.datasets.items() for name in names)
            named.update((check.dataset, name) for check in values.checks.values() for name in check.values)
        # Thresholds may be for datasets that are left out of this comparison.
        named.update((dataset, name) for dataset in self.record.left_out for _, name in tuple(named))
        return tuple(
            Problem(
                severity="warning",
                where="threshold",
                message=f"no value is called {printable(limit.pattern)!r}, so its threshold {limit.text} has no "
                "effect; values have names like raw.mean, probe.phase.p50 or params.N",
            )
            for limit in self.thresholds
            if not any(limit.covers(*each) for each in named)
        )

    def _compare(
        self,
        where: str,
        dataset: str | None,
        expected: Named,
        observed: Named,
        level: Level,
        own: Mapping[str, Threshold] = MappingProxyType({}),
    ) -> Comparison:
        names = {name: None for name in (*expected, *observed) if self.values.knows(name)}
        magnitudes = _magnitudes(expected)
        found, left_out = [], []
        for name in names:
            limit = self._threshold_for(dataset, name, own)
            one_sided = _not_measured(name, expected, observed)
            reason = one_sided or _reason_to_leave_out(name, names, limit, level)
            if reason is not None:
                same = one_sided or are_same(expected.get(name, ABSENT), observed.get(name, ABSENT))
                left_out.append(_not_compared(*reason, None if same else where + name))
                continue
            group, _, statistic = name.rpartition(".")
            floor = ROUNDING * magnitudes.get(group, 0.0) if statistic not in _UNITLESS else 0.0
            difference = find_difference(
                where + name, expected.get(name, ABSENT), observed.get(name, ABSENT), limit, floor
            )
            if difference is not None:
                found.append(difference)
        compared = len(names) - len(left_out)
        return Comparison(tuple(sorted(found, key=worst_first)), compared, joined(left_out))

    def _threshold_for(
        self, dataset: str | None, name: str, own: Mapping[str, Threshold] = MappingProxyType({})
    ) -> Threshold | None:
        covering = [limit for limit in self.thresholds if limit.covers(dataset, name)]
        return covering[-1] if covering else own.get(name)


def read_reference(scenario: Scenario) -> LogFile | None:
    """Read the log that a scenario names as its reference; None if it names none.

    Raises
    ------
    LogError
        If it cannot be read, is corrupt, or is of a newer schema.
    """
    return None if scenario.reference_path is None else read_log(scenario.reference_path, scenario.reference)


def comparator_for(scenario: Scenario, reference: LogFile | None) -> Comparator | None:
    """Return a comparator for the datasets that a scenario asks for; None if there is no reference."""
    if reference is None:
        return None
    return Comparator.of(reference, scenario.thresholds, scenario.compare).limited_to(scenario.limit_datasets)


def compare_log(log: EvidenceLog, comparator: Comparator) -> EvidenceLog:
    """Return a log with what a comparison with the reference found in it."""
    observed = values_of(log)
    comparison = comparator.compare(observed)
    return replace(
        log,
        reference=comparator.record_beside(observed.checks, comparison),
        drift=comparison.differences,
        findings=diagnose(comparator.values, observed, comparison),
        verdict=comparison.verdict if log.verdict == "recorded" else log.verdict,
        problems=log.problems + comparator.problems(observed, comparison),
    )


def _stored(values: Named) -> Named:
    """Return shape, dtype, size and CRC-32 of the arrays of a dataset."""
    arrays = within(values, ("arrays",))
    return {name: value for name, value in arrays.items() if name.rpartition(".")[2] not in ARRAY_STATISTICS}


def _reason_to_leave_out(
    name: str, names: Mapping[str, None], limit: Threshold | None, level: Level
) -> tuple[str, str] | None:
    """Return under which name a value is left out, and why; None if it is compared."""
    if limit is not None and limit.is_ignore:
        return limit.pattern, limit.text
    if level == "bytes" or (limit is not None and limit.is_exact):
        return None
    listed_as = left_out_by_statistics(name, names)
    return None if listed_as is None else (listed_as, f"level {level}")


def _not_measured(name: str, expected: Named, observed: Named) -> tuple[str, str] | None:
    """Return how to list a statistic of an array that only one side has measured; None if both or neither have."""
    array, _, statistic = name.rpartition(".")
    if statistic not in ARRAY_STATISTICS or not array.startswith("arrays."):
        return None
    is_there = all(f"{array}.shape" in values for values in (expected, observed))
    measured = [f"{array}.count" in values or f"{array}.text" in values for values in (expected, observed)]
    return (f"{array}.*", "measured on one side alone") if is_there and measured[0] != measured[1] else None


def _not_compared(name: str, why: str, differs_at: str | None) -> NotCompared:
    where = () if differs_at is None else (differs_at,)
    return NotCompared(name=name, why=why, values=1, differ=len(where), where=where)


def _magnitudes(values: Named) -> dict[str, float]:
    """Return the largest magnitude among the statistics of each group."""
    found: dict[str, float] = {}
    for name, value in values.items():
        group, _, statistic = name.rpartition(".")
        if (group in _GROUPS or group.startswith("arrays.")) and statistic not in _UNITLESS and is_finite_number(value):
            found[group] = max(found.get(group, 0.0), abs(float(value)))
    return found


def _as_repacked(difference: Difference) -> Difference:
    if difference.where.rpartition(":")[2] not in _FILE:
        return difference
    return replace(difference, threshold="the arrays are the same", verdict="repacked")
