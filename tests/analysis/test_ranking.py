"""Selection, ranks and intervals against answers computed by hand."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jdbench.analysis.bootstrap import resampled_means
from jdbench.analysis.performance_profiles import family_profile_areas, family_profiles
from jdbench.analysis.problem_results import problem_table
from jdbench.analysis.problems import OVERALL, UNKNOWN
from jdbench.analysis.rank_tests import family_rank_tests, rank_tests
from jdbench.analysis.ranking import RANKING_COLUMNS, family_rankings
from jdbench.analysis.ranking import ranking as ranking_of
from jdbench.analysis.run_table import indicator_table, reference_runs, selected_runs
from jdbench.analysis.seed_ranks import all_seed_ranks, by_problem, problem_ranks, seed_ranks
from jdbench.rounding import gamma
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record


def record(
    problem: str, aggregator: str, seed: int, rate: float, area: float, *, trace: bool = False
) -> Record:
    state = "finished" if not math.isinf(area) else "diverged"
    indicators = {"area": area, "start": 2.0, "final": area / 4, "worst_margin": -0.5}
    return Record(RunSpec(problem, aggregator, rate, seed, 10, trace=trace), state, 10, 0.1, indicators, {})


def table(problem: str, areas: dict[str, Sequence[float]]) -> list[Record]:
    """One rate, one seed a column."""
    return [
        record(problem, aggregator, seed, 0.1, area)
        for aggregator, row in areas.items()
        for seed, area in enumerate(row, 1)
    ]


def means(selected: pd.DataFrame) -> pd.DataFrame:
    return problem_ranks(by_problem(all_seed_ranks(selected)))


def ranking(selected: pd.DataFrame) -> pd.DataFrame:
    """The ranking, and beside it the mean rank on each problem."""
    board = ranking_of(all_seed_ranks(selected), rank_tests(means(selected)), selected)
    return board.merge(means(selected).T, left_on="aggregator", right_index=True, how="left")


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
    ranks = seed_ranks(selected_runs(indicator_table(table("P", areas))))
    assert ranks.loc[1].to_dict() == {"A": 1.5, "B": 1.5, "C": 3.5, "D": 3.5}
    assert ranks.loc[2].to_dict() == {"A": 2.0, "B": 1.0, "C": 3.0, "D": 4.0}


def test_only_seeds_that_all_have_run_are_ranked() -> None:
    records = [*table("P", {"A": [1.0, 2.0], "B": [2.0, 1.0]}), record("P", "A", 3, 0.1, 1.0)]
    assert seed_ranks(selected_runs(indicator_table(records))).index.tolist() == [1, 2]


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


def random_records(seed: int, problems: str = "PQRS", aggregators: str = "ABCD") -> list[Record]:
    generator = np.random.default_rng(seed)
    return [
        made
        for problem in problems
        for made in table(
            problem, {name: generator.choice([0.5, 1, 2, 4, 8, math.inf], 5) for name in aggregators}
        )
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_records_and_of_problems_changes_nothing(seed: int) -> None:
    records = random_records(seed)
    selected = selected_runs(indicator_table(records))
    board = ranking(selected)
    shuffled = np.random.default_rng(seed).permutation(len(selected))
    assert ranking(selected.iloc[shuffled]).equals(board)
    again = selected_runs(indicator_table(records[::-1]))
    assert ranking(again).equals(board)
    turned = {"P": "S", "Q": "R", "R": "Q", "S": "P"}
    renamed = ranking(selected.assign(problem=selected["problem"].map(turned))).set_index("aggregator")
    expected = board.set_index("aggregator").loc[renamed.index]
    assert renamed["position"].equals(expected["position"])
    assert renamed["group"].equals(expected["group"])
    assert renamed["P"].tolist() == expected["S"].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_names_of_aggregators_do_not_matter(seed: int) -> None:
    selected = selected_runs(indicator_table(random_records(seed)))
    turned = dict(zip("ABCD", "DACB", strict=True))
    board = ranking(selected).set_index("aggregator")
    renamed = ranking(selected.assign(aggregator=selected["aggregator"].map(turned))).set_index("aggregator")
    for old, new in turned.items():
        assert renamed.loc[new, ["mean_rank", "low", "high"]].tolist() == pytest.approx(
            board.loc[old, ["mean_rank", "low", "high"]].tolist(), rel=gamma(64)
        )
        assert renamed.loc[new, "position"] == board.loc[old, "position"]


@pytest.mark.parametrize("factor", [2.0**-40, 3.0, 1e6])
def test_the_unit_of_a_problem_s_criterion_changes_no_rank(factor: float) -> None:
    records = random_records(7)
    scaled = [
        replace(
            r,
            indicators={
                k: v * factor if k in {"area", "start", "final"} else v for k, v in r.indicators.items()
            },
        )
        if r.spec.problem == "Q"
        else r
        for r in records
    ]
    assert ranking(selected_runs(indicator_table(scaled))).equals(
        ranking(selected_runs(indicator_table(records)))
    )


def test_intervals_widen_with_the_problems_too() -> None:
    # On each problem all seeds agree; the problems do not: mean rank 1 + Binomial(4, ½)/4 again.
    areas = {"P": (1.0, 2.0), "Q": (2.0, 1.0), "R": (1.0, 2.0), "S": (2.0, 1.0)}
    records = [r for name, (a, b) in areas.items() for r in table(name, {"A": [a] * 3, "B": [b] * 3})]
    board = ranking(selected_runs(indicator_table(records))).set_index("aggregator")
    assert board.loc["A", ["mean_rank", "low", "high"]].tolist() == [1.5, 1.0, 2.0]


def test_the_interval_has_the_variance_of_both_levels() -> None:
    # Two problems with two seeds: ranks of A 1 and 2 on P, 1 and 1 on Q. A slot is Q with chance ½ (1), else
    # P, whose two drawn seeds give 1, 1.5 or 2 by ¼, ½, ¼: (1, 1.5, 2) with chances (5/8, 1/4, 1/8).
    records = table("P", {"A": [1.0, 3.0], "B": [2.0, 2.0]}) + table("Q", {"A": [1.0, 1.0], "B": [2.0, 2.0]})
    ranks = by_problem(all_seed_ranks(selected_runs(indicator_table(records))))
    drawn = resampled_means([ranks[name][["A"]].to_numpy() for name in "PQ"]).ravel()
    chances = {1.0: 25 / 64, 1.25: 20 / 64, 1.5: 14 / 64, 1.75: 4 / 64, 2.0: 1 / 64}
    for value, chance in chances.items():
        # Six standard deviations of the frequency are passed once in 10⁹.
        assert abs((drawn == value).mean() - chance) <= 6 * math.sqrt(chance * (1 - chance) / len(drawn))


def test_all_lost_is_a_tie_that_is_shown() -> None:
    board = ranking(selected_runs(indicator_table(table("P", {"A": [math.inf] * 2, "B": [math.inf] * 2}))))
    assert board["position"].tolist() == ["1=", "1="]
    assert board["lost"].tolist() == board["runs"].tolist() == [2, 2]


def test_one_aggregator_on_one_problem_is_first() -> None:
    board = ranking(selected_runs(indicator_table(table("P", {"A": [1.0]}))))
    assert tuple(board.columns) == (*RANKING_COLUMNS, "P")
    assert board.iloc[0][["position", "mean_rank", "group"]].tolist() == ["1", 1.0, "a"]


def test_a_run_with_nan_for_its_area_counts_as_lost() -> None:
    board = ranking(selected_runs(indicator_table(table("P", {"A": [math.nan], "B": [1.0]}))))
    assert board["aggregator"].tolist() == ["B", "A"]
    assert board.set_index("aggregator").loc["A", "lost"] == 1


def test_groups_are_published_beside_positions() -> None:
    records = [r for p in "PQRSTUVW" for r in table(p, {"A": [1.0], "B": [2.0], "C": [3.0]})]
    board = ranking(selected_runs(indicator_table(records)))
    assert board["group"].tolist() == ["a", "a b", "b"]


def test_families_are_ranked_one_by_one_and_overall() -> None:
    records = (
        table("P", {"A": [1.0], "B": [2.0]})
        + table("Q", {"A": [1.0], "B": [2.0]})
        + table("R", {"A": [3.0], "B": [2.0]})
    )
    selected = selected_runs(indicator_table(records))
    families = {"P": "convex", "Q": "convex"}
    ranks = all_seed_ranks(selected)
    tests = family_rank_tests(ranks, families)
    board = family_rankings(ranks, tests, selected, families).set_index(["family", "aggregator"])
    assert board.index.get_level_values(0).unique().tolist() == [OVERALL, "convex", UNKNOWN]
    assert board.loc[(OVERALL, "A"), ["problems", "mean_rank"]].tolist() == pytest.approx([3, 4 / 3])
    assert board.loc[("convex", "A"), "mean_rank"] == 1
    assert board.loc[(UNKNOWN, "A"), "mean_rank"] == 2
    assert set(tests["family"]) == {OVERALL, "convex"}  # one problem is no block
    # Convex: rank sums 2 and 4: (2 - 1)((2 - 3)² + (4 - 3)²) / (10 - 9) = 2.
    assert tests.set_index("family").loc["convex", ["blocks", "friedman"]].tolist() == [2, 2.0]
    assert len(family_profiles(selected, families)) == len(family_profile_areas(selected, families)) == 0


def test_problem_ranks_hold_nan_where_an_aggregator_did_not_run() -> None:
    records = table("P", {"A": [1.0], "B": [2.0]}) + table("Q", {"A": [1.0]})
    ranks = means(selected_runs(indicator_table(records)))
    assert ranks.loc["P"].tolist() == [1, 2]
    assert math.isnan(ranks.loc["Q", "B"])


def test_nothing_to_rank_is_an_empty_ranking() -> None:
    selected = selected_runs(indicator_table([record("P", "A", 1, 0.1, 1.0, trace=True)]))
    assert tuple(ranking(selected).columns) == RANKING_COLUMNS
    ranks = all_seed_ranks(selected)
    tests = family_rank_tests(ranks, {})
    assert len(family_rankings(ranks, tests, selected, {})) == len(tests) == 0
