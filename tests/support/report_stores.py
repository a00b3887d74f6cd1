"""Stores of made-up records for the tests of reports, and a reader of pages."""

from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record
from jdbench.runs.store import Store

AGGREGATORS = ("Mean", "UPGrad", "UPGrad(trace_regularization=0.0001)")
ODD = "mymodule:Agg(c='<b>$x$&')"
STEPS = np.array([0.0, 1, 2, 3, 5, 8])
VOID = {"br", "wbr", "link", "meta", "hr", "img", "input"}


def analytic(
    aggregator: str,
    problem: str = "EWQ",
    seed: int = 1,
    rate: float = 0.1,
    state: str = "finished",
    trace: bool = False,
    halving: float = 1.0,
    **indicators: float,
) -> Record:
    """Return the record of a run that halves x in every step, ``halving`` times."""
    start = np.array([2.0, 1.0]) / seed
    x = start * 0.5 ** (halving * STEPS[:, None])
    f = x**2
    distance = np.linalg.norm(f, axis=1)
    finished = state == "finished"
    found = {
        "area": float(distance.mean()) if finished else np.inf,
        "start": float(distance[0]),
        "final": float(distance[-1]) if finished else np.inf,
        "steps_to_reach": np.inf,
        "steps_to_1e-3": 5.0 / halving if finished and halving else np.inf,
        "worst_margin": 0.1,
        "decades_median": 0.3,
        "stationarity": float(x.min()),
        "stationarity_relative": 0.5,
        "stationarity_of_start": 0.5,
        "drift": 0.0,
        **({"weights": 0.5} if trace else {}),
        **indicators,
    }
    curves = {"steps": STEPS, "distance": distance}
    if finished:
        curves |= {"end_x": x[-1], "end_f": f[-1]}
    if trace:
        curves |= {"x": x, "f": f, "decades": np.full(len(STEPS), 0.3)}
    spec = RunSpec(problem, aggregator, rate, seed, 8, trace=trace)
    return Record(spec, state, 8, 0.1, found, curves)


def training(
    aggregator: str, problem: str = "IWRM-digits", seed: int = 1, rate: float = 0.1, **indicators: float
) -> Record:
    """Return the record of a training whose loss decays at a rate."""
    loss = 2.3 * np.exp(-rate * STEPS)
    found = {
        "area": float(loss.mean()),
        "start": 2.3,
        "final": float(loss[-1]),
        "worst_margin": -0.2,
        "decades_median": 4.0,
        "worst_loss": 3.0,
        **indicators,
    }
    curves = {
        "steps": STEPS,
        "loss": loss,
        "cosine_steps": STEPS[:-1],
        "cosine": np.cos(STEPS[:-1]),
        "decades": np.full(8, 4.0),
        "weights": np.full(8, 2.0),
    }
    return Record(RunSpec(problem, aggregator, rate, seed, 1), "finished", 8, 0.1, found, curves)


def failure(
    aggregator: str, problem: str = "EWQ", error: str = "ValueError: no", trace: bool = False
) -> Record:
    """Return the record of a run that raised."""
    indicators = {"area": np.inf, "start": np.nan, "final": np.nan}
    return Record(RunSpec(problem, aggregator, 0.1, 1, 8, trace=trace), "failed", 0, 0.0, indicators, {}, error)


def write_store(path: Path, records: Iterable[Record]) -> Path:
    """Write records to a new store."""
    with Store(path, create=True) as store:
        store.stamp("quick")
        store.append(list(records), {"python": "3", "processor": "<none>"})
    return path


def usual() -> list[Record]:
    """Return analytic and training runs of four aggregators, reference runs and a failure."""
    names = (*AGGREGATORS, ODD)
    return [
        *(
            analytic(name, seed=seed, rate=rate, halving=(i + 1) * rate)
            for i, name in enumerate(names)
            for seed in (1, 2)
            for rate in (0.1, 0.2)
        ),
        *(analytic(name, seed=seed, trace=True) for name in names for seed in (1, 2)),
        *(training(name, seed=seed, rate=rate) for name in names for seed in (1, 2, 3) for rate in (0.1, 0.2)),
        failure("Mean", "CQF", "RuntimeError: <script>alert(1)</script>"),
    ]


class Page(HTMLParser):
    """The text, the attributes and the balance of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text.append(" " * (tag in {"td", "th"}))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read_pages(folder: Path) -> dict[str, Page]:
    """Return the pages of a folder by name."""
    return {file.name: Page(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.html"))}


def words(page: Page) -> str:
    """Return the text of a page with single blanks."""
    return " ".join("".join(page.text).split())
