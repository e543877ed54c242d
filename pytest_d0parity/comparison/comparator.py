"""A log compared with a reference: dataset by dataset, parameters and metrics, and the users' own checks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..evidence.dataset import Problem
from ..evidence.drift import Difference, NotCompared, Reference
from ..evidence.file import LogFile
from ..scenario.thresholds import EXACT, Level, Threshold
from ..util.files import is_sha256
from ..util.records import ABSENT
from ..util.text import listed, printable, valid_utf8
from .accepted import AcceptedRuns, disagreement
from .difference import (
    MISSING,
    PRESENT,
    ROUNDING,
    Comparison,
    are_same,
    dataset_at,
    find_difference,
    is_finite_number,
    joined,
    within,
    worst_first,
)
from .levels import left_out_by_statistics
from .scatter import Errors, Scatter
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
    accepted: AcceptedRuns | None = None
    remark: str = ""

    @classmethod
    def of(cls, file: LogFile, thresholds: Sequence[Threshold] = (), level: Level = "bytes") -> Comparator:
        """Return a comparator with a log that is trusted."""
        return cls(Reference(path=file.path, sha256=file.sha256), values_of(file.log), tuple(thresholds), level)

    @classmethod
    def of_several(cls, files: Sequence[LogFile], thresholds: Sequence[Threshold], level: Level) -> Comparator:
        """Return a comparator with several logs that are trusted alike.

        Raises
        ------
        AcceptedRunsError
            If they are too few, of different scenarios, or differ in what may not scatter.
        """
        first, *others = (cls.of(file, [limit for limit in thresholds if not limit.sigma], level) for file in files)
        accepted = AcceptedRuns.of(files, [first.values, *(other.values for other in others)])
        for other in others:
            for difference in first.compare(other.values).drifted:
                key, name = _key_and_name(difference.where, first.values)
                if not accepted.may_differ(key, name):
                    raise disagreement(first.record.path, other.record.path, difference.where)
        record = replace(first.record, accepted=accepted.runs)
        return cls(record, accepted.mean(), tuple(thresholds), level, accepted)

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
        return replace(
            self.record,
            left_out=self.record.left_out + left_out,
            not_compared=comparison.not_compared,
            compared=comparison.compared,
        )

    def compare(self, observed: Values) -> Comparison:
        """Compare all values. A check of the users' own that did not run is left out."""
        both = [name for name in self.values.datasets if name in observed.datasets]
        return Comparison.of(
            [
                self.compare_names(observed.datasets),
                *(
                    self.compare_dataset(
                        name, observed.datasets[name], observed.errors[name], sound=name not in observed.unsound
                    )
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
        self, filename: str, observed: Named, errors: Errors, *, sound: bool, names: Sequence[str] = ("",)
    ) -> Comparison:
        """Compare the values of a dataset, which the reference must have.

        Parameters
        ----------
        observed : dict
            All its values, by their dotted names.
        errors : dict
            Their standard errors.
        sound : bool
            Whether the whole file could be read. One that could not is never called repacked.
        names : sequence of str
            Compare the values of these names, and those below them; all by default.
        """
        expected = self.values.datasets[filename]
        repacked = sound and self.is_repacked(filename, observed)
        # Where the arrays are the same, to the last bit, no level has anything to leave out.
        level: Level = "bytes" if repacked else self.level
        spread = self.accepted.spread_of(filename) if self.accepted else {}
        scatter = Scatter.of(self.values.errors[filename], errors, (expected, observed), spread)

        def compare(names: Sequence[str]) -> Comparison:
            parts = within(expected, names), within(observed, names)
            return self._compare(f"{filename}:", filename, *parts, level, scatter)

        part = compare(names)
        if self._uses_sigma and part.drifted:
            part = self._without_what_follows(part, filename, compare, scatter)
        return replace(part, differences=tuple(map(_as_repacked, part.differences))) if repacked else part

    def _without_what_follows(
        self, part: Comparison, filename: str, compare: Callable[[Sequence[str]], Comparison], scatter: Scatter
    ) -> Comparison:
        """Judge no value a second time that follows from others, which lie within a limit in standard errors."""
        fine = set()
        if scatter.covers("raw.mean") and not compare(["raw"]).drifted:
            fine.add("normalized")
        if not compare(["photons.per_pattern", "photons.expected"]).drifted and scatter.covers("photons.per_pattern"):
            fine.add("photons.ratio")

        def judged(difference: Difference) -> Difference:
            name = difference.where.removeprefix(f"{filename}:")
            group = name if name in fine else name.partition(".")[0]
            _, sigma = self._limits_for(filename, name)
            if difference.verdict != "drift" or group not in fine or sigma is None or difference.distance is None:
                return difference
            allowed = f"{sigma.text} of what it follows from"
            return replace(difference, threshold=allowed, distance=None, verdict="within_thresholds")

        return replace(part, differences=tuple(sorted(map(judged, part.differences), key=worst_first)))

    def compare_baseline(
        self, observed: BaselineValues, pick: Callable[[Named], Named] = lambda values: values
    ) -> Comparison:
        """Compare params and metrics with the reference's, or those of them that a function picks."""
        expected, found = (pick(each.known_to(self.values.version)) for each in (self.values.baseline, observed))
        scatter = Scatter(spread=self.accepted.spread_of(None)) if self.accepted else Scatter()
        return self._compare("", None, expected, found, self.level, scatter)

    def compare_check(self, check_id: str, observed: CheckValues) -> Comparison:
        """Compare the values that one of the users' own checks recorded."""
        if not self.values.knows_checks:
            return Comparison((), 0)
        known = self.values.checks.get(check_id)
        expected = known.values if known else {}
        scatter = Scatter(spread=self.accepted.spread_of(check_id)) if self.accepted else Scatter()
        return self._compare(
            f"{check_id}:", observed.dataset, expected, observed.values, "bytes", scatter, observed.limits
        )

    def _as_trusted(self, check_id: str, observed: CheckValues) -> CheckValues:
        """Replace the limits that a check brings along by those of the reference, which is trusted."""
        known = self.values.checks.get(check_id)
        return replace(observed, limits=known.limits) if known else observed

    def is_repacked(self, filename: str, observed: Named) -> bool:
        """Whether a file has other bytes than the reference's, but the same shapes, dtypes, sizes and CRC-32."""
        expected = self.values.datasets.get(filename, {})
        limit, _ = self._limits_for(filename, "sha256")
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
        unused = (*self.unused_thresholds(observed), *self._without_errors(observed))
        if self.remark:
            unused = (*unused, Problem(severity="warning", where="reference", message=self.remark))
        if comparison.compared or comparison.differences or not comparison.not_compared:
            return unused
        reasons = dict.fromkeys(f"{item.name} ({item.why})" for item in comparison.not_compared)
        message = (
            f"nothing is left to compare with {printable(self.record.path)}: {listed([*reasons], 3)} is left out, "
            "which is everything"
        )
        return (*unused, Problem(severity="error", name="unmeasured", where="reference", message=message))

    def _without_errors(self, observed: Values) -> Iterator[Problem]:
        """Yield a warning if a limit is given in standard errors, and datasets have none."""
        both = [name for name in self.values.datasets if name in observed.datasets]
        without = [name for name in both if not (self.values.errors.get(name) and observed.errors.get(name))]
        if self._uses_sigma and without:
            message = (
                f"{listed(without, 3)} {'have' if len(without) > 1 else 'has'} no standard errors on both sides (an "
                "older log, or fewer than 32 frames), so that limits in sigma have no effect there and the others hold"
            )
            yield Problem(severity="warning", where="threshold", message=message)

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
        scatter: Scatter,
        own: Mapping[str, Threshold] = MappingProxyType({}),
    ) -> Comparison:
        names = {name: None for name in (*expected, *observed) if self.values.knows(name)}
        magnitudes = _magnitudes(expected)
        found, left_out = [], []
        for name in names:
            limit, sigma = self._limits_for(dataset, name, own)
            one_sided = _not_measured(name, expected, observed)
            reason = one_sided or _reason_to_leave_out(name, names, sigma or limit, level)
            if reason is not None:
                same = one_sided or are_same(expected.get(name, ABSENT), observed.get(name, ABSENT))
                left_out.append(_not_compared(*reason, None if same else where + name))
                continue
            group, _, statistic = name.rpartition(".")
            floor = ROUNDING * magnitudes.get(group, 0.0) if statistic not in _UNITLESS else 0.0
            by_sigma = sigma is not None and scatter.covers(name)
            difference = find_difference(
                where + name,
                expected.get(name, ABSENT),
                observed.get(name, ABSENT),
                None if by_sigma else limit,
                floor,
            )
            if difference is not None:
                found.append(scatter.judge(difference, name, sigma) if by_sigma and sigma is not None else difference)
        compared = len(names) - len(left_out)
        return Comparison(tuple(sorted(found, key=worst_first)), compared, joined(left_out))

    def _limits_for(
        self, dataset: str | None, name: str, own: Mapping[str, Threshold] = MappingProxyType({})
    ) -> tuple[Threshold | None, Threshold | None]:
        """Return the limit of a value, and the one in standard errors that counts where the value has these."""
        covering = [limit for limit in self.thresholds if limit.covers(dataset, name)]
        plain = [limit for limit in covering if not limit.sigma]
        sigma = covering[-1] if covering and covering[-1].sigma else None
        return (plain[-1] if plain else own.get(name)), sigma

    @property
    def _uses_sigma(self) -> bool:
        return any(limit.sigma for limit in self.thresholds)


def _key_and_name(where: str, values: Values) -> tuple[str | None, str]:
    """Return the dataset or check of a difference, None for params and metrics, and the name of its value."""
    key = dataset_at(where, {*values.datasets, *values.checks})
    return key, where if key is None else where.removeprefix(f"{key}:")


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
