"""What is proven about the probe, the scan index, the other arrays and the metadata of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...evidence.drift import Difference
from ...util.text import listed, printable
from ..difference import MISSING, is_finite_number
from . import patterns
from .pair import Pair, Proof, change_text, largest_change
from .proofs import factor, is_negated, same_values

_ROLES = ("diff3d", "probeGuess", "scan_index")
_METADATA = ("_metadata", "metadata_json")
_PART = ("min", "p01", "p05", "p50", "p95", "p99", "max", "mean", "std")
_SAME = "every statistic of it is the same"
_MOST = 3  # names in a sentence


def prove_probe(pair: Pair) -> Proof | None:
    """Return what is proven about the probe; None where it is the same, or not known."""
    drifted = pair.drifts("probe", "arrays.probeGuess")
    if not drifted and not pair.changes("arrays.probeGuess.crc32"):
        return None
    lost = _lost(drifted, "the probe")
    if lost is not None:
        return lost
    shapes, dtypes = pair.both("probe.shape"), pair.both("probe.dtype")
    amplitudes = pair.stats("probe.amplitude")
    parts_agree = all(_equal(*pair.stats(f"probe.{part}")) for part in ("amplitude", "phase"))
    if shapes[0] != shapes[1] and None not in shapes:
        same = f"; {_SAME}" if parts_agree else ""
        sentence = f"the probe has shape {shapes[1]}, the reference's {shapes[0]}{same}"
        return Proof("shape", sentence, "look at which modes are there, and in which order its axes are")
    found = factor(*amplitudes, _PART) if _equal(*pair.stats("probe.phase")) else None
    if found is not None:
        sentence = f"the amplitude of the probe is the reference's times {found:#.5g}, at the same phase"
        return Proof("factor", sentence, "find the step that scales the probe")
    if parts_agree and dtypes[0] != dtypes[1]:
        return Proof(
            "dtype", f"the probe is {dtypes[1]}, the reference's {dtypes[0]}; every statistic of it is the same"
        )
    return _changed_or_within("the probe", drifted, parts_agree)


def prove_scan_index(pair: Pair) -> Proof | None:
    """Return what is proven about the scan index; the grouped stage follows from it where the patterns are the same."""
    alone = not patterns.differ(pair) and None not in pair.both("raw.mean")
    drifted = pair.drifts("arrays.scan_index", *(("grouped",) if alone else ()))
    if not drifted and not pair.changes("arrays.scan_index.crc32"):
        return None
    lost = _lost(pair.drifts("arrays.scan_index"), "the scan index")
    if lost is not None:
        return lost
    scans = pair.both("grouped.n_unique_scans")
    grouped_agree = _equal(*pair.stats("grouped"))
    if pair.changes("grouped.n_unique_scans"):
        return Proof(
            "scans", f"scan_index names {scans[1]:,} scans, the reference's {scans[0]:,}", "look at scan_index"
        )
    dtypes = pair.both("arrays.scan_index.dtype")
    if dtypes[0] != dtypes[1] and None not in dtypes and grouped_agree:
        sentence = f"scan_index is {dtypes[1]}, the reference's {dtypes[0]}; the grouped statistics are the same"
        return Proof("dtype", sentence, "keep scan_index in one dtype on both sides")
    if alone and pair.drifts("grouped"):
        text, weight = largest_change(pair.drifts("grouped"))
        sentence = "raw agrees, and grouped does not: scan_index puts other frames together"
        return Proof("changed", f"{sentence}; {text}" if text else sentence, "look at scan_index", weight)
    return _changed_or_within("scan_index", [], agree=grouped_agree)


def prove_arrays(pair: Pair) -> Iterator[Proof]:
    """Yield what is proven about the arrays that play no stage's role."""
    names = [name for name in _array_names(pair) if name not in (*_ROLES, *_METADATA)]
    differing = [name for name in names if pair.changes(f"arrays.{name}.crc32") or pair.drifts(f"arrays.{name}")]
    explained = set()
    for one, other in _swapped(pair, differing):
        explained |= {one, other}
        yield Proof("swapped_arrays", f"{printable(one)} and {printable(other)} are swapped", "rename these two arrays")
    rest = [name for name in differing if name not in explained]
    missing = [name for name in rest if None in pair.both(f"arrays.{name}.shape")]
    for side, sentence in ((0, "not in the reference"), (1, "in the reference alone")):
        absent = [name for name in missing if pair.both(f"arrays.{name}.shape")[side] is None]
        if absent:
            yield Proof("missing", f"these arrays are {sentence}: {listed(absent, _MOST)}")
    others: dict[str, list[Difference]] = {}
    for name in rest:
        if name in missing:
            continue
        proof = _prove_array(pair, name)
        if proof is not None:
            yield proof
        else:
            others[name] = pair.drifts(f"arrays.{name}")
    yield from _unexplained(pair, others)


def prove_metadata(pair: Pair) -> Proof | None:
    """Return which leaves of the metadata drift."""
    drifted = pair.drifts("metadata")
    stored = [each for name in _METADATA for each in pair.drifts(f"arrays.{name}")]
    if drifted:
        names = [f"{_leaf(each)} ({change_text(each)})" for each in drifted]
        return Proof("changed", f"its metadata differ: {listed(names, _MOST)}", "", len(drifted))
    return (
        Proof("within_thresholds", "its metadata are stored as another text, and what was compared of them agrees")
        if stored
        else None
    )


