"""How a sweep is kept, as rows for people: what was told, and what was found by convention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..evidence.dataset import Dataset
from ..evidence.model import EvidenceLog
from ..scenario.layout import Layout
from ..util.text import listed

_BY_CONVENTION = "by convention"


def layout_rows(log: EvidenceLog) -> list[tuple[str, str]]:
    """Return what was applied; nothing for older logs, which do not say."""
    layout = log.metadata.layout
    if not isinstance(layout, Layout):
        return []
    datasets = log.datasets
    told = [
        ("datasets", listed(layout.datasets, 20) or _BY_CONVENTION),
        ("dose", _dose(layout, datasets)),
        ("dose tolerance", f"{100 * layout.dose_tolerance:g} %"),
        ("arrays", _arrays(layout, datasets)),
        ("domain", _domain(layout, datasets)),
        ("axes", layout.axes or _BY_CONVENTION),
    ]
    if layout.measure_all:
        told.append(("measured", "all arrays, however large"))
    if layout.accept:
        told.append(("accepted warnings", listed(layout.accept, 20)))
    return told


def _dose(layout: Layout, datasets: Iterable[Dataset]) -> str:
    sources = Counter(dataset.dose.source if dataset.dose else "nothing" for dataset in datasets)
    told = [f"a table of {len(layout.doses)}"] if layout.doses else []
    told += [layout.dose] if layout.dose else []
    found = listed([f"{source} ({number})" for source, number in sources.items()], 5)
    return f"{', '.join(told) or _BY_CONVENTION}; found in: {found or 'no dataset'}"


def _arrays(layout: Layout, datasets: Iterable[Dataset]) -> str:
    names = {role: name for dataset in datasets for role, name in dataset.roles.items() if role != name}
    others = listed([f"{role} is {name}" for role, name in {**names, **layout.arrays}.items()], 10)
    return others or "each role by its own name"


def _domain(layout: Layout, datasets: Iterable[Dataset]) -> str:
    found = Counter(
        dataset.photons.domain if dataset.photons and dataset.photons.domain else "not counted" for dataset in datasets
    )
    counts = listed([f"{domain} ({number})" for domain, number in found.items()], 5)
    integers = any(
        dataset.arrays[name].dtype.strip("<>=|")[0] in "ui"
        for dataset in datasets
        if (name := dataset.roles.get("diff3d")) in dataset.arrays
    )
    taken = "; integers were taken as counts" if integers else ""
    return f"{layout.domain or 'found from the values'}: {counts or 'no dataset'}{taken}"
