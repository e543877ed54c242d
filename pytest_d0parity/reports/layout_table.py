"""How a sweep is kept, as rows for people: what was told, what was found by convention, what its files share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..evidence.dataset import Dataset, Split
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
    return told + [(f"the same in all {split.datasets}{_of(split)}", _shared(split)) for split in log.sweep]


def _of(split: Split) -> str:
    return f" of {split.name}" if split.name else ""


def _shared(split: Split) -> str:
    same = [role for role, shared in split.arrays.items() if shared.same]
    others = [
        f"{role} differs in {listed(shared.differ, 3)}{', by a factor alone' if shared.up_to_a_factor else ''}"
        for role, shared in split.arrays.items()
        if not shared.same
    ]
    return "; ".join([", ".join(same) or "nothing", *others])


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
