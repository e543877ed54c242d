"""Charts over the dose, as records of paths and texts that the template of the page draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .axis import Axis, Tick, linear_axis, logarithmic_axis, spelled
from .colors import LEVELS, sequential

_WIDE = 50.0  # values that span more than this factor are shown on a logarithmic axis
_NAMED = 12  # points with their names beside them
_HOVERS = 40  # points that say their values
_COLORS = 8  # of a map
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
    """A path of an SVG, its class in the style sheet, and its colour where that stands for a number."""

    kind: str
    path: str
    color: str = ""


@dataclass(frozen=True)
class Hover:
    """A place on a chart that says its value to whoever points at it."""

    x: float
    y: float
    text: str


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
    hovers: Sequence[Hover] = ()


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
    hovers: list[Hover] = field(default_factory=list)

    def hover(self, named: Sequence[tuple[Place, str]]) -> None:
        """Let points say their values, where there are not too many."""
        if len(named) <= _HOVERS:
            self.hovers += [Hover(self.x.place(x), self.y.place(y), text) for (x, y), text in named]

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
        return Chart(
            width=frame.width, height=frame.height, alt=alt, traces=self.traces, texts=self.texts, hovers=self.hovers
        )


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
    drawing.hover(
        [
            ((p.dose, p.counted), f"{p.name}: told {spelled(p.dose, 4)}, counted {spelled(p.counted, 6)}")
            for p in run
            if p.counted
        ]
    )
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
        drawing.hover(
            [(place, f"{curve.label} at {spelled(place[0], 4)}: {spelled(place[1], 6)}") for place in curve.run]
        )
    if len(curves) > 1:
        drawing.texts += _labels_at_ends(drawing, curves)
    return drawing.chart(alt)


def deviations(run: Sequence[tuple[Point, float]], alt: str) -> Chart:
    """Draw counted over told photons, less one, over the dose, with bars of what counting scatters.

    Parameters
    ----------
    run : sequence of (Point, float)
        Datasets, and the share by which a Poisson count of all their photons scatters.
    alt : str
        What the picture shows.
    """
    frame = _Frame(460, 200, left=62, top=8, right=446, bottom=162)
    shares = [(point, point.counted / point.dose - 1, scatter) for point, scatter in run]
    values = [share + sign * scatter for _, share, scatter in shares for sign in (-1, 1)] + [0.0]
    x = logarithmic_axis([point.dose for point, _ in run] or [3e2, 3e9], frame.left, frame.right, margin=3)
    drawing = _Drawing(frame, x, linear_axis(values, frame.bottom, frame.top))
    drawing.axes(10, 6, "dose that was told (photons per pattern)")
    middle = (frame.top + frame.bottom) / 2
    drawing.texts.append(Text(11, middle, "counted / told - 1", "middle", "quiet", -90))
    drawing.traces.append(Trace("equal", f"M{frame.left} {drawing.y.place(0):.1f}H{frame.right}"))
    for point, share, scatter in shares:
        (left, low), (_, high) = drawing.places([(point.dose, share - scatter), (point.dose, share + scatter)])
        drawing.traces.append(Trace("line bars run", f"M{left:.1f} {low:.1f}V{high:.1f}"))
    drawing.dots("run", [(point.dose, share) for point, share, _ in shares if not point.stands_out])
    drawing.crosses([(point.dose, share) for point, share, _ in shares if point.stands_out])
    drawing.hover([((p.dose, share), f"{p.name}: {share:+.3g} ± {scatter:.2g}") for p, share, scatter in shares])
    return drawing.chart(alt)


def over_number(
    title: str,
    label: str,
    run: Sequence[Place],
    reference: Sequence[Place],
    *,
    joined: bool = True,
    logarithmic: bool = True,
    upright: str = "",
) -> Chart:
    """Draw values over a number, such as a radius, the reference under the run.

    Parameters
    ----------
    label : str
        Of the axis that lies; `upright` is that of the other one.
    joined : bool
        Whether the values are a curve.
    logarithmic : bool
        Whether values above zero that span much may have a logarithmic axis.
    """
    frame = _Frame(240, 164, left=48, top=28, right=230, bottom=130)
    values = [value for _, value in (*run, *reference)]
    wide = logarithmic and bool(values) and min(values) > 0 and max(values) / min(values) > _WIDE
    drawing = _Drawing(
        frame,
        linear_axis([x for x, _ in (*run, *reference)], frame.left, frame.right),
        (logarithmic_axis if wide else linear_axis)(values, frame.bottom, frame.top),
    )
    drawing.axes(5, 5, label)
    drawing.texts.append(Text(frame.left, _LINE + 1, title, kind="title"))
    if upright:
        drawing.texts.append(Text(9, (frame.top + frame.bottom) / 2, upright, "middle", "quiet", -90))
    for kind, places in (("reference", reference), ("run", run)):
        drawn = drawing.places(places)
        if joined and len(drawn) > 1:
            drawing.traces.append(Trace(f"line {kind}", "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in drawn)))
        else:
            drawing.dots(f"small {kind}", places)
    span = f", from {min(values):.4g} to {max(values):.4g}" if values else ""
    return drawing.chart(f"{title} over {label}{span}")


def scan_map(title: str, points: Sequence[tuple[float, float, float]]) -> Chart:
    """Draw values where they stand in the plane, by colours.

    Parameters
    ----------
    points : sequence of (float, float, float)
        x, y and value.
    """
    frame = _Frame(256, 204, left=48, top=28, right=196, bottom=170)
    x_axis = linear_axis([x for x, _, _ in points], frame.left, frame.right)
    y_axis = linear_axis([y for _, y, _ in points], frame.bottom, frame.top)
    drawing = _Drawing(frame, x_axis, y_axis)
    drawing.axes(4, 5, "x, in the unit of the file")
    drawing.texts.append(Text(frame.left, _LINE + 1, title, kind="title"))
    drawing.texts.append(Text(9, (frame.top + frame.bottom) / 2, "y", "middle", "quiet", -90))
    values = [value for _, _, value in points] or [0.0]
    low, high = min(values), max(values)
    for step in range(_COLORS):
        red, green, blue = sequential()[step * (LEVELS - 1) // (_COLORS - 1)].tolist()
        color, edges = f"#{red:02x}{green:02x}{blue:02x}", [low + (high - low) * k / _COLORS for k in (step, step + 1)]
        inside = [
            (x, y)
            for x, y, value in points
            if edges[0] <= value < edges[1] or (step == _COLORS - 1 and value >= edges[1])
        ]
        path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in drawing.places(inside))
        if path:
            drawing.traces.append(Trace("dots map", path, color))
        top = frame.bottom - (frame.bottom - frame.top) * (step + 1) / _COLORS
        height = (frame.bottom - frame.top) / _COLORS
        drawing.traces.append(Trace("key", f"M204 {top + height / 2:.1f}h10", color))
    drawing.texts += [Text(218, frame.bottom, spelled(low, 3)), Text(218, frame.top + 8, spelled(high, 3))]
    return drawing.chart(f"{title}, from {low:.4g} to {high:.4g}")


def _labels_at_ends(drawing: _Drawing, curves: Sequence[Curve]) -> Iterator[Text]:
    """Write the name of each curve at its end, or below the name of the one above it."""
    ends = [(drawing.places(curve.run[-1:])[0], curve.label) for curve in curves if curve.run]
    above = -math.inf
    for (x, y), label in sorted(ends, key=lambda end: end[0][1]):
        above = max(y + 3, above + _LINE)
        yield Text(x + 6, above, label)
