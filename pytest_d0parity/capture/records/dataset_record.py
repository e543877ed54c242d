"""The record of a dataset: what was measured, beside what is said about its dose, and what of it is accepted."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ...evidence.dataset import Dataset, Dose, Problem
from ...scenario.dose import DoseClaim, claim_of_key, claims_of_metadata, decide, describe_claim
from ...scenario.layout import Layout
from ...scenario.scenario import Scenario
from ...scenario.sweep import Claims
from ...statistics.records import Photons
from ...util.text import printable, valid_utf8
from ..dataset.measurement import Measurement
from .acceptance import accepted

_PROBE = "probeGuess"


def make_dataset(
    scenario: Scenario, filename: str, measurement: Measurement, claims: Claims, *, expects_probe: bool
) -> Dataset:
    """Make the record of a dataset.

    Parameters
    ----------
    scenario : Scenario
        Its layout says where the dose stands, how far doses may differ, and which warnings are accepted.
    filename : str
        Its name, relative to the dataset root.
    measurement : Measurement
        What its file holds.
    claims : sequence of DoseClaim
        What the user and the name say about its dose.
    expects_probe : bool
        Whether a probe that is not there is worth a warning.
    """
    layout = scenario.layout
    claim, other = decide(_all_claims(layout, measurement, claims), measurement.pixels, layout.dose_tolerance)
    expected = claim.photons(measurement.pixels) if claim else None
    photons = None if measurement.photons is None else measurement.photons.against(expected)
    problems = [
        Problem(
            severity=problem.severity,
            name=problem.name,
            where=f"{filename}:{problem.array}" if problem.array else filename,
            message=problem.message,
        )
        for problem in measurement.problems
    ]
    problems += _problems_of_dose(layout, filename, measurement, photons, claim, other)
    problems += _problems_of_probe(layout, filename, measurement, expects_probe)
    return Dataset(
        filename=filename,
        path=os.path.join(scenario.dataset_root, filename),
        photon_dose=_spelled(claim, expected),
        dose=None if claim is None else _dose(claim, expected),
        sha256=measurement.sha256,
        size_bytes=measurement.size_bytes,
        roles=measurement.roles,
        arrays=measurement.arrays,
        frames=measurement.frames,
        metadata=measurement.metadata,
        stats=measurement.stats,
        histograms=measurement.histograms,
        scans=measurement.scans,
        pattern=measurement.pattern,
        photons=photons,
        probe=measurement.probe,
        standard_errors=measurement.standard_errors,
        problems=tuple(accepted(layout, filename, problem) for problem in problems),
    )


def _all_claims(layout: Layout, measurement: Measurement, claims: Claims) -> list[DoseClaim]:
    if layout.has_no_doses:
        return []
    found = [*claims]
    if layout.metadata_key is not None:
        claim = claim_of_key(measurement.metadata, layout.metadata_key)
        return found + ([claim] if claim else [])
    return found + claims_of_metadata(measurement.metadata)


def _dose(claim: DoseClaim, photons: float | None) -> Dose:
    return Dose(photons=photons, spelled=valid_utf8(claim.spelled), unit=claim.unit, source=valid_utf8(claim.source))


def _spelled(claim: DoseClaim | None, photons: float | None) -> str | None:
    if claim is None:
        return None
    if claim.unit == "photons":
        return valid_utf8(claim.spelled)
    return None if photons is None else f"{photons:.15g}"


def _problems_of_dose(
    layout: Layout,
    filename: str,
    measurement: Measurement,
    photons: Photons | None,
    claim: DoseClaim | None,
    other: DoseClaim | None,
) -> Iterator[Problem]:
    where = f"{filename}:photons"
    if claim and other:
        yield _warning(
            "dose_disagrees",
            where,
            f"{describe_claim(claim)}, and {describe_claim(other)}: they differ by more than "
            f"{100 * layout.dose_tolerance:g} %. Say which one holds: a table of doses, or --dose",
        )
    frames = measurement.frames.count if measurement.frames else 0
    if claim and photons and photons.is_off(layout.dose_tolerance, frames):
        yield _warning(
            "mislabelled",
            where,
            f"{describe_claim(claim)}, which is {photons.expected:.6g} photons per pattern, but "
            f"{photons.per_pattern:.6g} are counted in the data: it is mislabelled, or not the file it should be"
            if claim.unit == "mean_count"
            else f"{describe_claim(claim)}, but {photons.per_pattern:.6g} are counted in the data: it is mislabelled, "
            "or not the file it should be",
        )
    domain = next((value for key, value in measurement.metadata.items() if key.endswith("measurement_domain")), None)
    if photons and photons.quantum and photons.quantized and isinstance(domain, str) and "count" in domain:
        off = abs(photons.quantum - 1) > 1e-3 or photons.domain != "intensity"
        if off:
            yield _warning(
                "gain",
                where,
                f"its metadata say {printable(domain)}, but a photon is {photons.quantum:.6g} in its "
                f"{'squares' if photons.domain == 'amplitude' else 'values'}: they are no plain counts",
            )


def _problems_of_probe(
    layout: Layout, filename: str, measurement: Measurement, expects_probe: bool
) -> Iterator[Problem]:
    name = measurement.roles.get(_PROBE)
    if name is None:
        is_told_of = any(problem.array == _PROBE for problem in measurement.problems)
        if expects_probe and measurement.arrays and not is_told_of:
            message = "there is no probe in the file, but other datasets of the sweep, or the reference, have one"
            yield _warning("missing", f"{filename}:{_PROBE}", message)
        return
    if message := _power_is_off(layout, measurement):
        yield _warning("probe_power", f"{filename}:{name}", message)


def _power_is_off(layout: Layout, measurement: Measurement) -> str:
    """Compare the power of a calibrated probe with the photons: an object absorbs, and hardly amplifies."""
    gauge = next((value for key, value in measurement.metadata.items() if key.endswith("probe_gauge")), None)
    info = measurement.arrays.get(measurement.roles.get("objectGuess", ""))
    photons, probe = measurement.photons, measurement.probe
    if gauge != "physical_calibrated" or info is None or info.min is None or info.max is None:
        return ""
    if photons is None or photons.per_pattern is None or probe is None or not probe.l2_norm:
        return ""
    share, (low, high) = photons.per_pattern / probe.l2_norm**2, (info.min**2, info.max**2)
    if low * (1 - layout.dose_tolerance) <= share <= high * (1 + layout.dose_tolerance):
        return ""
    return (
        f"its metadata say that it is calibrated, but {photons.per_pattern:.6g} photons are counted in a pattern and "
        f"its power is {probe.l2_norm**2:.6g}: their ratio {share:.4g} lies outside of {low:.4g} to {high:.4g}, the "
        "squares of the object's smallest and largest magnitude"
    )


def _warning(name: str, where: str, message: str) -> Problem:
    return Problem(severity="warning", name=name, where=where, message=message)
