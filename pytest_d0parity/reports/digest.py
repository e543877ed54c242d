"""The digest of a log, and the summary of a CI step, as Markdown (GitHub's dialect)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..evidence.artifacts import LOG, PAGE
from ..evidence.dataset import Dataset, severity_of
from ..evidence.encoding import convert_for_json
from ..evidence.model import EvidenceLog
from ..readers.params.baseline import FLAGS, METRICS
from ..statistics.records import PartStats, StageStats
from ..util.markdown import escape, table
from ..util.text import more_than
from .layout_table import layout_rows
from .outcome import outcome_of

HALVES = ("train (amplitude)", "test (phase)")  # what the log's format calls the two numbers, and what they are
_TITLES = {"raw": "Raw Diffraction", "normalized": "Normalized Diffraction", "grouped": "Grouped Intensity"}
_STATISTICS = ("min", "max", "mean", "std", "median", "p01", "p99", "nonzero_fraction")
_PROBLEM_STATEMENT = """\
Two maintainers compare ptychographic reconstructions, and one of them cannot run the other's legacy pipeline. Before
any reconstruction is compared, both need proof that they hold the same photon-dose sweep, the same probe, the same
parameters and the same baseline metrics: a difference in the data would otherwise pass for a difference in the
method. This log is that evidence. What it holds was first asked for in `inbox/README_prepare_d0_response.md` of the
seed study, a request that any such pair of maintainers may have."""
INTERPRETATION = """\
- **SHA-256** proves that two files are the same bytes. Check a copy with `sha256sum -c SHA256SUMS` in its folder.
- **Photon dose** is the one that a table, the name, the folder or the metadata tells, in photons per pattern. **Photons
  counted back** come from the data alone: amplitudes are square roots of Poisson counts times one constant, so their
  squares are multiples of the quantum; intensities are such multiples themselves, and integers are taken as counts.
  Their sum over the quantum is the number of photons in a pattern; ± is its standard error, for other frames would have
  counted as much more or less. A ratio that is off by more than the tolerance, and by more than three of these errors,
  means a mislabelled file. Data that is not quantized (measured, processed or normalised) is not counted, which is
  no fault.
- **`nphotons` in the params is a legacy value**: it is the same whatever the dataset. The dose is that of the file.
- **Raw** is `diff3d` as stored: amplitudes, or counts where the domain is intensity. Percentiles are exact, and the
  spread is that of the population.
- **Normalized** comes from max scaling, `diff3d / (diff3d.max() + 1e-12)`: it is the tensor that feeds training. One
  outlier pixel changes all of it, so look at the maximum of raw first.
- **Grouped** is the mean of each frame, averaged over the frames of a scan (`scan_index`); the statistics are over
  scans. With one scan they all are the same number.
- **Probe** amplitude and phase are those of `probeGuess`. Phases of near-zero amplitude are noise and wrap at ±π, so
  their extremes mean little. An L2 norm of 1 says that the probe is normalised.
- **Metrics** are pairs that the log's format calls [train, test]. PtychoPINN's evaluation fills them as (amplitude,
  phase) of the baseline's reconstruction; read them so for its runs. `NaN` is a value, as the run wrote it.
