"""Selection, ranks and intervals against answers computed by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from jdbench.leaderboard import problem_table, ranking, seed_ranks
from jdbench.metrics import indicator_table, reference_runs, selected_runs
from jdbench.protocol import RunSpec
from jdbench.record import Record
from jdbench.verification.tolerances import gamma


def record(
    problem: str, aggregator: str, seed: int, rate: float, area: float, *, trace: bool = False
) -> Record:
    state = "finished" if math.isfinite(area) else "diverged"
    indicators = {"area": area, "start": 2.0, "final": area / 4, "worst_margin": -0.5}
    return Record(RunSpec(problem, aggregator, rate, seed, 10, trace=trace), state, 10, 0.1, indicators, {})


def table(problem: str, areas: dict[str, Sequence[float]]) -> list[Record]:
    """One rate, one seed a column."""
    return [
        record(problem, aggregator, seed, 0.1, area)
        for aggregator, row in areas.items()
        for seed, area in enumerate(row, 1)
    ]


def test_the_selected_rate_has_the_smallest_area_and_ties_go_to_the_smaller_rate() -> None:
    records = [
        record("P", "A", 1, 0.1, 3.0),
        record("P", "A", 1, 1.0, 1.0),
        record("P", "A", 1, 10.0, 1.0),
        record("P", "A", 1, 100.0, math.inf),
        record("P", "A", 2, 0.1, 0.5),
        record("P", "A", 2, 1.0, 2.0),
        record("P", "A", 1, 0.7, 0.001, trace=True),
    ]
    selected = selected_runs(indicator_table(records)).set_index("seed")
    assert selected.loc[1, "rate"] == 1.0
    assert selected.loc[1, "score"] == 0.5
    assert selected.loc[1, "rates_tried"] == 4
    assert selected.loc[1, "rates_lost"] == 1
    assert not selected.loc[1, "at_edge"]
    assert selected.loc[2, "rate"] == 0.1
    assert selected.loc[2, "at_edge"]
    assert reference_runs(indicator_table(records))["rate"].tolist() == [0.7]


def test_ranks_share_ties_and_put_the_lost_last() -> None:
    areas = {"A": [1.0, 2.0], "B": [1.0 + 1e-9, 1.0], "C": [math.inf, 3.0], "D": [math.inf, math.inf]}
    ranks = seed_ranks(selected_runs(indicator_table(table("P", areas))), "P")
    assert ranks.loc[1].to_dict() == {"A": 1.5, "B": 1.5, "C": 3.5, "D": 3.5}
    assert ranks.loc[2].to_dict() == {"A": 2.0, "B": 1.0, "C": 3.0, "D": 4.0}


def test_only_seeds_that_all_have_run_are_ranked() -> None:
    records = [*table("P", {"A": [1.0, 2.0], "B": [2.0, 1.0]}), record("P", "A", 3, 0.1, 1.0)]
    assert seed_ranks(selected_runs(indicator_table(records)), "P").index.tolist() == [1, 2]


def test_every_problem_counts_alike_whatever_its_number_of_seeds() -> None:
    records = table("P", {"A": [1.0] * 8, "B": [2.0] * 8}) + table("Q", {"A": [2.0], "B": [1.0]})
    board = ranking(selected_runs(indicator_table(records))).set_index("aggregator")
    assert board.loc["A", "mean_rank"] == pytest.approx(1.5)
    assert board.loc["B", "mean_rank"] == pytest.approx(1.5)
    assert set(board["position"]) == {"1="}
    assert board.loc["A", "P"] == 1.0
    assert board.loc["A", "Q"] == 2.0


def test_intervals_are_points_where_seeds_agree_and_widen_where_they_do_not() -> None:
    agree = ranking(selected_runs(indicator_table(table("P", {"A": [1.0] * 6, "B": [2.0] * 6}))))
    assert agree[["low", "high"]].to_numpy().tolist() == [[1.0, 1.0], [2.0, 2.0]]
    mixed = table("P", {"A": [1.0, 3.0, 1.0, 3.0], "B": [2.0] * 4})
    board = ranking(selected_runs(indicator_table(mixed))).set_index("aggregator")
    # Mean rank 1 + Binomial(4, ½)/4: its central 95 % reaches from 1 to 2, since both ends have chance 1/16.
    assert board.loc["A", ["mean_rank", "low", "high"]].tolist() == [1.5, 1.0, 2.0]


def test_ranking_is_repeatable_and_leaves_out_who_missed_a_problem() -> None:
    records = table("P", {"A": [1.0, 2.0], "B": [2.0, 1.0], "C": [3.0, 3.0]}) + table(
        "Q", {"A": [1.0], "B": [2.0]}
    )
    selected = selected_runs(indicator_table(records))
    assert ranking(selected).equals(ranking(selected))
    assert set(ranking(selected)["aggregator"]) == {"A", "B"}


def test_problem_table_gives_means_with_standard_errors_best_first() -> None:
    areas = {"A": [4.0, 6.0, 8.0], "B": [2.0, 2.0, 2.0], "C": [1.0, math.inf, 1.0]}
    rows = problem_table(selected_runs(indicator_table(table("P", areas))), "P").set_index("aggregator")
    assert rows.index.tolist() == ["B", "A", "C"]
    assert rows.loc["A", "score"] == pytest.approx(3.0)
    assert rows.loc["A", "score_sem"] == pytest.approx(1 / math.sqrt(3), rel=gamma(32))
    assert rows.loc["A", "final"] == pytest.approx(1.5)
    assert rows.loc["C", "seeds_lost"] == 1
    assert math.isinf(rows.loc["C", "score"])
    assert math.isnan(rows.loc["C", "score_sem"])
    assert (rows["worst_margin"] == -0.5).all()
    assert np.isfinite(rows.loc["B", "rate"])


def test_a_problem_without_a_common_seed_does_not_count() -> None:
    records = [
        *table("P", {"A": [1.0], "B": [2.0]}),
        record("Q", "A", 1, 0.1, 2.0),
        record("Q", "B", 2, 0.1, 1.0),
    ]
    board = ranking(selected_runs(indicator_table(records)))
    assert board["aggregator"].tolist() == ["A", "B"]
    assert "Q" not in board


def test_a_start_on_the_front_scores_0_for_staying_and_infinity_for_leaving() -> None:
    spec = RunSpec("P", "A", 0.1, 1, 10)
    stay = Record(spec, "finished", 10, 0.1, {"area": 0.0, "start": 0.0, "final": 0.0}, {})
    leave = Record(spec, "finished", 10, 0.1, {"area": 0.1, "start": 0.0, "final": 0.2}, {})
    assert indicator_table([stay, leave])["score"].tolist() == [0.0, math.inf]
