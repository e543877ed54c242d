"""Charts over the dose, drawn by matplotlib as SVG with the colours of the page."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import matplotlib as mpl
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

# Placeholders for the colours of the page, which depend on light, dark and paper.
_INKS = {"#010203": "--ink", "#010204": "--rule", "#010205": "--run", "#010206": "--reference", "#010207": "--bad"}
_INK, _RULE, _RUN, _REFERENCE, _BAD = _INKS

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "svg.fonttype": "none",
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "text.parse_math": False,
    "text.usetex": False,
}
Margins = tuple[float, float, float, float]  # left, bottom, right, top, in inches

_WIDE = 50.0  # values that span more than this factor are shown on a logarithmic axis
_APART = 0.1  # of the height, between two lines of text
_NAMED = 12  # points with their names beside them


@dataclass(frozen=True)
class Point:
    """A dataset on the ladder: its name, its labelled dose, and the photons counted (0: none can be)."""

    name: str
    dose: float
    counted: float
    stands_out: bool = False


@dataclass(frozen=True)
class Curve:
    """Values over dose: of the run, of the reference where there is one, and those of the run that drift."""

    label: str
    run: Sequence[tuple[float, float]]
    reference: Sequence[tuple[float, float]]
    drifting: Sequence[tuple[float, float]]


@contextmanager
def _drawing() -> Iterator[None]:
    """Apply our own settings of matplotlib, and restore those of the process afterwards."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def dose_ladder(run: Sequence[Point], reference: Sequence[Point], alt: str) -> str:
    """Draw photons counted back against the labelled dose, with the line on which they are equal.

    Parameters
    ----------
    run, reference : sequence of Point
        With a dose above zero.
    alt : str
        What the picture shows, for those who do not see it.

    Returns
    -------
    str
        An ``<svg>`` element.
    """

    def draw(axes: Axes) -> None:
        axes.set(xscale="log", yscale="log", xlabel="dose in the name (photons per pattern)", ylabel="counted back")
        everything = [value for point in (*run, *reference) for value in (point.dose, point.counted) if value]
        ends = (min(everything) / 3, max(everything) * 3) if everything else (1e2, 1e10)
        axes.plot(ends, ends, color=_INK, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.set(xlim=ends, ylim=ends)
        _dots(axes, [(point.dose, point.counted) for point in reference if point.counted], _REFERENCE, hollow=True)
        _dots(axes, [(point.dose, point.counted) for point in run if point.counted and not point.stands_out], _RUN)
        outliers = [point for point in run if point.counted and point.stands_out]
        places = [(point.dose, point.counted) for point in outliers]
        axes.plot(*_columns(places), linestyle="none", marker="X", markersize=9, color=_BAD)
        for point in outliers[:_NAMED]:
            right = point.dose > math.sqrt(ends[0] * ends[1])
            axes.annotate(
                point.name,
                (point.dose, point.counted),
                xytext=(-8 if right else 8, -3),
                textcoords="offset points",
                ha="right" if right else "left",
                color=_BAD,
                weight="bold",
            )
        _uncounted(axes, [point for point in run if not point.counted], ends[0])
        _decades(axes, x=True, y=True)

    return _svg("ladder", (6.4, 4.0), (0.7, 0.55, 0.2, 0.1), draw, alt)


def _uncounted(axes: Axes, points: Sequence[Point], bottom: float) -> None:
    """Mark datasets without a count at the lower edge."""
    places = [(point.dose, bottom) for point in points]
    axes.plot(*_columns(places), linestyle="none", marker="X", markersize=9, color=_BAD, clip_on=False)
    for point in points if len(points) <= _NAMED else ():
        axes.annotate(
            f"{point.name}: not quantized",
            (point.dose, bottom),
            xytext=(0, 8),
            textcoords="offset points",
            rotation=90,
            ha="center",
            color=_BAD,
            weight="bold",
        )


def over_dose(name: str, title: str, curves: Sequence[Curve], doses: tuple[float, float], alt: str) -> str:
    """Draw statistics over dose, the reference under the run.

    Parameters
    ----------
    name : str
        Of the figure, for ids.
    curves : sequence of Curve
        Where there are several, each is labelled at its end.
    doses : (float, float)
        Smallest and largest, the same for all figures beside each other.
    alt : str
        What the picture shows.

    Returns
    -------
    str
        An ``<svg>`` element.
    """

    def draw(axes: Axes) -> None:
        axes.set_xscale("log")
        if any(curve.drifting for curve in curves):
            axes.set_title(f"{title} drifts", color=_BAD, weight="bold")
        else:
            axes.set_title(title)
        axes.set_xlim(doses[0] / 2.5, doses[1] * 2.5)
        for curve in curves:
            _line(axes, curve.reference, _REFERENCE, hollow=True)
            _line(axes, curve.run, _RUN)
            axes.plot(*_columns(curve.drifting), linestyle="none", marker="X", markersize=9, color=_BAD)
        values = [value for curve in curves for _, value in (*curve.run, *curve.reference)]
        logarithmic = bool(values) and min(values) > 0 and max(values) / min(values) > _WIDE
        if logarithmic:
            axes.set_yscale("log")
        elif values and min(values) == max(values):
            reach = abs(values[0]) or 1.0
            axes.set_ylim(values[0] - reach, values[0] + reach)
        _decades(axes, x=True, y=logarithmic, ticks=5)
        if not logarithmic:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
            axes.locator_params(axis="y", nbins=4)
        if len(curves) > 1:
            _label_ends(axes, curves)

    return _svg(name, (3.2, 2.1), (0.65, 0.3, 0.35, 0.3), draw, alt)


def _label_ends(axes: Axes, curves: Sequence[Curve]) -> None:
    """Write the name of each curve at its end; names that would overlap are stacked."""
    axes.autoscale_view()  # matplotlib computes the limits only when drawing
    spot = axes.transData + axes.transAxes.inverted()
    ends = sorted(
        ((float(spot.transform(curve.run[-1])[1]), curve) for curve in curves if curve.run), key=itemgetter(0)
    )
    groups: list[list[tuple[float, Curve]]] = []
    for end in ends:
        if groups and end[0] - groups[-1][-1][0] < _APART:
            groups[-1].append(end)
        else:
            groups.append([end])
    for group in groups:
        text = "\n".join(curve.label for _, curve in reversed(group))
        place = group[len(group) // 2][1].run[-1]
        axes.annotate(text, place, xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)


def _line(axes: Axes, places: Sequence[tuple[float, float]], color: str, *, hollow: bool = False) -> None:
    if len({dose for dose, _ in places}) == len(places) > 1:
        axes.plot(*_columns(places), color=color, linewidth=4 if hollow else 1.2, solid_capstyle="round")
    _dots(axes, places, color, hollow=hollow)


def _dots(axes: Axes, places: Sequence[tuple[float, float]], color: str, *, hollow: bool = False) -> None:
    size, face = (8, "none") if hollow else (4, color)
    axes.plot(*_columns(places), linestyle="none", marker="o", markersize=size, color=color, markerfacecolor=face)


def _columns(places: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in places], [y for _, y in places]


def _decades(axes: Axes, *, x: bool, y: bool, ticks: int = 9) -> None:
    """Label powers of ten as file names spell them: 1e5."""
    for axis in [axes.xaxis] * x + [axes.yaxis] * y:
        axis.set_major_locator(LogLocator(numticks=ticks))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"1e{math.log10(value):.0f}"))
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(LogLocator(subs=[]))
    axes.grid(color=_RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def _svg(name: str, size: tuple[float, float], margins: Margins, draw: Callable[[Axes], None], alt: str) -> str:
    with _drawing():
        # A fixed salt for ids: the same log gives the same page.
        mpl.rcParams["svg.hashsalt"] = name
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        # Margins in inches: a layout that measures each text takes twice as long as the drawing.
        width, height = size
        left, bottom, right, top = margins
        draw(figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height)))
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return _embedded(text.getvalue(), name, alt)


def _embedded(svg: str, name: str, alt: str) -> str:
    """Turn an SVG file into an element of a page, with the page's colours and ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    used = set(re.findall(r'(?:xlink:href="|url\()#([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in used else "", svg)
    for each in used:
        svg = re.sub(rf'((?:id="|#)){re.escape(each)}(?=[")])', rf"\g<1>{name}-{each}", svg)
    for stand_in, variable in _INKS.items():
        svg = svg.replace(stand_in, f"var({variable})")
    opening = f'<svg role="img" aria-label="{escape(alt)}" viewBox='
    return re.sub(r"<svg\b[^>]*?viewBox=", lambda _: opening, svg, count=1)
