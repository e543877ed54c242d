"""The page for people who look, in a real browser."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.browser import Browser, Tab, axe, browser
from tests.support.command import LOG, d0parity

__all__ = ["axe", "browser"]


PAGE = "dose_parity_report.html"
HOSTILE = b"data_p1e6<img src=x onerror=alert(1)>\"'&\x1b[31m\xff.npz"
SCENARIO = "<b>S</b><script>alert(2)</script>"


def npz(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def logs(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with logs and pages: recorded, clean, drifted, the same in standard errors, hostile."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(sweep, folder / "sweep")
    for path in (folder / "sweep").glob("*.npz"):
        arrays = npz(path)
        np.savez(path, **arrays | {"scan_index": np.arange(len(arrays["diff3d"])) % 3})
    common = ("--dataset-root", "sweep", "--baseline-params", "sweep/params.dill")
    assert d0parity("log", *common, "--output", "recorded", cwd=folder).returncode == 0
    common += ("--reference", f"recorded/{LOG}")
    assert d0parity("log", *common, "--output", "clean", cwd=folder).returncode == 0
    drift(folder / "sweep")
    assert d0parity("log", *common, "--output", "drifted", cwd=folder).returncode == 3
    sigma = ("--compare", "statistics", "--threshold", "*:0.5sigma")
    assert d0parity("log", *common, *sigma, "--output", "sigma", cwd=folder).returncode == 3
    make_hostile(folder / "sweep")
    assert d0parity("log", *common, "--scenario-id", SCENARIO, "--output", "hostile", cwd=folder).returncode == 3
    return folder


def test_what_is_not_in_the_reference_is_not_called_the_same(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "hostile" / PAGE) as tab:
        rows = tab.page.locator("#start tbody tr").all_inner_texts()
        (row,) = [row for row in rows if row.startswith("data_p1e7.npz")]
        assert "same" not in row
        assert row.count("not compared") == 7
        assert "datasets and checks ✗ 3 drift" in " ".join(tab.page.locator("#start").inner_text().split())


def drift(sweep: Path) -> None:
    """Move the probe of all, and the data of one."""
    for path in sweep.glob("*.npz"):
        arrays = npz(path)
        arrays["probeGuess"] = np.roll(arrays["probeGuess"], 2, axis=0)
        if path.name == "data_p1e5.npz":
            arrays["diff3d"] = arrays["diff3d"] * np.float32(1.01)
        np.savez(path, **arrays)


def make_hostile(sweep: Path) -> None:
    shutil.copy(sweep / "data_p1e3.npz", os.fsdecode(os.fsencode(sweep) + b"/" + HOSTILE))
    shutil.copy(sweep / "data_p1e3.npz", sweep / "data_p1e8.npz")  # mislabelled
    arrays = npz(sweep / "data_p1e3.npz")
    arrays["diff3d"] += np.random.default_rng(0).random(arrays["diff3d"].shape, "f4") * 1e-3
    np.savez(sweep / "data_p1e7.npz", **arrays)


def log_of(folder: Path) -> Any:
    return json.loads((folder / LOG).read_text(encoding="utf-8"))


PAGES = pytest.mark.parametrize("name", ["recorded", "clean", "drifted", "sigma", "hostile"])


# --- it opens ----------------------------------------------------------------------------------


@PAGES
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_without_complaint_or_request_and_nothing_overflows(
    logs: Path, browser: Browser, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    path = logs / name / PAGE
    with browser.tab(path, width, color_scheme=scheme) as tab:
        closed = tab.page.locator("details:not([open]) > summary")
        while closed.count():  # the outer one first
            closed.first.click()
        assert tab.page.evaluate("document.documentElement.scrollWidth") == width
        picture = Image.open(io.BytesIO(tab.page.screenshot(path=tmp_path / f"{name}.png", full_page=True)))
    assert (tab.complaints, tab.requests) == ([], [path.as_uri()])
    assert picture.size[0] == width
    paper = picture.convert("L").getpixel((2, 2))
    assert (paper > 200) == (scheme == "light")


@PAGES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(logs: Path, browser: Browser, axe: str, name: str, scheme: str) -> None:
    with browser.tab(logs / name / PAGE, color_scheme=scheme) as tab:
        tab.page.evaluate(axe)
        found = tab.page.evaluate("axe.run()")
    assert len(found["passes"]) > 20
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found["violations"]] == []


# --- what it says ------------------------------------------------------------------------------


def test_what_drifted_and_where_it_starts_are_seen_without_scrolling(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "drifted" / PAGE) as tab:
        verdict = tab.page.get_by_role("note", name="Verdict")
        assert verdict.bounding_box()["y"] + verdict.bounding_box()["height"] < 400
        text = verdict.inner_text()
        assert "✗ drift: 24 values differ from the reference " in " ".join(text.split())
        assert "1 of 3 datasets (data_p1e5.npz): every statistic of raw is the reference's times" in text
        assert "the probe differs" in text
        rows = {row[0]: row[1:] for row in table(tab, "matrix")}
        assert rows["data_p1e5.npz"][2].startswith("✗")
        assert rows["data_p1e3.npz"][2] == "✓ same"
        assert rows["data_p1e3.npz"][1].endswith(" drift: probeGuess")
        assert rows["data_p1e5.npz"][1].endswith(" drift: diff3d, probeGuess")


@PAGES
def test_the_top_says_verdict_scenario_time_commit_and_reference(logs: Path, browser: Browser, name: str) -> None:
    log = log_of(logs / name)
    with browser.tab(logs / name / PAGE) as tab:
        assert tab.page.get_by_role("heading", level=1).inner_text() == f"D0 parity: {log['metadata']['scenario_id']}"
        top = tab.page.locator("header").inner_text()
        for fact in ("git_sha", "dataset_root", "tool"):
            assert log["metadata"][fact] in top
        assert f"{log['metadata']['timestamp'][:16].replace('T', ' ')} UTC" in top
        links = tab.page.locator("nav a[href^='#'], header a[href^='#']").evaluate_all(
            "links => links.map(each => document.querySelector(each.getAttribute('href')) !== null)"
        )
        assert links
        assert all(links)
        assert log["verdict"] in top
        reference = log["reference"]
        assert (f"recorded/{LOG}, SHA-256 {reference['sha256'][:12]}" if reference else "Reference\nnone") in top
        assert "What to do next" in top


def table(tab: Tab, name: str) -> list[list[str]]:
    script = "rows => rows.filter(row => !row.hidden).map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    return tab.page.locator(f"#{name} tbody tr").evaluate_all(script)  # type: ignore[no-any-return]


def test_every_digit_of_every_number(logs: Path, browser: Browser) -> None:
    log = log_of(logs / "drifted")
    with browser.tab(logs / "drifted" / PAGE) as tab:
        short = table(tab, "dataset-table")
        tab.page.get_by_label("Show every digit").check()
        rows = table(tab, "dataset-table")
        tab.page.get_by_label("Show every digit").uncheck()
        assert table(tab, "dataset-table") == short != rows
        header = tab.texts("#dataset-table thead th")
    for row, dataset in zip(rows, log["datasets"], strict=True):
        cells = dict(zip(header, (cell.removesuffix(" copy") for cell in row), strict=True))
        stats = dataset["stats"]
        expected = {
            "dataset": dataset["filename"],
            "dose": dataset["photon_dose"],
            "counted back": dataset["photons"]["per_pattern"],
            "ratio": dataset["photons"]["ratio"],
            "SHA-256": dataset["sha256"],
            "shape": "x".join(map(str, dataset["arrays"]["diff3d"]["shape"])),
            "raw mean": stats["raw"]["mean"],
            "raw std": stats["raw"]["std"],
            "raw p99": stats["raw"]["p99"],
            "normalized mean": stats["normalized"]["mean"],
            "grouped mean": stats["grouped"]["mean"],
            "probe norm": dataset["probe"]["l2_norm"],
            "problems": len(dataset["problems"]),
            "drift": sum(d["where"].startswith(f"{dataset['filename']}:") for d in drifting(log)),
        }
        told = {name: json.dumps(value).strip('"') for name, value in expected.items()}
        assert cells == told


def drifting(log: Any) -> list[Any]:
    return [difference for difference in log["drift"] if difference["verdict"] == "drift"]


def test_all_differences_are_told_in_the_order_of_the_pipeline(logs: Path, browser: Browser) -> None:
    log = log_of(logs / "drifted")
    with browser.tab(logs / "drifted" / PAGE) as tab:
        rows = table(tab, "differences")
    where = [difference["where"] for difference in log["drift"] if not is_rounding(difference)]
    assert [row[0] for row in rows] == where
    ranks = ["drift", "within thresholds", "repacked"]
    assert [row[6] for row in rows] == sorted((row[6] for row in rows), key=ranks.index)


def is_rounding(difference: Any) -> bool:
    """Whether a row is counted, and not listed."""
    before, after = difference["expected"], difference["observed"]
    if difference["verdict"] != "within_thresholds" or isinstance(before, str):
        return False
    return bool(abs(after - before) <= 1e-10 * abs(before))


def test_names_go_on_in_the_next_line_behind_a_dot(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "drifted" / PAGE, width=400) as tab:
        broken = """all => all.filter(each => {
            const range = document.createRange();
            const texts = [...each.childNodes].filter(node => node.nodeType === Node.TEXT_NODE);
            return texts.some(node => { range.selectNodeContents(node); return range.getClientRects().length > 1; });
        }).map(each => each.innerText)"""
        names = tab.page.locator("#differences tbody th")
        assert names.evaluate_all(broken) == []
        assert "data_p1e5.npz:raw.p99" in names.all_inner_texts()


def test_differences_in_standard_errors_are_points_on_a_strip(logs: Path, browser: Browser) -> None:
    rows = [row for row in log_of(logs / "sigma")["drift"] if "sigma" in row]
    with browser.tab(logs / "sigma" / PAGE) as tab:
        strips = table(tab, "strips")
        points = tab.page.locator("#sigma svg circle, #sigma svg path.bad").count()
        label = tab.page.get_by_role("img", name="data_p1e5.npz: ").first.get_attribute("aria-label")
    assert [strip[0] for strip in strips] == ["data_p1e5.npz"]
    assert points == len([row for row in rows if not is_rounding(row)])
    assert "standard errors from the reference" in label
    worst = max((row for row in rows if row["verdict"] == "drift"), key=lambda row: abs(row["sigma"]))
    assert f"{worst['where'].partition(':')[2]} ({worst['sigma']:+.1f})" in strips[0][2]
    with browser.tab(logs / "drifted" / PAGE) as tab:
        assert tab.page.locator("#sigma").count() == 0


def test_parameters_and_metrics_stand_beside_those_of_the_reference(logs: Path, browser: Browser) -> None:
    log = log_of(logs / "clean")
    with browser.tab(logs / "clean" / PAGE) as tab:
        assert tab.texts("#baseline summary") == ["Baseline parameters and metrics: all the same"]
        assert not tab.page.locator("#params").is_visible()
        tab.page.locator("#baseline summary").press("Enter")
        params = {name: (ours, theirs, verdict) for name, ours, theirs, verdict in table(tab, "params")}
        metrics = {name: (ours, theirs, verdict) for name, ours, theirs, verdict in table(tab, "metrics")}
    assert params["params.N"] == ("64", "64", "same")
    assert {name.split(".")[1] for name in params} >= {"N", "probe", "label"}
    assert len(params) >= len(log["params"])
    assert metrics["metrics.frc50.test"] == ("NaN", "NaN", "same")
    assert len(metrics) == 2 * len(log["metrics"])
    with browser.tab(logs / "recorded" / PAGE) as tab:
        assert tab.page.locator("#params").is_visible()


def test_parameters_that_differ_are_not_folded(logs: Path, browser: Browser, tmp_path: Path) -> None:
    log = log_of(logs / "recorded")
    log["params"]["N"] = 128
    (tmp_path / "other.json").write_text(json.dumps(log), encoding="utf-8")
    shutil.copy(logs / "recorded" / LOG, tmp_path)
    assert d0parity("report", tmp_path / LOG, "--reference", tmp_path / "other.json").returncode == 3
    with browser.tab(tmp_path / PAGE) as tab:
        assert {row[0]: row[3] for row in table(tab, "params")}["params.N"] == "drift"


def test_scans_are_told_where_there_are_several(logs: Path, browser: Browser) -> None:
    log = log_of(logs / "drifted")
    with browser.tab(logs / "drifted" / PAGE) as tab:
        rows = table(tab, "scan-table")
    scans = [(d["filename"], scan) for d in log["datasets"] for scan in d["scans"]]
    assert len(rows) == len(scans) == 9
    for row, (name, scan) in zip(rows, scans, strict=True):
        assert row[:3] == [name, str(scan["scan_index"]), str(scan["n_patterns"])]
        assert float(row[3]) == pytest.approx(scan["mean"], rel=1e-5)


# --- pictures ----------------------------------------------------------------------------------


def test_pictures_say_what_they_show(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "hostile" / PAGE) as tab:
        names = [
            name or ""
            for name in tab.page.locator("svg[role=img]").evaluate_all(
                "all => all.map(each => each.getAttribute('aria-label'))"
            )
        ]
        assert tab.page.locator("svg:not([role=img]):not([aria-hidden] *):not([aria-hidden])").count() == 0
        ladder = tab.page.locator("#ladder").inner_text()
    assert all(names)
    (alt,) = [name for name in names if name.startswith("Photons counted back")]
    assert "; off the line or drifting: " in alt
    assert "data_p1e8.npz, told 1e+08 and counted 1003" in alt
    assert "not quantized: data_p1e7.npz" in alt
    assert "data_p1e8.npz stands out: it should hold 1e8, and 1003" in ladder
    assert "Not quantized, so that no photons can be counted (1 of 6): data_p1e7.npz." in ladder
    assert any(name.startswith("mean of raw over the dose") and "drifts in data_p1e5.npz" in name for name in names)


def test_the_histogram_is_that_of_the_log(logs: Path, browser: Browser) -> None:
    """As high as the logarithm of the count, for each bin that holds something, and the outline for the reference."""
    log = log_of(logs / "clean")
    with browser.tab(logs / "clean" / PAGE) as tab:
        figures = tab.page.locator("figure.histogram")
        assert figures.count() == len(log["datasets"])
        for number, dataset in enumerate(log["datasets"]):
            figure = figures.nth(number)
            assert figure.locator("figcaption").inner_text() == dataset["filename"]
            path = figure.locator("path.run").get_attribute("d")
            heights = [float(height) for height in re.findall(r"v-([\d.]+)", path)]
            counts = [count for count in dataset["histograms"]["raw"]["counts"] if count]
            top = max(heights) / (np.log10(max(counts)) + 1)
            assert heights == pytest.approx((np.log10(counts) + 1) * top, abs=0.11)
            assert figure.locator("path.reference").count() == 1


def test_the_drifting_values_are_marked_in_the_charts(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "drifted" / PAGE) as tab:
        assert "mean: drift" in tab.page.locator("#stages").inner_text()
        assert tab.page.locator("#stages svg path.bad").count() > 0
    with browser.tab(logs / "clean" / PAGE) as tab:
        assert ": drift" not in tab.page.locator("#stages").inner_text()
        assert tab.page.locator("#stages svg .bad").count() == 0


def test_probes_of_run_and_reference_and_the_difference(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "drifted" / PAGE) as tab:
        assert tab.texts("#probe .whose") == [
            *("this run", "reference", "run minus reference", "after the best shift, factor and phase"),
        ]
        assert tab.texts("#probe h3") == ["data_p1e3.npz and 2 more"]
        sources = tab.page.locator("#probe image").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    assert len(sources) == 7
    with browser.tab(logs / "clean" / PAGE) as tab:
        assert tab.texts("#probe .whose") == ["this run"]
        assert "The reference's has the same CRC-32 and length." in tab.page.locator("#probe").inner_text()


# --- tables ------------------------------------------------------------------------------------


def test_sorting_by_a_column_up_and_down(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "hostile" / PAGE) as tab:
        names = [row[0] for row in table(tab, "dataset-table")]
        doses = {"data_p1e3.npz": 1e3, "data_p1e5.npz": 1e5, "data_p1e7.npz": 1e7, "data_p1e8.npz": 1e8}
        doses["data_p1e9.npz"] = 1e9
        button = tab.page.locator("#dataset-table thead button", has_text="dose")
        header = button.locator("xpath=..")
        for direction in ("ascending", "descending"):
            button.click()
            assert header.get_attribute("aria-sort") == direction
            known = [row[0] for row in table(tab, "dataset-table") if row[0] in doses]
            assert known == sorted(doses, key=doses.__getitem__, reverse=direction == "descending")
        tab.page.locator("#dataset-table thead button", has_text="ratio").click()
        ratios = [float(row[3]) for row in table(tab, "dataset-table") if row[3] != "-"]
        assert ratios == sorted(ratios)
        assert ratios[0] < 1e-4  # the mislabelled one, which is written with an exponent
        tab.page.locator("#dataset-table thead button", has_text="dataset").press("Enter")  # by the keyboard
        assert header.get_attribute("aria-sort") is None
        assert sorted(row[0] for row in table(tab, "dataset-table")) == sorted(names)


def test_filtering_by_typing(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "drifted" / PAGE) as tab:
        everything = [" ".join(row) for row in table(tab, "differences")]
        box = tab.page.locator("[data-for=differences] input")
        for words in ("PHASE p1e5", "within", "p1e9 probe amplitude", "0.0", "nothing of the kind"):
            box.fill("")
            box.press_sequentially(words)
            shown = table(tab, "differences")
            wanted = [row for row in everything if all(word in row.lower() for word in words.lower().split())]
            assert len(shown) >= len(wanted)  # every digit may be looked for, not only those that are shown
            assert set(wanted) <= {" ".join(row) for row in shown}
            if words != "0.0":
                assert len(shown) == len(wanted)
            said = tab.page.locator("[data-for=differences] output").inner_text()
            assert said == f"{len(shown)} of {len(everything)} rows"
        box.fill("")
        assert len(table(tab, "differences")) == len(everything)


def test_without_scripts_everything_is_there_but_the_tools(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "drifted" / PAGE, java_script_enabled=False) as tab:
        assert tab.page.locator("#differences").is_visible()
        assert not tab.page.locator("[data-for=differences]").is_visible()
        assert not tab.page.get_by_label("Show every digit").is_visible()


def test_it_prints_on_a4(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "drifted" / PAGE, width=700) as tab:  # about A4 without its margins
        tab.page.emulate_media(media="print", color_scheme="dark")
        assert tab.page.evaluate("document.documentElement.scrollWidth") == 700
        assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not tab.page.locator("[data-for=differences]").is_visible()
        wide = "all => all.filter(each => each.scrollWidth > each.clientWidth).map(each => each.ariaLabel)"
        assert tab.page.locator(".scroll").evaluate_all(wide) == []
        assert tab.page.pdf(format="A4").startswith(b"%PDF")
        assert tab.page.locator("details:not([open])").count() == 0


# --- what comes from files stays text ----------------------------------------------------------


def test_markup_from_files_stays_text(logs: Path, browser: Browser) -> None:
    with browser.tab(logs / "hostile" / PAGE) as tab:
        name = "data_p1e6<img src=x onerror=alert(1)>\"'&\\x1b[31m\\xff.npz"
        assert name in [row[0] for row in table(tab, "dataset-table")]
        assert (
            tab.page.locator("img, iframe, object, embed, link, [onerror], [onload], header b:not(.sign)").count() == 0
        )
        assert tab.page.locator("script").count() == 1
        assert tab.page.title() == f"drift: {SCENARIO} - D0 parity".replace(" - ", " – ")  # noqa: RUF001
    assert tab.complaints == []


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """An address, and what was asked for there."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()
        thread.join()


