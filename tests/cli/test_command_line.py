"""The command line given nonsense, interrupted, killed; each command once in a fresh process, as users do."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jdbench.cli import main as cli
from jdbench.cli.main import main
from jdbench.runs.protocol import PRESETS, Budget
from jdbench.runs.store import Store
from support.report_stores import analytic, write_store

JDBENCH = [sys.executable, "-m", "jdbench"]
RUN = ["run", "-p", "IWRM-digits", "-a", "Mean", "-a", "RGW", "--seeds", "1", "--store", "s.sqlite"]
RUNS = 2 * 8


def fresh(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*JDBENCH, *arguments], cwd=cwd, capture_output=True, text=True, timeout=300)


def written(store: Path) -> dict[str, float]:
    """When each record was written."""
    if not store.exists():
        return {}
    connection = sqlite3.connect(store, timeout=60)
    try:
        return dict(connection.execute("SELECT key, written FROM records"))
    except sqlite3.OperationalError:  # the tables are not there yet
        return {}
    finally:
        connection.close()


def wait_for_records(store: Path, process: subprocess.Popen[str], count: int) -> None:
    deadline = time.monotonic() + 120
    while len(written(store)) < count:
        assert time.monotonic() < deadline, "no records"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children] + [d for c in children for d in descendants(int(c))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGINT, id="Ctrl-C", marks=pytest.mark.long),
        pytest.param(signal.SIGKILL, id="kill -9"),
    ],
)
def test_interrupted_runs_go_on_without_losing_or_repeating_a_finished_one(
    tmp_path: Path, how: int, jdbench
) -> None:
    store = tmp_path / "s.sqlite"
    process = subprocess.Popen(
        [*JDBENCH, *RUN, "--workers", "2"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # These tests may run in the background, where a shell lets Ctrl-C be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for_records(store, process, 3)
    workers = descendants(process.pid)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # a terminal's Ctrl-C goes to the whole group
    else:
        process.kill()
    _, errors = process.communicate(timeout=60)
    before = written(store)
    assert 3 <= len(before) < RUNS
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "Traceback" not in errors
        assert f"interrupted; {len(before)} runs are in s.sqlite, start again to go on" in errors.replace(
            "\n", " "
        )
    deadline = time.monotonic() + 30
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "workers outlive their parent"
        time.sleep(0.1)

    again = jdbench(*RUN, "--workers", "1")
    assert again.returncode == 0, again.stderr
    after = written(store)
    assert len(after) == RUNS
    assert {key: after[key] for key in before} == before

    third = jdbench(*RUN)
    assert third.returncode == 0
    assert written(store) == after


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "-p", "EWK"],
            "problem='EWK', required a known problem, got an unknown one, did you mean EWQ?",
        ),
        (["run", "-a", "UPgrad"], "did you mean UPGrad?"),
        (["run", "-a", "CAGrad(c=-1)"], "c=-1, required a finite number ≥ 0"),
        (["run", "-a", "CAGrad(c=)"], "mend the brackets"),
        (["run", "-a", "nowhere.at:all"], "required a module that imports"),
        (["run", "-a", "os:path"], "required a callable"),
        (["run", "--preset", "quik"], "did you mean quick?"),
        (["run", "--seeds", "0"], "seeds=0, required at least 1"),
        (["run", "--seeds", "many"], "--seeds"),
        (["run", "--workers", "0"], "workers=0, required at least 1"),
        (["run", "--optimizer", "Adm"], "did you mean Adam?"),
        (["run", "--bogus"], "--bogus"),
        (["run", "--store", "text.txt", "-p", "EWQ"], "store=text.txt"),
        (["run", "--store", "text.txt/below"], "store=text.txt/below"),
        (["report", "--store", "missing.sqlite"], "store=missing.sqlite"),
        (
            ["report"],
            "store=results/quick.sqlite, required a file of records, got none, `jdbench run` makes one",
        ),
        (["report", "--preset", "full"], "`jdbench run --preset full` makes one"),
        (["report", "--preset", "ful"], "did you mean full?"),
        (["report", "--preset", "full", "--store", "s"], "required --preset or --store, got both"),
        (["report", "--store", "text.txt"], "store=text.txt"),
        (["report", "--store", "."], "store=."),
        (["check-problem", "ZDT5"], "did you mean ZDT"),
        (["check-problem", "EWQ", "IWRM-digits"], "required an AnalyticProblem"),
        (["check-problem", "EWQ", "--samples", "1"], "samples=1, required at least 2"),
        (["list", "nothing"], "nothing"),
        (["frobnicate"], "frobnicate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nonsense_gets_one_clear_line_and_exit_2(
    tmp_path: Path, arguments: list[str], message: str, jdbench
) -> None:
    (tmp_path / "text.txt").write_text("a text that is no database " * 40)
    result = jdbench(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("jdbench: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert {p.name for p in tmp_path.iterdir()} <= {"text.txt"}


def test_nonsense_in_a_fresh_process_too(tmp_path: Path) -> None:
    result = fresh("run", "-p", "EWK", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)


def test_an_exit_that_nobody_caught_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "app", lambda **_: sys.exit(0))
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "jdbench: exit(0) was called by what was run, nothing was judged\n"


def test_ctrl_c_says_so_in_a_line(jdbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jdbench.cli.listing.listing", interrupted)
    done = jdbench("list")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "jdbench: interrupted\n")


def test_list_names_everything_there_is(tmp_path: Path, jdbench) -> None:
    result = fresh("list", cwd=tmp_path)
    assert result.returncode == 0
    for name in (
        "EWQ",
        "CQF",
        "IWRM-digits",
        "UPGrad",
        "NashMTL",
        "active-set",
        "proxqp",
        "daqp",
        "quick",
        "paper",
        "cifar10",
    ):
        assert name in result.stdout
    only = jdbench("list", "solvers")
    assert "active-set" in only.stdout
    assert "UPGrad" not in only.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["report", "-h"], ["list", "-h"], ["data", "-h"]], ids=" ".join
)
def test_help_explains_itself(arguments: list[str], jdbench) -> None:
    result = jdbench(*arguments)
    assert result.returncode == 0
    assert "Usage" in result.stdout


def test_a_small_benchmark_with_a_strangers_aggregator_ends_in_a_page(
    tmp_path: Path, jdbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(PRESETS["quick"], analytic=Budget(20, (0.1, 0.2)), reference_steps=20)
    monkeypatch.setitem(PRESETS, "quick", few)
    (tmp_path / "mine.py").write_text(
        "import torch\n\n\nclass Half:\n    def __init__(self, share=0.5):\n        self.share = share\n\n"
        "    def __call__(self, J):\n        return self.share * J.sum(0)\n\n\n"
        "def fussy(J):\n    raise RuntimeError('never satisfied')\n"
    )
    run = ["run", "-p", "EWQ", "--seeds", "1", "--store", "s.sqlite", "--workers", "1"]
    good = jdbench(*run, "-a", "UPGrad", "-a", "mine:Half(share=0.25)")
    assert good.returncode == 0, good.stderr
    bad = jdbench(*run, "-a", "mine:fussy")
    assert bad.returncode == 1
    assert "RuntimeError: never satisfied" in bad.stderr
    page = jdbench("report", "--store", "s.sqlite", "--out", "out", "--workers", "1")
    assert page.returncode == 0, page.stderr
    text = (tmp_path / "out" / "index.html").read_text()
    for name in ("UPGrad", "mine:Half(share=0.25)", "mine:fussy", "never satisfied"):
        assert name in text


def test_a_report_goes_to_the_folder_of_its_preset_and_stays_among_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["jdbench", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code, printed.out + printed.err

    write_store(Path("results/quick.sqlite"), [analytic("Mean")])
    assert call("report", "--workers", "1") == (None, "wrote results/quick/index.html\n")
    assert Path("results/quick/problem-EWQ.html").is_file()
    assert call("report", "--compact") == (None, "wrote results/quick/index.html\n")
    assert not Path("results/quick/problem-EWQ.html").exists()
    # Another store of the same preset does not push the first one's page away.
    write_store(Path("mine.sqlite"), [analytic("UPGrad")])
    code, said = call("report", "--store", "mine.sqlite")
    assert code == 2
    assert "got one of ../quick.sqlite" in said
    assert call("report", "--store", "mine.sqlite", "--out", "mine") == (None, "wrote mine/index.html\n")
    assert call("report", "--store", "mine.sqlite", "--replace")[0] is None
    assert {one.name for one in tmp_path.iterdir()} == {"results", "mine", "mine.sqlite"}
    # What is there is named where the default is missing.
    Path("results/quick.sqlite").rename("results/full.sqlite")
    code, said = call("report")
    assert code == 2
    assert "there is results/full.sqlite, say --store" in said


def test_a_strangers_problem_is_checked(tmp_path: Path, jdbench) -> None:
    (tmp_path / "mine.py").write_text(
        "from jdbench.problems.quadratic import ElementWiseQuadratic\n\n\n"
        "class Bent(ElementWiseQuadratic):\n    beta = 1.0\n"
    )
    good = jdbench("check-problem", "EWQ", "--samples", "20")
    assert good.returncode == 0, good.stderr
    assert good.stdout.startswith("EWQ: nothing found by ")
    bad = fresh("check-problem", "EWQ", "mine:Bent", "--samples", "20", cwd=tmp_path)
    assert bad.returncode == 1, bad.stderr
    fine, finding, checked = bad.stdout.splitlines()
    assert fine == good.stdout.strip()
    assert finding.startswith("mine:Bent: smoothness: ")
    assert checked.startswith("mine:Bent: 1 found by ")


def test_lists_come_without_the_analysis() -> None:
    code = "import sys\nfrom jdbench.cli.listing import listing\nlisting('problems')\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "jdbench.problem" in done.stdout.split()
    assert "jdbench.analysis" not in done.stdout.split()


def test_another_preset_does_not_mix_into_a_store(tmp_path: Path, jdbench) -> None:
    run = ["run", "-p", "EWQ", "-a", "Mean", "--seeds", "1", "--store", "s.sqlite"]
    with Store(tmp_path / "s.sqlite", create=True) as store:
        store.stamp("quick")
    other = jdbench(*run, "--preset", "full")
    assert other.returncode == 2
    assert "required one of preset full, got one of quick" in other.stderr
    adam = jdbench(*run, "--optimizer", "Adam")
    assert adam.returncode == 2
    assert "required one of preset quick with Adam, got one of quick" in adam.stderr
