"""Charts over the dose, as SVG that takes its colours from the page around it (matplotlib)."""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

__all__ = ["Curve", "Point", "dose_ladder", "over_dose"]

# Colours that stand for those of the page, which are other ones in the dark and on paper.
_INKS = {"#010203": "--ink", "#010204": "--rule", "#010205": "--run", "#010206": "--reference", "#010207": "--bad"}
_INK, _RULE, _RUN, _REFERENCE, _BAD = _INKS

_STYLE = {
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
_WIDE = 50.0  # values that span more than this factor are shown on a logarithmic axis
_NAMED = 12  # points with their names beside them


@dataclass(frozen=True)
class Point:
    """A dataset on the ladder: its name, its labelled dose, the photons counted, and whether it stands out."""

    name: str
    dose: float
    counted: float
    stands_out: bool


@dataclass(frozen=True)
class Curve:
    """Values over dose: of the run and of the reference, the latter empty where there is none."""

    label: str
    run: Sequence[tuple[float, float]]
    reference: Sequence[tuple[float, float]]


@contextmanager
def _drawing() -> Iterator[None]:
    """Draw with our own settings, and leave those of the process as they are."""
    log = logging.getLogger("matplotlib")
    level = log.level
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)  # the first run of all finds the fonts, and would say so
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        try:
            yield
        finally:
            log.setLevel(level)


def dose_ladder(run: Sequence[Point], reference: Sequence[Point], alt: str) -> str:
    """Draw photons counted back against the labelled dose, with the line on which they are equal.

    Parameters
    ----------
    run, reference : sequence of Point
        With a dose and a count above zero.
    alt : str
        What the picture shows, for those who do not see it.

    Returns
    -------
    str
        An ``<svg>`` element.
    """

    def draw(axes: Axes) -> None:
        axes.set(xscale="log", yscale="log", xlabel="dose in the name (photons per pattern)", ylabel="counted back")
        everything = [value for point in (*run, *reference) for value in (point.dose, point.counted)]
        ends = (min(everything) / 3, max(everything) * 3) if everything else (1e2, 1e10)
        axes.plot(ends, ends, color=_INK, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.set(xlim=ends, ylim=ends)
        _dots(axes, [(point.dose, point.counted) for point in reference], _REFERENCE, hollow=True)
        _dots(axes, [(point.dose, point.counted) for point in run if not point.stands_out], _RUN)
        outliers = [point for point in run if point.stands_out]
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
        _decades(axes, x=True, y=True)

    return _svg("ladder", (6.4, 4.0), draw, alt)


def over_dose(name: str, title: str, curves: Sequence[Curve], doses: tuple[float, float], alt: str) -> str:
    """Draw statistics over dose, the reference under the run.

    Parameters
    ----------
    name : str
        Of the figure, for ids.
    title : str
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
        axes.set_title(title)
        axes.set_xlim(doses[0] / 2.5, doses[1] * 2.5)
        for curve in curves:
            _line(axes, curve.reference, _REFERENCE, hollow=True)
            _line(axes, curve.run, _RUN)
            if len(curves) > 1 and curve.run:
                axes.annotate(
                    curve.label, curve.run[-1], xytext=(6, 0), textcoords="offset points", va="center", fontsize=8
                )
        values = [value for curve in curves for _, value in (*curve.run, *curve.reference)]
        logarithmic = bool(values) and min(values) > 0 and max(values) / min(values) > _WIDE
        if logarithmic:
            axes.set_yscale("log")
        elif values and min(values) == max(values):
            axes.set_ylim(sorted((0.0, 2 * values[0])) if values[0] else (-1, 1))
        _decades(axes, x=True, y=logarithmic)
        if not logarithmic:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
            axes.locator_params(axis="y", nbins=4)

    return _svg(name, (3.2, 2.1), draw, alt)


def _line(axes: Axes, places: Sequence[tuple[float, float]], color: str, *, hollow: bool = False) -> None:
    if len({dose for dose, _ in places}) == len(places) > 1:
        axes.plot(*_columns(places), color=color, linewidth=4 if hollow else 1.2, solid_capstyle="round")
    _dots(axes, places, color, hollow=hollow)


def _dots(axes: Axes, places: Sequence[tuple[float, float]], color: str, *, hollow: bool = False) -> None:
    size, face = (8, "none") if hollow else (4, color)
    axes.plot(*_columns(places), linestyle="none", marker="o", markersize=size, color=color, markerfacecolor=face)


def _columns(places: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in places], [y for _, y in places]


def _decades(axes: Axes, *, x: bool, y: bool) -> None:
    """Label powers of ten as file names spell them: 1e5."""
    for axis in [axes.xaxis] * x + [axes.yaxis] * y:
        axis.set_major_locator(LogLocator(numticks=9))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")))
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(LogLocator(subs=[]))
    axes.grid(color=_RULE, linewidth=0.6)
    axes.set_axisbelow(True)


def _svg(name: str, size: tuple[float, float], draw: Callable[[Axes], None], alt: str) -> str:
    with _drawing():
        # The same salt every time: the same log gives the same page.
        mpl.rcParams["svg.hashsalt"] = name
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return _embedded(text.getvalue(), name, alt)


def _embedded(svg: str, name: str, alt: str) -> str:
    """Make an SVG file an element of a page: without what is a file's, with the page's colours and an own set of ids."""
    from markupsafe import escape

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
