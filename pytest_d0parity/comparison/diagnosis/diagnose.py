"""Why a log differs from the reference: one finding for each root, and for all datasets of which it is the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...evidence.drift import Difference, Finding
from ...util.files import is_sha256
from ...util.text import counted, listed, printable
from ..difference import MISSING, PRESENT, Comparison, dataset_at
from ..values import Named, Values
from . import arrays, patterns
from .files import renamed_files
from .pair import DAMAGED, ONE_SIDE, Pair, Proof, change_text, same_bytes_proof

_MOST = 5  # names in a sentence
_GIVE_PARAMS = "give the params by --baseline-params, or mend what the problems say of them"
_ROOTS = (
    *("files", "datasets", "patterns", "scan_index", "probe", "arrays", "metadata"),
    *("params", "metrics", "attachments", "checks"),
)

_Found = tuple[str, tuple[str, ...], Proof]  # the root, the datasets, and what is proven of it


def diagnose(reference: Values, observed: Values, comparison: Comparison) -> tuple[Finding, ...]:
    """Return what the values of two logs prove about why they differ.

    Parameters
    ----------
    reference, observed : Values
        Of both logs, or of the parts that were compared.
    comparison : Comparison
        What differs, and within which thresholds.

    Returns
    -------
    tuple of Finding
        In the order of the pipeline; none where nothing differs. Nothing is said that is not proven.
    """
    by_dataset, others = _by_dataset(comparison.differences, reference, observed)
    found = [("files", names, proof) for names, proof in renamed_files(reference, observed)]
    renamed = {name for _, names, _ in found for name in names}
    whole = reference.whole, observed.whole
    for name, values in observed.datasets.items():
        if name in reference.datasets and name not in renamed:
            differences = by_dataset.get(name, ())
            sound = name not in reference.unsound, name not in observed.unsound
            pair = Pair(name, reference.datasets[name], values, differences, whole, sound)
            found += [(root, (name,), proof) for root, proof in _prove(pair)]
    # Of a name of the reference whose bytes are here under another one, that was told.
    here = {values.get("sha256") for name, values in observed.datasets.items() if name not in reference.datasets}
    moved = {
        name
        for name, values in reference.datasets.items()
        if is_sha256(hash_ := values.get("sha256")) and hash_ in here
    }
    found += _beside_datasets(others, renamed | moved)
    return _joined(found)


def _by_dataset(
    differences: Sequence[Difference], reference: Values, observed: Values
) -> tuple[dict[str, list[Difference]], list[Difference]]:
    names = {*reference.datasets, *observed.datasets}
    by_dataset: dict[str, list[Difference]] = {}
    others = []
    for difference in differences:
        dataset = dataset_at(difference.where, names)
        if dataset is None:
            others.append(difference)
        else:
            by_dataset.setdefault(dataset, []).append(difference)
    return by_dataset, others


def _prove(pair: Pair) -> Iterator[tuple[str, Proof]]:
    hashes = pair.both("sha256")
    repacked = any(each.verdict == "repacked" for each in pair.differences)
    if hashes[0] == hashes[1] and is_sha256(hashes[0]):
        if pair.drifted:
            yield "files", same_bytes_proof("", pair.drifted.values())
        return
    if repacked and not pair.drifted:
        return
    if not _holds_arrays(pair.observed) and _holds_arrays(pair.expected):
        yield "files", Proof("missing", "nothing in the file could be read here", DAMAGED)
        return
    told = False
    for root, prove in (
        ("patterns", patterns.prove),
        ("scan_index", arrays.prove_scan_index),
        ("probe", arrays.prove_probe),
        ("metadata", arrays.prove_metadata),
    ):
        if (proof := prove(pair)) is not None:
            told = True
            yield root, proof
    for proof in arrays.prove_arrays(pair):
        told = True
        yield "arrays", proof
    if not told and pair.drifted:
        yield "files", _of_file(pair)


def _holds_arrays(values: Named) -> bool:
    return any(name.startswith("arrays.") for name in values)


def _of_file(pair: Pair) -> Proof:
    """Return what is left to say of a file in which no root differs."""
    if set(pair.drifted) <= {"sha256", "size_bytes"}:
        if not pair.sound[1]:
            return Proof("damaged", "the bytes of the file differ, and something in it could not be read here", DAMAGED)
        if _same_arrays(pair):
            return Proof("repacked", "the bytes of the file differ, and those of no array in it: it was packed anew")
        return Proof("bytes", "the bytes of the file differ, and nothing else that was compared")
    renamed = {name: each for name, each in pair.drifted.items() if _is_name(name)}
    if renamed and set(pair.drifted) <= {"sha256", "size_bytes", *renamed} and _same_arrays(pair):
        called = [_called(name.split(".")[1], each) for name, each in renamed.items()]
        sentence = f"the arrays are the same, and called otherwise: {listed(called, 3)}"
        return Proof("array_names", sentence, "--compare statistics compares arrays by the roles that they play")
    return Proof("values", f"these values differ: {listed([*pair.drifted], 3)}")


def _same_arrays(pair: Pair) -> bool:
    """Whether both sides hold the same arrays, each with the same CRC-32."""
    names = {name.rpartition(".")[0] for values in (pair.expected, pair.observed) for name in values if _is_shape(name)}
    return bool(names) and all(pair.same_bytes(name.removeprefix("arrays.")) for name in names)


def _called(role: str, difference: Difference) -> str:
    """Say what an array is called on both sides; where that is the name of its role, the log holds no other."""
    here, there = (role if each == MISSING else each for each in (difference.observed, difference.expected))
    return f"{role} is {here}, the reference's {there}"


def _is_name(name: str) -> bool:
    return name.startswith("arrays.") and name.endswith(".name")


def _is_shape(name: str) -> bool:
    return name.startswith("arrays.") and name.endswith(".shape")


def _beside_datasets(differences: Sequence[Difference], renamed: set[str]) -> Iterator[_Found]:
    drifted = [each for each in differences if each.verdict == "drift"]
    sides = {
        (PRESENT, MISSING): ("in the reference alone", "missing"),
        (MISSING, PRESENT): ("not in the reference", "extra"),
    }
    for (expected, observed), (sentence, rule) in sides.items():
        names = [each.where for each in drifted if (each.expected, each.observed) == (expected, observed)]
        names = [name for name in names if name not in renamed]
        if names:
            advice = "ask for it" if rule == "missing" else "take it away, or accept it into the reference"
            yield "datasets", (), Proof(rule, f"{sentence}: {listed(names, _MOST)}", advice)
    rest = [each for each in drifted if (each.expected, each.observed) not in sides]
    for root, noun in (("params", "parameter"), ("metrics", "metric")):
        of_root = [each for each in rest if each.where.startswith(f"{root}.")]
        if of_root:
            yield root, (), _named(of_root, noun, f"{root}.")
    if attached := [each for each in rest if each.where.startswith("attachments.")]:
        yield "attachments", (), _of_attachments(attached)
    own = [each for each in rest if not each.where.startswith(("params.", "metrics.", "attachments."))]
    if own:
        unsaid = [each.where for each in own if each.observed == MISSING]
        new = [each.where for each in own if each.expected == MISSING]
        names = [each.where for each in own if MISSING not in (each.expected, each.observed)]
        if names:
            yield "checks", (), Proof("changed", f"values of your own checks differ: {listed(names, _MOST)}")
        if unsaid:
            what = f"your own checks did not record {listed(unsaid, _MOST)}, which the reference has"
            yield "checks", (), Proof("unrecorded", what)
        if new:
            what = f"your own checks recorded {listed(new, _MOST)}, which the reference does not have"
            yield "checks", (), Proof("unknown", what)


def _of_attachments(differences: Sequence[Difference]) -> Proof:
    said = []
    for each in differences:
        name = each.where.removeprefix("attachments.").removesuffix(".sha256")
        state = "is not attached here" if each.observed == MISSING else "is another file"
        said.append(f"{name} {'is not in the reference' if each.expected == MISSING else state}")
    return Proof(
        "changed",
        f"{counted(len(said), 'attachment')} {'differs' if len(said) == 1 else 'differ'}: {listed(said, _MOST)}",
        "attach the same files (--attach), or leave them out by --threshold 'attachments.NAME:ignore'",
    )


def _named(differences: Sequence[Difference], noun: str, prefix: str) -> Proof:
    for side, sentence, advice in (
        ("observed", "the reference has {}, and here there is none", _GIVE_PARAMS),
        ("expected", "here there is {}, and the reference has none", "record the reference anew, with its params"),
    ):
        if all(getattr(each, side) == MISSING for each in differences) and len(differences) > 1:
            return Proof(ONE_SIDE, sentence.format(counted(len(differences), noun)), advice)
    names = [f"{each.where.removeprefix(prefix)} ({change_text(each)})" for each in differences]
    verb = "differs" if len(names) == 1 else "differ"
    return Proof(
        "changed",
        f"{counted(len(names), noun)} {verb}: {listed(names, _MOST)}",
        "run the baseline with the same settings" if noun == "parameter" else "",
    )


def _joined(found: Sequence[_Found]) -> tuple[Finding, ...]:
    """Join what is the same in several datasets; of plain changes the largest stands for all."""
    groups: dict[tuple[str, str, str], list[_Found]] = {}
    for root, names, proof in found:
        groups.setdefault((root, proof.rule, proof.about or proof.sentence), []).append((root, names, proof))
    findings = []
    for (root, rule, about), members in groups.items():
        _, of, worst = max(members, key=lambda member: member[2].weight)
        sentence = worst.sentence
        if len({proof.sentence for _, _, proof in members}) > 1:
            # What a factor happens to be in one dataset is not why it is the same in all.
            sentence = about if rule == "factor" else f"{sentence}, in {printable(of[0])}"
        names = tuple(name for _, datasets, _ in members for name in datasets)
        findings.append(Finding(root=root, proof=rule, datasets=names, sentence=sentence, advice=worst.advice))  # type: ignore[arg-type]
    return tuple(sorted(findings, key=lambda each: _ROOTS.index(each.root)))
