"""The roster: claims, leaderboard, colours, README and what is verified agree with what there is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import jdbench.aggregators
from jdbench import roster
from jdbench.aggregator import resolve
from jdbench.report.figures import palette
from jdbench.roster import CLAIMED, LEADERBOARD, LISTED, ROSTER, VERIFIED, Entry, in_order
from jdbench.verification.claims import CLAIMS
from jdbench.verification.properties import PROPERTIES

ROOT = Path(__file__).parents[2]


def test_the_roster_names_every_aggregator_once() -> None:
    names = [entry.name for entry in ROSTER]
    assert sorted(names) == sorted(jdbench.aggregators.__all__)
    assert len(set(names)) == len(names)


def test_specs_are_written_as_records_write_them() -> None:
    assert [resolve(spec).spec for spec in LISTED] == list(LISTED)
    assert set(CLAIMED) == set(LISTED)


def test_every_spec_has_every_claim() -> None:
    claimed = [(claim.aggregator, claim.prop) for claim in CLAIMS]
    wanted = {(spec, prop) for spec in CLAIMED for prop in PROPERTIES if prop != "hygiene"}
    assert set(claimed) == wanted
    assert len(claimed) == len(wanted)


def test_the_readme_has_a_row_for_every_aggregator() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| aggregator | keywords |")[2]
    rows = table.partition("\n\n")[0].splitlines()[2:]
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(names) == sorted(entry.name for entry in ROSTER)


def test_the_leaderboard_is_importable_from_the_aggregators() -> None:
    assert jdbench.aggregators.LEADERBOARD == LEADERBOARD == LISTED


def test_what_is_verified_is_printed_one_spec_a_line_for_the_makefile() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "jdbench.roster"], capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    assert printed == list(VERIFIED)
    assert not [spec for spec in printed if re.search(r"[\s*?\[\]]", spec)]  # a shell splits there, or globs
    assert "-m jdbench.roster" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_peers_that_are_verified_can_be_made() -> None:
    pytest.importorskip("torchjd", reason='needs the extra "peers": pip install "jdbench[peers]"')
    for entry in ROSTER:
        if entry.peer:
            assert callable(resolve(entry.peer).aggregator)


def test_colours_differ_and_a_newcomer_without_one_gets_a_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({*palette.COLOURS.values(), *palette.SPARE}) == len(palette.COLOURS) + len(palette.SPARE)
    assert set(palette.COLOURS) == {entry.name for entry in ROSTER}
    newcomer = Entry("Newcomer", variants=("c=2",))
    monkeypatch.setattr(roster, "LISTED", (*LISTED, *newcomer.specs))
    looks = palette.styles(["zzz:Other", "Newcomer(c=2)", "Newcomer", "Mean"])
    assert list(looks) == ["Mean", "Newcomer", "Newcomer(c=2)", "zzz:Other"]
    assert looks["Newcomer"].colour == looks["Newcomer(c=2)"].colour == palette.SPARE[0]
    assert looks["zzz:Other"].colour == palette.SPARE[1]


def test_the_roster_comes_first_and_the_others_by_name() -> None:
    assert in_order(["b:B", "UPGrad", "a:A", "Mean", "UPGrad"]) == ["Mean", "UPGrad", "a:A", "b:B"]
