"""What is proven about the probe, the scan index, the other arrays and the metadata of a dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ...evidence.drift import Difference
from ...util.text import listed, printable
from ..difference import MISSING, is_finite_number
from . import patterns
from .pair import DAMAGED, NOT_ALL_COMPARED, ONE_SIDE, Pair, Proof, change_text, largest_change, same_bytes_proof
from .proofs import factor, is_negated, numbers, same_values

_ROLES = ("diff3d", "probeGuess", "scan_index")
_METADATA = ("_metadata", "metadata_json")
_PART = ("min", "p01", "p05", "p50", "p95", "p99", "max", "mean", "std")
_SAME = "every statistic of it is the same"
_OTHER_GROUPS = "scan_index, or the order of the frames, differs"
_STATISTICS = ("min", "max", "mean", "std")
_MOST = 3  # names in a sentence
_ROUNDING = 1e-6  # of the largest


def prove_probe(pair: Pair) -> Proof | None:
    """Return what is proven about the probe; None where it is the same, or not known."""
    drifted = pair.drifts("probe", "arrays.probeGuess")
    if not drifted and not pair.changes("arrays.probeGuess.crc32"):
        return None
    lost = _lost(drifted, "the probe")
    if lost is not None:
        if pair.sound[1] and "arrays.probeGuess.shape" not in pair.observed and drifted[0].observed == MISSING:
            return Proof(
                ONE_SIDE, "there is no probe here, and the reference has one", "ask for the file with its probe"
            )
        return lost
    if pair.same_bytes("probeGuess"):
        return same_bytes_proof("probeGuess", drifted)
    shapes, dtypes = pair.both("probe.shape"), pair.both("probe.dtype")
    amplitudes = pair.stats("probe.amplitude")
    parts_agree = all(_equal(*pair.stats(f"probe.{part}")) for part in ("amplitude", "phase"))
    if shapes[0] != shapes[1] and None not in shapes:
        same = f"; {_SAME}" if parts_agree else ""
        sentence = f"the probe has shape {shapes[1]}, the reference's {shapes[0]}{same}"
        return Proof("shape", sentence, "look at which modes are there, and in which order its axes are")
    phases = pair.stats("probe.phase")
    found = factor(*amplitudes, _PART) if _nearly_equal(*phases) else None
    if found is not None:
        sentence = f"the amplitude of the probe is the reference's times {found:#.5g}, at the same phase"
        return Proof("factor", sentence, "find the step that scales the probe")
    if _nearly_equal(*amplitudes) and is_negated(*phases):
        sentence = "the probe is the reference's complex conjugate: its phase has the other sign"
        return Proof("conjugated", sentence, "conjugate it, and look at the sign convention of the Fourier transform")
    if _equal(*amplitudes) and not _equal(*phases):
        sentence = "the amplitude of the probe is the reference's, and its phase is not: a phase that is added, say"
        return Proof("phase", sentence, "look at the page, which lays both upon each other and tells the global phase")
    if parts_agree and dtypes[0] != dtypes[1]:
        return Proof(
            "dtype", f"the probe is {dtypes[1]}, the reference's {dtypes[0]}; every statistic of it is the same"
        )
    compared = all(pair.were_compared(f"probe.{part}", _PART) for part in ("amplitude", "phase"))
    if parts_agree and compared and not largest_change(drifted)[0]:
        how = "every statistic is the same, as after a shift or a turn: the page lays both upon each other"
        return Proof("within_thresholds", f"the probe differs in its bytes; {how}")
    return _changed_or_within("the probe", drifted, agree=parts_agree, compared=compared)


def prove_scan_index(pair: Pair) -> Proof | None:
    """Return what is proven about the scan index; the grouped stage follows from it where the patterns are the same."""
    alone = not patterns.differ(pair) and None not in pair.both("raw.mean")
    grouped = pair.drifts("grouped") if alone else []
    stored = pair.drifts("arrays.scan_index")
    if not stored and not grouped and not pair.changes("arrays.scan_index.crc32"):
        return None
    lost = _lost(stored, "the scan index") or _lost(grouped, "the grouped stage")
    if lost is not None:
        return lost
    if pair.same_bytes("scan_index") and pair.same_bytes("diff3d"):
        # Where raw was measured in another way, grouped follows.
        return None if pair.drifts("raw") else same_bytes_proof("diff3d and scan_index", [*stored, *grouped])
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
    if grouped:
        text, weight = largest_change(grouped)
        why = "scan_index puts other frames together" if pair.same_bytes("diff3d") else _OTHER_GROUPS
        sentence = f"raw agrees, and grouped does not: {why}"
        return Proof("changed", f"{sentence}; {text}" if text else sentence, "look at scan_index", weight, sentence)
    compared = pair.were_compared("grouped", pair.stats("grouped")[0])
    return _changed_or_within("scan_index", [], agree=grouped_agree, compared=compared)


def prove_arrays(pair: Pair) -> Iterator[Proof]:
    """Yield what is proven about the arrays that play no stage's role."""
    names = [name for name in _array_names(pair) if name not in (*_ROLES, *_METADATA)]
    differing = [name for name in names if pair.changes(f"arrays.{name}.crc32") or pair.drifts(f"arrays.{name}")]
    measured = [name for name in differing if pair.same_bytes(name)]
    if measured:
        yield same_bytes_proof(listed(measured, _MOST), [each for name in measured for each in _drifts_of(pair, name)])
    if unread := _unread(pair, names):
        verb = "was" if len(unread) == 1 else "were"
        sentence = f"something in the file could not be read here, and {listed(unread, _MOST)} {verb} not measured"
        yield Proof("missing", sentence, DAMAGED)
    explained = {*measured, *unread}
    for one, other in _swapped(pair, [name for name in differing if name not in explained]):
        explained |= {one, other}
        yield Proof("swapped_arrays", f"{printable(one)} and {printable(other)} are swapped", "rename these two arrays")
    rest = [name for name in differing if name not in explained]
    missing = [name for name in rest if None in pair.both(f"arrays.{name}.shape")]
    for side, sentence in ((0, "not in the reference"), (1, "in the reference alone")):
        absent = [name for name in missing if pair.both(f"arrays.{name}.shape")[side] is None]
        if absent:
            yield Proof(ONE_SIDE, f"these arrays are {sentence}: {listed(absent, _MOST)}")
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
        about = " ".join(map(_leaf, drifted))
        return Proof("changed", f"its metadata differ: {listed(names, _MOST)}", "", largest_change(drifted)[1], about)
    return (
        Proof("within_thresholds", "its metadata are stored as another text, and what was compared of them agrees")
        if stored
        else None
    )