- **intensity_scale_value** is the factor between normalised amplitudes and photons that the run held at its end."""


def to_markdown(log: EvidenceLog, log_sha256: str) -> str:
    """Return the digest of a log.

    Parameters
    ----------
    log_sha256 : str
        The SHA-256 of the log's file.

    Returns
    -------
    str
        Numbers have six significant digits; the JSON has all.
    """
    sections = [
        "# D0 Parity Log",
        "## Verdict",
        outcome_of(log).headline,
        f"This is the digest of the log with the SHA-256 `{log_sha256}`. Every digit is in [{LOG}]({LOG}); look at "
        f"[the page]({PAGE}).",
        "## Drift",
        *_drift(log),
        *_problems(log),
        *_checks(log),
        "## Datasets",
        _dataset_table(log.datasets) or "No dataset was read.",
        *_stages_over_datasets(log.datasets),
        "## Baseline Parameters",
        table(["parameter", "value"], log.baseline_params.items()) or "No baseline parameters were read.",
        "## Baseline Metrics",
        table(["metric", *HALVES], ([name, *log.metrics[name]] for name in METRICS if name in log.metrics))
        or "No baseline metrics were read.",
        "## Probe Flags",
        table(["flag", "value"], ([flag, log.baseline_params[flag]] for flag in FLAGS if flag in log.baseline_params))
        or "No probe flags were read.",
        *_attachments(log),
        "## Metadata",
        table(["key", "value"], _metadata(log)),
        *_layout(log),
        "## Stage-Level Stats by Dataset",
        *(part for dataset in log.datasets for part in _stages(dataset)),
        "## Probe Percentiles by Dataset",
        *_probes(log.datasets),
        "## Why This Log",
        _PROBLEM_STATEMENT,
        "## How to Read These Numbers",
        INTERPRETATION,
    ]
    return "\n\n".join(sections) + "\n"


def _metadata(log: EvidenceLog) -> Iterator[tuple[str, Any]]:
    """Yield the metadata without the layout, which has a table of its own."""
    return ((key, value) for key, value in convert_for_json(log.metadata).items() if key != "layout")


def _layout(log: EvidenceLog) -> list[str]:
    rows = layout_rows(log)
    return ["## Layout", table(["what", "how it was applied"], rows)] if rows else []


def _attachments(log: EvidenceLog) -> list[str]:
    rows = ([each.name, each.role, each.size_bytes, each.sha256] for each in log.attachments)
    return ["## Attachments", table(["file", "role", "size (bytes)", "SHA-256"], rows)] if log.attachments else []


def _stages_over_datasets(datasets: Sequence[Dataset]) -> Iterator[str]:
    """Yield a table for each stage, with a row for each dataset."""
    for stage, title in _TITLES.items():
        stats = [(dataset.filename, getattr(dataset.stats, stage)) for dataset in datasets]
        rows = [[name, *(getattr(each, key) for key in _STATISTICS)] for name, each in stats if each is not None]
        if rows:
            yield f"### {title} of All Datasets"
            yield table(["dataset", *_STATISTICS], rows)


def _checks(log: EvidenceLog) -> list[str]:
    if not log.checks:
        return []
    tally = Counter(check.outcome.replace("_", " ") for check in log.checks)
    rows = [[check.outcome.replace("_", " "), check.id] for check in log.checks if check.outcome != "passed"]
    counts = ", ".join(f"{count} {outcome}" for outcome, count in tally.items())
    return ["## Checks", f"{len(log.checks)} checks: {counts}.", *([table(["outcome", "check"], rows)] if rows else [])]


def _problems(log: EvidenceLog) -> list[str]:
    problems = log.all_problems
    if not problems:
        return []
    rows = ([severity_of(problem), problem.where, problem.message] for problem in problems)
    return ["## Problems", table(["severity", "where", "what"], rows)]


def _dataset_table(datasets: Sequence[Dataset]) -> str:
    columns = ["dataset", "photon dose", "photons counted back", "ratio", "frames", "size (bytes)", "SHA-256"]
    rows = []
    for dataset in datasets:
        rows.append(
            [
                dataset.filename,
                _dose(dataset),
                _counted(dataset),
                dataset.photons.ratio if dataset.photons else None,
                dataset.frames.count if dataset.frames else None,
                dataset.size_bytes,
                dataset.sha256,
            ]
        )
    return table(columns, rows)


def _counted(dataset: Dataset) -> str:
    photons = dataset.photons
    if photons is None:
        return "not measured"
    if not photons.quantized:
        return "not quantized"
    error = (dataset.standard_errors or {}).get("photons.per_pattern")
    return f"{photons.per_pattern:.6g}" + (f" ± {float(f'{error:.2g}'):g}" if error else "")


def _stages(dataset: Dataset) -> list[str]:
    parts = [f"### {escape(dataset.filename)} (photon dose: {_dose(dataset)})"]
    for stage, title in _TITLES.items():
        stats: StageStats | None = getattr(dataset.stats, stage)
        values = {} if stats is None else convert_for_json(stats)
        parts += [f"#### {title}", table(list(values), [list(values.values())] if values else []) or "Not measured."]
    return parts


def _probes(datasets: Sequence[Dataset]) -> list[str]:
    measured = [(dataset.filename, dataset.probe) for dataset in datasets if dataset.probe is not None]
    if not measured:
        return ["No probe was measured."]
    names = ["p01", "p05", "p50", "p95", "p99", "min", "max", "mean", "std"]

    def rows(part: str) -> Iterable[list[Any]]:
        for filename, probe in measured:
            stats: PartStats = getattr(probe, part)
            yield [filename, *(getattr(stats, name) for name in names)]

    return [
        "### Amplitude",
        table(["dataset", *names], rows("amplitude")),
        "### Phase (radians)",
        table(["dataset", *names], rows("phase")),
        "### Norm",
        table(
            ["dataset", "L2 norm", "shape", "dtype"],
            ([name, probe.l2_norm, "x".join(map(str, probe.shape)), probe.dtype] for name, probe in measured),
        ),
    ]


def _drift(log: EvidenceLog) -> list[str]:
    if log.reference is None:
        return ["Nothing was compared with a reference."]
    outcome = outcome_of(log)
    return [
        f"Reference: {escape(log.reference.path)} (SHA-256 `{log.reference.sha256}`).",
        outcome.markdown() or "No difference was found.",
    ]


def _dose(dataset: Dataset) -> str:
    return dataset.photon_dose or "unknown"


VARIABLE = "GITHUB_STEP_SUMMARY"


_PROBLEMS = 20


def step_summary_file() -> str | None:
    """Return the file whose content a CI system shows (``$GITHUB_STEP_SUMMARY``); None without one."""
    return os.environ.get(VARIABLE) or None


def step_summary(log: EvidenceLog) -> str:
    """Return verdict, drift and problems of a log as Markdown."""
    problems = [f"- {severity_of(p)}: {escape(p.where)}: {escape(p.message)}" for p in log.all_problems[:_PROBLEMS]]
    problems += [f"- {line}" for line in more_than(_PROBLEMS, len(log.all_problems), "problems")]
    parts = [
        f"### D0 parity: {escape(log.metadata.scenario_id)}",
        outcome_of(log).render("markdown"),
        "\n".join(problems),
    ]
    return "\n\n".join(filter(None, parts))
