"""Charts over the dose, as records of paths and texts that the template of the page draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .axis import Axis, Tick, linear_axis, logarithmic_axis

_WIDE = 50.0  # values that span more than this factor are shown on a logarithmic axis
_NAMED = 12  # points with their names beside them
_LINE = 10.0  # height of a line of text
_GAP = 5.0  # between what is labelled and its label

Place = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """A dataset on the ladder: its name, the dose that was told, and the photons counted (0: none can be)."""

    name: str
    dose: float
    counted: float
    stands_out: bool = False


@dataclass(frozen=True)
class Curve:
    """Values over dose: of the run, of the reference where there is one, and those of the run that drift."""

    label: str
    run: Sequence[Place]
    reference: Sequence[Place]
    drifting: Sequence[Place]


@dataclass(frozen=True)
class Trace:
    """A path of an SVG, and its class in the style sheet."""

    kind: str
    path: str


@dataclass(frozen=True)
class Text:
    """A line of text on a chart; `turn` in degrees, `kind` its class in the style sheet."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    kind: str = ""
    turn: int = 0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart: two axes, and what is drawn between them, from back to front.

    Attributes
    ----------
    width, height : float
        Of the picture, in the unit of its paths and texts, of which a line of text is 10 high.
    alt : str
        What it shows, for those who do not see it.
    """

    width: float
    height: float
    alt: str
    traces: Sequence[Trace]
    texts: Sequence[Text]


@dataclass(frozen=True)
class _Frame:
    """Where the axes of a chart stand."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float

    def axes_traces(self, x: Sequence[Tick], y: Sequence[Tick]) -> Iterator[Trace]:
        grid = [f"M{tick.place:.1f} {self.top:g}V{self.bottom:g}" for tick in x]
        grid += [f"M{self.left:g} {tick.place:.1f}H{self.right:g}" for tick in y]
        yield Trace("rule", "".join(grid))
        yield Trace("frame", f"M{self.left:g} {self.top:g}V{self.bottom:g}H{self.right:g}")

    def axes_texts(self, x: Sequence[Tick], y: Sequence[Tick]) -> Iterator[Text]:
        for tick in x:
            yield Text(tick.place, self.bottom + _LINE + 1, tick.label, "middle")
        for tick in y:
            yield Text(self.left - _GAP, tick.place + 3, tick.label, "end")


