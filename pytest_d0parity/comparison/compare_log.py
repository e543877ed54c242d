"""The references of a scenario, and a log that is compared with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..evidence.drift import Finding
from ..evidence.file import LogFile, read_log
from ..evidence.model import EvidenceLog
from ..scenario.scenario import Scenario
from ..scenario.thresholds import parse_threshold
from .accepted import without_doubles
from .comparator import Comparator
from .diagnosis.diagnose import diagnose
from .diagnosis.patterns import MOVED
from .difference import Comparison, dataset_at, is_finite_number, within
from .values import Named, Values, values_of

if TYPE_CHECKING:
    from .diagnosis.moves import Frames

OFFER = "--compare statistics --threshold '*:5sigma'"  # on the command line
_SIGMA = 5
_HARDLY = 0.01  # of the scatter of photons that are drawn anew; in 99 of 100 cases these differ by more
_FEW = 10  # pixels; photons that are drawn anew change more from dark to bright, in 95 of 100 cases
_PERCENTILES = ("raw.median", "raw.p01", "raw.p10", "raw.p90", "raw.p99")
_FIVE_SIGMA = f"*:{_SIGMA}sigma"
_AT_SAME_POSITIONS = (
    ". The positions are the same, where frames differ by what they show and hardly by noise: add --threshold "
    "'photons.per_pattern:1%', so that a dose that is off by a few percent is seen"
)
_POSITIONS = ("arrays.xcoords.crc32", "arrays.ycoords.crc32")

BothFrames = tuple[Callable[[], "Frames"], Callable[[], "Frames"]]


def read_references(scenario: Scenario) -> tuple[LogFile, ...]:
    """Read the logs that a scenario names as its references; none if it names none.

    Raises
    ------
    LogError
        If one cannot be read, is corrupt, or is of a newer schema.
    """
    paths = zip(scenario.reference_paths, scenario.references, strict=True)
    return tuple(read_log(path, shown_as) for path, shown_as in paths)


def comparator_for(scenario: Scenario, references: Sequence[LogFile]) -> Comparator | None:
    """Return a comparator for the datasets that a scenario asks for; None if there is no reference.

    Raises
    ------
    AcceptedRunsError
        If several references cannot stand together.
    """
    files, twice = without_doubles(references)
    if not files:
        return None
    if len(files) == 1:
        comparator = Comparator.of(files[0], scenario.thresholds, scenario.compare)
    else:
        comparator = Comparator.of_several(files, scenario.thresholds, scenario.compare)
    return replace(comparator, remark=twice).limited_to(scenario.limit_datasets)


def comparator_beside(log: EvidenceLog, comparator: Comparator) -> Comparator:
    """Leave all datasets out of the reference where none could be looked for: then none of them is missing."""
    unfound = any(each.name == "unreadable" and each.where in ("dataset_root", "datasets") for each in log.problems)
    return comparator.limited_to(()) if unfound and not log.datasets else comparator


def compare_log(log: EvidenceLog, comparator: Comparator, frames: BothFrames | None = None) -> EvidenceLog:
    """Return a log with what a comparison with the reference found in it; for the frames see `explain`."""
    observed, comparator = values_of(log), comparator_beside(log, comparator)
    comparison = comparator.compare(observed)
    return replace(
        log,
        reference=comparator.record_beside(observed.checks, comparison),
        drift=comparison.differences,
        findings=explain(comparator, observed, comparison, frames),
        verdict=comparison.verdict if log.verdict == "recorded" else log.verdict,
        problems=log.problems + comparator.problems(observed, comparison),
    )


def explain_checked(
    comparator: Comparator,
    observed: Values,
    comparison: Comparison,
    checked: Mapping[str, Sequence[str]],
    frames: BothFrames | None = None,
) -> tuple[Finding, ...]:
    """Return why a log differs from the reference, from those values alone that were compared.

    Parameters
    ----------
    checked : dict
        For each dataset the names of the values that were compared, or of the groups that hold them.
    """

    def limited(values: Values) -> Values:
        parts = {name: within(each, checked.get(name, ())) for name, each in values.datasets.items()}
        return replace(values, datasets={name: part for name, part in parts.items() if part})

    return explain(replace(comparator, values=limited(comparator.values)), limited(observed), comparison, frames)


def explain(
    comparator: Comparator, observed: Values, comparison: Comparison, frames: BothFrames | None = None
) -> tuple[Finding, ...]:
    """Return why a log differs from the reference, and whether other frames of the same source would differ as much.

    Nobody who asked for no limit in standard errors knows that one would do, so it is offered where it would.

    Parameters
    ----------
    frames : pair of callables, optional
        Read the mean patterns of the reference and of the log: they are needed only where pixels moved.
    """
    findings = diagnose(comparator.values, observed, comparison)
    if frames is not None and any(each.root == "patterns" and each.proof in MOVED for each in findings):
        from .diagnosis.moves import name_moves  # with NumPy, which few comparisons need

        trusted, here = (read() for read in frames)
        findings = name_moves(findings, comparator.values, observed, trusted, here)
    if not any(_is_plain(finding) for finding in findings):
        return findings
    relaxed = replace(comparator, level="statistics", thresholds=(*comparator.thresholds, parse_threshold(_FIVE_SIGMA)))
    by_sigma = relaxed.compare(observed)
    asked = any(limit.sigma for limit in comparator.thresholds)
    passes = by_sigma.verdict == "within_thresholds" and comparison.verdict == "drift" and not asked
    drifted = {dataset_at(each.where, observed.datasets) for each in by_sigma.drifted if _is_of_patterns(each.where)}
    redrawn = {
        name: _farthest(by_sigma, name)
        for name in observed.datasets
        if name not in drifted and _have_other_frames(comparator.values.datasets.get(name, {}), observed.datasets[name])
    }
    offer = f"if the frames were drawn anew, {OFFER} accepts that" if passes else ""
    if passes and any(
        _have_same_positions(comparator.values.datasets[name], observed.datasets[name]) for name in redrawn
    ):
        offer += _AT_SAME_POSITIONS
    return tuple(each for finding in findings for each in _redrawn(finding, redrawn, offer))


def _have_same_positions(expected: Named, observed: Named) -> bool:
    return all(expected.get(name) == observed.get(name) is not None for name in _POSITIONS)


def _redrawn(finding: Finding, redrawn: Mapping[str, float | None], offer: str) -> Iterator[Finding]:
    """Yield a finding, without the datasets of which more can be said, and what can be said of these."""
    named = [name for name in finding.datasets if redrawn.get(name) is not None]
    if not _is_plain(finding) or not named:
        yield finding
        return
    if rest := tuple(name for name in finding.datasets if name not in named):
        yield replace(finding, datasets=rest)
    farthest = max(redrawn[name] or 0.0 for name in named)
    yield Finding(
        root="patterns",
        proof="redrawn",
        datasets=tuple(named),
        sentence=f"all differences of the patterns are within {farthest:.1f} standard errors: other frames of the same "
        "source would differ as much, so they may be drawn anew",
        advice=offer,
    )


def _is_plain(finding: Finding) -> bool:
    return finding.root == "patterns" and finding.proof in ("changed", "within_thresholds")


def _is_of_patterns(where: str) -> bool:
    return where.rpartition(":")[2].partition(".")[0] in ("raw", "pattern", "photons", "normalized", "grouped")


def _have_other_frames(expected: Named, observed: Named) -> bool:
    """Whether the frames are others, and differ as much as photons that are drawn anew do: no pixel or two alone."""
    sets = expected.get("frames.set"), observed.get("frames.set")
    if None in sets or sets[0] == sets[1] or not _differ_widely(expected, observed):
        return False
    counts = [values.get("photons.per_pattern") for values in (expected, observed)]
    frames = observed.get("frames.count")
    if all(map(is_finite_number, counts)) and isinstance(frames, int):
        before, after = (float(count) * frames for count in counts)  # type: ignore[arg-type]
        scatter = math.sqrt(before + after)
        most = _SIGMA * scatter if _have_same_positions(expected, observed) else math.inf
        return _HARDLY * scatter < abs(after - before) <= most
    return any(expected.get(name) != observed.get(name) for name in ("raw.median", "raw.p90", "raw.p99"))


def _differ_widely(expected: Named, observed: Named) -> bool:
    """Whether more than a few pixels differ: percentiles do, or the number of dark pixels by more than these."""
    if any(expected.get(name) != observed.get(name) for name in _PERCENTILES):
        return True
    dark = [(values.get("raw.nonzero_fraction"), values.get("raw.count")) for values in (expected, observed)]
    if not all(is_finite_number(number) for pair in dark for number in pair):
        return True
    before, after = (float(fraction) * float(count) for fraction, count in dark)  # type: ignore[arg-type]
    return abs(after - before) > _FEW


def _farthest(comparison: Comparison, dataset: str) -> float | None:
    """Return by how many standard errors a dataset differs at most; None if nothing of it is judged by these."""
    found = [
        each.distance * _SIGMA
        for each in comparison.differences
        if each.sigma is not None and each.distance is not None and each.where.startswith(f"{dataset}:")
    ]
    return max(found, default=None)