EVIL = (
    "<script>alert(1)</script>",
    "<svg onload=alert(1)></svg>",
    "<script src='ADDRESS/x.js'></script>",
    "<img src='ADDRESS/x.png' onerror=alert(1)>",
    "<link rel=stylesheet href='ADDRESS/x.css'>",
    "<style>main {background: url(ADDRESS/y.png)}</style>",
    "<form action='ADDRESS'><button id=send>b</button></form>",
    "<iframe src='ADDRESS/frame'></iframe>",
)


def test_a_script_that_slipped_in_would_not_run(
    logs: Path, browser: Browser, tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    address, asked = server
    page = (logs / "clean" / PAGE).read_text(encoding="utf-8")
    for evil in EVIL:
        path = tmp_path / "evil.html"
        path.write_text(page.replace("<main>", f"<main>{evil.replace('ADDRESS', address)}"), encoding="utf-8")
        with browser.tab(path) as tab:
            tab.page.locator("#matrix thead button").first.click()  # its own script runs
            assert tab.page.locator("#matrix th[aria-sort]").count() == 1
            if "<form" in evil:
                tab.page.evaluate("document.getElementById('send').click()")
                tab.page.wait_for_timeout(300)
        assert tab.complaints
        assert all("Content Security Policy" in complaint for complaint in tab.complaints)
    assert asked == []


# --- many datasets -----------------------------------------------------------------------------


def test_of_many_datasets_the_long_sections_are_folded(logs: Path, browser: Browser, tmp_path: Path) -> None:
    log = log_of(logs / "recorded")
    entry = log["datasets"][0]
    log["datasets"] = [
        entry | {"filename": f"data_p{dose}e3.npz", "photon_dose": f"{dose}e3", "problems": []} for dose in range(1, 61)
    ]
    (tmp_path / LOG).write_text(json.dumps(log), encoding="utf-8")
    assert d0parity("report", tmp_path / LOG).returncode == 0
    with browser.tab(tmp_path / PAGE) as tab:
        folded = tab.texts("details:not([open]) > summary")
        assert {"Distributions of diff3d", "The probe", "Datasets"} <= set(folded)
        assert not tab.page.locator("#dataset-table").is_visible()
        tab.page.locator("#datasets summary").press("Enter")
        assert len(table(tab, "dataset-table")) == 60