@dataclass
class _Drawing:
    """A chart while it is drawn."""

    frame: _Frame
    x: Axis
    y: Axis
    traces: list[Trace] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)

    def places(self, places: Iterable[Place]) -> list[Place]:
        return [(self.x.place(x), self.y.place(y)) for x, y in places]

    def axes(self, most_x: int, most_y: int, label: str) -> None:
        x, _ = self.x.ticks(most_x)
        y, base = self.y.ticks(most_y)
        self.traces += self.frame.axes_traces(x, y)
        self.texts += self.frame.axes_texts(x, y)
        middle = (self.frame.left + self.frame.right) / 2
        self.texts.append(Text(middle, self.frame.height - 3, label, "middle", "quiet"))
        if base:
            self.texts.append(Text(self.frame.right, self.frame.top - 3, f"+ {base}", "end", "quiet"))

    def line(self, kind: str, places: Sequence[Place]) -> None:
        """Join places by a line, where there is one value for each dose, and put a dot on each."""
        drawn = self.places(places)
        if len({x for x, _ in places}) == len(places) > 1:
            self.traces.append(Trace(f"line {kind}", "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in drawn)))
        self.dots(kind, places)

    def dots(self, kind: str, places: Sequence[Place]) -> None:
        if places:  # a line of no length with round ends is a dot
            path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in self.places(places))
            self.traces.append(Trace(f"dots {kind}", path))

    def crosses(self, places: Sequence[Place]) -> None:
        if places:
            path = "".join(f"M{x - 3.5:.1f} {y - 3.5:.1f}l7 7m0-7l-7 7" for x, y in self.places(places))
            self.traces.append(Trace("cross bad", path))

    def chart(self, alt: str) -> Chart:
        frame = self.frame
        return Chart(width=frame.width, height=frame.height, alt=alt, traces=self.traces, texts=self.texts)


def dose_ladder(run: Sequence[Point], reference: Sequence[Point], alt: str) -> Chart:
    """Draw photons counted back against the dose that was told, with the line on which they are equal.

    Parameters
    ----------
    run, reference : sequence of Point
        With a dose above zero.
    alt : str
        What the picture shows, for those who do not see it.
    """
    frame = _Frame(460, 290, left=52, top=8, right=446, bottom=252)
    values = [value for point in (*run, *reference) for value in (point.dose, point.counted) if value]
    values = values or [3e2, 3e9]
    x = logarithmic_axis(values, frame.left, frame.right, margin=3)
    y = logarithmic_axis(values, frame.bottom, frame.top, margin=3)
    drawing = _Drawing(frame, x, y)
    drawing.axes(10, 10, "dose that was told (photons per pattern)")
    across = (frame.top + frame.bottom) / 2
    drawing.texts.append(Text(11, across, "counted back (photons per pattern)", "middle", "quiet", -90))
    drawing.traces.append(Trace("equal", f"M{frame.left} {frame.bottom}L{frame.right} {frame.top}"))
    drawing.dots("reference", [(point.dose, point.counted) for point in reference if point.counted])
    drawing.dots("run", [(point.dose, point.counted) for point in run if point.counted and not point.stands_out])
    outliers = [point for point in run if point.counted and point.stands_out]
    drawing.crosses([(point.dose, point.counted) for point in outliers])
    for point in outliers[:_NAMED]:
        ((across, up),) = drawing.places([(point.dose, point.counted)])
        side = -1 if across > (frame.left + frame.right) / 2 else 1
        drawing.texts.append(Text(across + 8 * side, up + 3, point.name, "end" if side < 0 else "start", "bad"))
    _draw_uncounted(drawing, [point for point in run if not point.counted])
    return drawing.chart(alt)


def _draw_uncounted(drawing: _Drawing, points: Sequence[Point]) -> None:
    """Mark datasets without a count at the lower edge."""
    places = [(point.dose, drawing.y.lower) for point in points]
    drawing.crosses(places)
    for point, (x, y) in zip(points, drawing.places(places), strict=True) if len(points) <= _NAMED else ():
        drawing.texts.append(Text(x + 3, y - 8, f"{point.name}: not quantized", kind="bad", turn=-90))


def over_dose(title: str, curves: Sequence[Curve], doses: tuple[float, float], alt: str) -> Chart:
    """Draw statistics over dose, the reference under the run.

    Parameters
    ----------
    curves : sequence of Curve
        Where there are several, each is labelled at its end.
    doses : (float, float)
        Smallest and largest, the same for all charts beside each other.
    alt : str
        What the picture shows.
    """
    frame = _Frame(240, 164, left=48, top=28, right=214, bottom=130)
    values = [value for curve in curves for _, value in (*curve.run, *curve.reference)]
    is_logarithmic = bool(values) and min(values) > 0 and max(values) / min(values) > _WIDE
    y = (logarithmic_axis if is_logarithmic else linear_axis)(values, frame.bottom, frame.top)
    drawing = _Drawing(frame, logarithmic_axis(doses, frame.left, frame.right, margin=2.5), y)
    drawing.axes(5, 5, "photons per pattern")
    drifts = any(curve.drifting for curve in curves)
    drawing.texts.append(
        Text(frame.left, _LINE + 1, f"{title}: drift" if drifts else title, kind="title bad" if drifts else "title")
    )
    for curve in curves:
        drawing.line("reference", curve.reference)
        drawing.line("run", curve.run)
        drawing.crosses(curve.drifting)
    if len(curves) > 1:
        drawing.texts += _labels_at_ends(drawing, curves)
    return drawing.chart(alt)


def _labels_at_ends(drawing: _Drawing, curves: Sequence[Curve]) -> Iterator[Text]:
    """Write the name of each curve at its end, or below the name of the one above it."""
    ends = [(drawing.places(curve.run[-1:])[0], curve.label) for curve in curves if curve.run]
    above = -math.inf
    for (x, y), label in sorted(ends, key=lambda end: end[0][1]):
        above = max(y + 3, above + _LINE)
        yield Text(x + 6, above, label)