def _drifts_of(pair: Pair, name: str) -> list[Difference]:
    return pair.drifts(f"arrays.{name}")


def _unread(pair: Pair, names: list[str]) -> list[str]:
    """Return the arrays that the reference measured and this side did not, where something could not be read."""
    if pair.sound[1]:
        return []
    before, after = (
        {name for name in names if values.keys() & {f"arrays.{name}.count", f"arrays.{name}.text"}}
        for values in (pair.expected, pair.observed)
    )
    return [name for name in names if name in before - after and f"arrays.{name}.shape" in pair.observed]


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
        about = " ".join(sorted(changed))
        yield Proof("changed", f"{listed([*changed], _MOST)} differ{_s(changed)}; {worst[0]}", "", worst[1], about)
    texts = [name for name, drifted in others.items() if name not in changed and _has_text(drifted)]
    if texts:
        yield Proof("text", f"the text of {listed(texts, _MOST)} differs")
    moved = [name for name in others if name not in changed and name not in texts]
    alike: dict[str, list[str]] = {}
    for name in moved:
        alike.setdefault(_kind_of_move(pair, name), []).append(name)
    for kind, group in alike.items():
        yield Proof("within_thresholds", _moved_little(pair, kind, group))


def _has_text(drifted: list[Difference]) -> bool:
    return any(each.where.endswith(".text") for each in drifted)


def _kind_of_move(pair: Pair, name: str) -> str:
    """Return what the statistics of an array say whose bytes differ."""
    if len([*_statistics(pair, name)]) < len(_STATISTICS):
        return "unmeasured"
    if not pair.were_compared(f"arrays.{name}", _STATISTICS):
        return "left out"
    return "same" if same_values(*map(_without_percentiles, pair.stats(f"arrays.{name}"))) else "moved"


def _moved_little(pair: Pair, kind: str, names: list[str]) -> str:
    """Say of arrays whose bytes alone differ by how much their statistics do."""
    subject = f"{listed(names, _MOST)} differ{_s(names)} in {'its' if len(names) == 1 else 'their'} bytes"
    match kind:
        case "unmeasured":
            who = "it was" if len(names) == 1 else "they were"
            return f"{subject}, and {who} not measured: nothing more can be said"
        case "left out":
            return f"{subject}; {NOT_ALL_COMPARED}"
        case "same":
            return (
                f"{subject}, and not in min, max, mean or std: single values may have moved, or stand in another order"
            )
    gaps = [abs(after - before) for name in names for before, after in _statistics(pair, name)]
    return f"{subject}; min, max, mean and std differ by {max(gaps):.2g} at most, within their thresholds"


def _statistics(pair: Pair, name: str) -> Iterator[tuple[float, float]]:
    for key in _STATISTICS:
        before, after = pair.both(f"arrays.{name}.{key}")
        if is_finite_number(before) and is_finite_number(after):
            yield before, after


def _lost(drifted: list[Difference], what: str) -> Proof | None:
    """Return that something is on one side alone."""
    if drifted and all(each.observed == MISSING for each in drifted):
        return Proof("missing", f"{what} of the reference is not here, or could not be measured", DAMAGED)
    if drifted and all(each.expected == MISSING for each in drifted):
        return Proof(ONE_SIDE, f"{what} is not in the reference")
    return None


def _changed_or_within(what: str, drifted: list[Difference], *, agree: bool, compared: bool) -> Proof:
    text, weight = largest_change(drifted)
    if text:
        return Proof("changed", f"{what} differs; {text}", "", weight, what)
    if not compared:
        return Proof("within_thresholds", f"{what} differs in its bytes; {NOT_ALL_COMPARED}")
    how = "every statistic is the same" if agree else "the statistics agree within their thresholds"
    return Proof("within_thresholds", f"{what} differs in its bytes; {how}, and nothing more can be said")


def _equal(expected: Mapping[str, object], observed: Mapping[str, object]) -> bool:
    return bool(expected) and expected == observed


def _nearly_equal(expected: Mapping[str, object], observed: Mapping[str, object]) -> bool:
    """Whether statistics are the same but for the rounding of a factor, as phases are."""
    before, after = numbers(expected, _PART), numbers(observed, _PART)
    if not before or not after:
        return False
    largest = max(map(abs, before))
    return all(abs(new - old) <= _ROUNDING * largest for old, new in zip(before, after, strict=True))


def _s(names: Collection[str]) -> str:
    return "s" if len(names) == 1 else ""