def _leaf(difference: Difference) -> str:
    return difference.where.rpartition(":")[2].removeprefix("metadata.")


def _array_names(pair: Pair) -> list[str]:
    endings = (".shape", ".crc32")
    names = (name for values in (pair.expected, pair.observed) for name in values if name.startswith("arrays."))
    return [*dict.fromkeys(name[7:].rpartition(".")[0] for name in names if name.endswith(endings))]


def _swapped(pair: Pair, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of arrays of which each is the reference's other one."""
    before, after = (
        {name: values.get(f"arrays.{name}.crc32") for name in names} for values in (pair.expected, pair.observed)
    )
    open_names = list(names)
    while open_names:
        one = open_names.pop(0)
        partners = [
            other
            for other in open_names
            if after[one] is not None and (after[one], after[other]) == (before[other], before[one])
        ]
        if partners:
            # Where several arrays are the same, x belongs to y.
            mirrored = one.translate(str.maketrans("xyXY", "yxYX"))
            other = mirrored if mirrored in partners else partners[0]
            open_names.remove(other)
            yield one, other


def _prove_array(pair: Pair, name: str) -> Proof | None:
    shown = printable(name)
    shapes = pair.both(f"arrays.{name}.shape")
    if shapes[0] != shapes[1]:
        return Proof("shape", f"{shown} has shape {shapes[1]}, the reference's {shapes[0]}")
    stats = pair.stats(f"arrays.{name}")
    if is_negated(*stats):
        return Proof("sign", f"the sign of {shown} is turned", f"turn the sign of {shown}")
    dtypes = pair.both(f"arrays.{name}.dtype")
    if dtypes[0] != dtypes[1] and stats[0].get("mean") is not None and same_values(*map(_without_percentiles, stats)):
        return Proof("dtype", f"{shown} is {dtypes[1]}, the reference's {dtypes[0]}; {_SAME}")
    found = factor(*stats, ("min", "max", "mean", "std"))
    if found is not None and len({stats[0].get(key) for key in ("min", "max", "mean")}) > 1:
        return Proof("factor", f"every statistic of {shown} is the reference's times {found:#.5g}")
    return None


def _without_percentiles(stats: Mapping[str, object]) -> dict[str, object]:
    """Return statistics in which minimum and maximum stand for the percentiles, which an array has not."""
    return {
        **stats,
        **dict.fromkeys(("p01", "p10", "median"), stats.get("min")),
        **dict.fromkeys(("p90", "p99"), stats.get("max")),
    }


def _unexplained(pair: Pair, others: Mapping[str, list[Difference]]) -> Iterator[Proof]:
    """Yield one proof for the arrays of which statistics drift, and one for those whose bytes alone differ."""
    changed = {name: text for name, drifted in others.items() if (text := largest_change(drifted))[0]}
    if changed:
        worst = max(changed.values(), key=lambda each: each[1])
        yield Proof("changed", f"{listed([*changed], _MOST)} differ{_s(changed)}; {worst[0]}", "", worst[1])
    texts = [name for name, drifted in others.items() if name not in changed and _has_text(drifted)]
    if texts:
        yield Proof("text", f"the text of {listed(texts, _MOST)} differs")
    moved = [name for name in others if name not in changed and name not in texts]
    if moved:
        yield Proof("within_thresholds", _moved_little(pair, moved))


def _has_text(drifted: list[Difference]) -> bool:
    return any(each.where.endswith(".text") for each in drifted)


def _moved_little(pair: Pair, names: list[str]) -> str:
    """Say of arrays whose bytes alone differ by how much their statistics do."""
    gaps = [abs(after - before) for name in names for before, after in _statistics(pair, name)]
    subject = f"{listed(names, _MOST)} differ{_s(names)} in {'its' if len(names) == 1 else 'their'} bytes"
    if not gaps:
        return f"{subject}, and {'it was' if len(names) == 1 else 'they were'} not measured: nothing more can be said"
    if all(same_values(*map(_without_percentiles, pair.stats(f"arrays.{name}"))) for name in names):
        return f"{subject}, and not in min, max, mean or std: single values may have moved, or stand in another order"
    return f"{subject}; min, max, mean and std differ by {max(gaps):.2g} at most, within their thresholds"


def _statistics(pair: Pair, name: str) -> Iterator[tuple[float, float]]:
    for key in ("min", "max", "mean", "std"):
        before, after = pair.both(f"arrays.{name}.{key}")
        if is_finite_number(before) and is_finite_number(after):
            yield before, after


def _lost(drifted: list[Difference], what: str) -> Proof | None:
    """Return that something is on one side alone."""
    if drifted and all(each.observed == MISSING for each in drifted):
        return Proof("missing", f"{what} of the reference is not here, or could not be measured", "see the problems")
    if drifted and all(each.expected == MISSING for each in drifted):
        return Proof("missing", f"{what} is not in the reference")
    return None


def _changed_or_within(what: str, drifted: list[Difference], agree: bool) -> Proof:
    text, weight = largest_change(drifted)
    if text:
        return Proof("changed", f"{what} differs; {text}", "", weight)
    how = "every statistic is the same" if agree else "the statistics agree within their thresholds"
    return Proof("within_thresholds", f"{what} differs in its bytes; {how}, and nothing more can be said")


def _equal(expected: Mapping[str, object], observed: Mapping[str, object]) -> bool:
    return bool(expected) and expected == observed


def _s(names: object) -> str:
    return "s" if len(names) == 1 else ""  # type: ignore[arg-type]
