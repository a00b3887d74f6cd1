"""Every column of every table: its name, what it means, its unit, and which of its values are better.

Tables share names where they tell the same thing of other runs, ``rate`` of one run and of the selected ones of
a problem, as files always did: what it means in one table is then declared under a name of its own.
"""

from jdbench.analysis.declarations import Column

CRITERION = "unit of the distance, or of the loss"
NO_WEIGHTS = "– for an aggregation without weights"

# What was run, how it ended.
PROBLEM = Column("problem", "spec of the problem")
AGGREGATOR = Column("aggregator", "spec of the aggregator")
FAMILY = Column("family", "family of problems, or all problems")
RATE = Column("rate", "learning rate")
SEED = Column("seed", "number of the start, or of the training")
STEPS = Column("steps", "steps of a run, or epochs of a training, that were asked for")
OPTIMIZER = Column("optimizer", "spec of the optimiser")
TRACE = Column("trace", "whether it is a reference run, at Theorem 1's rate, whose path was kept")
STATE = Column("state", "finished, diverged or failed")
STEPS_TAKEN = Column("steps_taken", "steps before the end")
SECONDS = Column("seconds", "wall-clock time of a run, of a batch its share", unit="seconds", better="less")
ERROR = Column("error", "what a failed run raised")

# Indicators of a run, as records keep them.
AREA = Column("area", "mean of the criterion over the run", unit=CRITERION, better="less")
START = Column("start", "criterion at the start of the run", unit=CRITERION)
FINAL = Column("final", "criterion at the end of the run", unit=CRITERION, better="less")
STEPS_TO_TARGET = Column("steps_to_1e-3", "steps to 1e-3 of the distance at the start", better="less")
SECONDS_TO_TARGET = Column(
    "seconds_to_1e-3", "time to 1e-3 of the distance at the start", unit="seconds", better="less"
)
STEPS_TO_REACH = Column("steps_to_reach", "steps to 1e-5 of the distance at the start", better="less")
STATIONARITY_RELATIVE = Column(
    "stationarity_relative", "shortest combination of the gradients over the longest, at the end"
)
STATIONARITY_OF_START = Column(
    "stationarity_of_start", "shortest convex combination at the end over the longest gradient at the start"
)
DRIFT = Column("drift", "share of the path made in the last tenth of the steps")
PATH_LENGTH = Column("path_length", "length of the path", heading="path")
WORST_MARGIN = Column(
    "worst_margin",
    "smallest gᵢᵀA(J) / (‖gᵢ‖ max ‖gⱼ‖) of all updates; negative beyond rounding is a conflict",
    better="more",
)
WEIGHTS = Column("weights", "largest Σ |wᵢ| ‖gᵢ‖ / max ‖gⱼ‖", heading="largest weights")
DECADES_MEDIAN = Column(
    "decades_median",
    "log₁₀ of the longest over the shortest non-zero gradient: median over the steps",
    unit="decades",
    heading="decades",
)
DECADES_LARGEST = Column(
    "decades_largest", "largest of these in any step of any run", unit="decades", heading="largest"
)
WEIGHTS_MEDIAN = Column("weights_median", "norm of the weights: median over the steps", heading="‖w‖")
WEIGHTS_LARGEST = Column("weights_largest", "largest of these in any step of any run", heading="largest ‖w‖")
MEAN_COSINE = Column("mean_cosine", "to the mean gradient: mean over the steps", heading="cosine")
RISES = Column("rises", "share of steps that raise an objective; of trainings, of intervals", better="less")
LARGEST_RISE = Column("largest_rise", "the largest of these, relative to the value at the start", better="less")
SMOOTHNESS = Column("smoothness", "mean cosine of consecutive steps: 1 on a line, -1 to and fro")
WORST_LOSS = Column("worst_loss", "largest loss of an example or task at the end", unit="loss", better="less")
BEST_LOSS = Column("best_loss", "smallest loss of an example or task at the end", unit="loss", better="less")
DELTA_M = Column(
    "delta_m",
    "mean relative change against models of their own",
    unit="per cent",
    better="less",
    heading="Δm %",
)
INDICATOR = Column("indicator", "an indicator of the run, NaN where it has none")
HELD_OUT = "held_out: "
"""Before the name of a measure on data held out from training, in columns of runs."""

# Metrics, computed from records.
SCORE = Column(
    "score",
    "mean over the run of the criterion, distance to the front or average loss over the training set, as a "
    "share of its value at the start",
    better="less",
)

# Runs at the selected rate.
RATES_TRIED = Column("rates_tried", "learning rates that were tried")
RATES_LOST = Column("rates_lost", "of these, those at which the run diverged or failed", better="less")
AT_EDGE = Column("at_edge", "whether the rate is the smallest or largest that was tried")

# Counts.
RUNS = Column("runs", "number of runs")
SEEDS = Column("seeds", "number of seeds")
FINISHED = Column("finished", "runs that finished", better="more")
DIVERGED = Column("diverged", "runs that diverged", better="less")
FAILED = Column("failed", "runs that raised an error", better="less")
PROBLEMS = Column("problems", "number of problems that count")
AT_TARGET = Column("at_target", "starts that are optimal already")
STARTS = Column("starts", "number of starts")
LOST = Column("lost", "seeds in which no rate finished", better="less")

# Ranks.
RANK = Column("rank", "rank by score among all aggregators, 1 is best", better="less")
MEAN_RANK = Column("mean_rank", "mean over problems of the mean rank over seeds, 1 is best", better="less")
RANK_OF_PROBLEM = Column("rank", "mean over the seeds, 1 is best", better="less")
LEADS = Column("leads", "whether no other has a smaller mean rank")
POSITION = Column("position", "by mean rank, 2= where it is shared")
LOW = Column(
    "low",
    "lower end of the central 95 % of the mean ranks of 4,000 resamples of problems and their seeds",
    better="less",
    heading="95 % interval",
)
HIGH = Column("high", "upper end of this interval", better="less")
GROUP = Column("group", "aggregators that share a letter cannot be told apart (Friedman, Nemenyi, 5 %)")
NORM_OF_PROBLEMS = Column(
    "weights_median",
    "norm of the weights of the aggregation: median over the steps, then over the selected runs of a problem "
    f"that finished and over the problems; {NO_WEIGHTS}",
    heading="‖w‖",
)
LARGEST_NORM = Column(
    "weights_largest",
    f"the largest of these in any step of any selected run; {NO_WEIGHTS}",
    heading="largest ‖w‖",
)
UNRUN = Column("missing", "problems on which it has no selected run")

# Results on a problem.
SCORE_SEM = Column("score_sem", "standard error of the score over the seeds")
FINAL_SEM = Column("final_sem", "standard error of the final criterion over the seeds", unit=CRITERION)
MEDIAN_RATE = Column("rate", "median of the selected learning rates")
SEEDS_LOST = Column("seeds_lost", "seeds in which no rate finished", better="less", heading="lost")
SEEDS_AT_EDGE = Column("at_edge", "seeds whose best rate is an end of those tried: a better one may lie beyond")
CONFLICTING = Column("conflicting", "whether the worst margin is negative beyond rounding")
NORM = Column(
    "weights_median",
    "norm of the weights of the aggregation: median over the steps, then over the selected runs that finished; "
    f"{NO_WEIGHTS}",
    heading="‖w‖",
)
LEADER = Column(
    "leader",
    "smallest mean score, equal to six digits counting as tied; nobody where all starts are optimal",
    heading="leads",
)
LEADING_SCORE = Column("score", "its mean over the run as a share of the value at the start", better="less")
AGGREGATORS = Column("aggregators", "aggregators with results on the problem")
IS_RANKED = Column("ranked", "whether some start is not optimal already")
SEEDS_LOST_BY_ANY = Column("seeds_lost", "seeds and aggregators for which no rate finished", heading="lost")
MEASURE = Column("measure", "a measure on held-out data, an indicator of the end of training, or the mean rank")
LARGER_IS_BETTER = Column("larger_is_better", "whether more of it is better")
MEAN = Column("mean", "mean over the runs that finished")
SEM = Column("sem", "standard error of this mean")
TASK_RANK = Column(
    "mean_rank",
    "mean rank: average over the held-out measures (the tasks) of the aggregator's rank among all aggregators, "
    "taken in each seed, 1 for the best and last if the run did not finish",
    better="less",
    heading="MR",
)

# Where runs stopped.
OPTIMAL = Column("optimal", "runs that ended within 1e-3 of their distance at the start", better="more")
ONLY_STATIONARY = Column(
    "only_stationary",
    "others whose gradients combine to less than 1e-5 of the longest",
    better="less",
)
NEITHER = Column("neither", "others that finished", better="less")
STOPS_LOST = Column("lost", "diverged or failed", better="less")
REACHED = Column(
    "reached",
    "runs whose distance fell to 1e-5 of that at the start, and median of the steps",
    better="more",
    heading="reached 1e-5",
)
STEPS_THERE = Column("steps", "median step at which they did, infinite if half did not", better="less")
FINAL_SHARE = Column(
    "final",
    "distance at the end as a share of that at the start, median and largest",
    better="less",
    heading="final / start",
)
FINAL_WORST = Column("final_worst", "the largest of these", better="less")
STATIONARITY = Column("stationarity", "shortest convex combination over the longest, at the end, median")
MEDIAN_DRIFT = Column("drift", "share of the path made in the last tenth of the steps, median: near 0 at rest")
CONFLICTS = Column("conflicts", "runs whose worst margin is negative beyond rounding", better="less")

# Sets of end points.
ENDS = Column("ends", "selected runs that finished", better="more", heading="end points")
HYPERVOLUME = Column("hypervolume", "volume that the set dominates", unit="1.1ᵐ of the unit box", better="more")
HYPERVOLUME_FRONT = Column("hypervolume_front", "the same of the exact front", unit="1.1ᵐ of the unit box")
HYPERVOLUME_SHARE = Column("share", "share of the front's own", better="more", heading="hypervolume")
IGD_PLUS = Column("igd_plus", "mean gap between front and what it dominates", better="less", heading="IGD+")
EPSILON = Column("epsilon", "least shift with which it dominates the front", better="less", heading="ε")
SPREAD = Column("spread", "width of the set over that of the front, mean over objectives")

# Points that figures draw.
COORDINATE = Column("coordinate", "x1 to xn, f1 to fm")
VALUE = Column("value", "of this coordinate")
POINT = Column("point", "number of the point, a curve's in order along it")
STEP = Column("step", "number of the step")
X1, X2 = (Column(name, "this parameter there, NaN unless n = 2") for name in ("x1", "x2"))
F1, F2 = (Column(name, "this objective there") for name in ("f1", "f2"))
CURVE = Column("curve", "what the curve shows")
MIDDLE = Column("middle", "mean or median over seeds")
LOWER = Column("low", "one standard error below the mean, or the smallest")
UPPER = Column("high", "one standard error above the mean, or the largest")
SPACE = Column("space", "x, parameters, or f, objectives")
LEFT, RIGHT, BOTTOM, TOP = (
    Column(name, f"the {name} limit of what is drawn") for name in ("left", "right", "bottom", "top")
)
LAST_STEP = Column("last_step", "the last step of any path")

# Performance profiles.
TAU = Column("tau", "factor τ of the least cost")
SHARE = Column("share", "weight of the instances solved within it", better="more")
PROFILE_AREA = Column(
    "area", "area under the profile, 1 for the fastest everywhere", better="more", heading="profile"
)
FASTEST = Column("fastest", "weight of the instances on which it is fastest", better="more")
SOLVED = Column("solved", "weight of the instances that it solved", better="more")
INSTANCES = Column("instances", "number of instances, problems with a seed")
INSTANCES_LOST = Column("lost", "instances that it did not solve", better="less")

# Rank tests.
BLOCKS = Column("blocks", "blocks of the test", heading="problems")
FRIEDMAN = Column("friedman", "Friedman's statistic", heading="χ²")
P_FRIEDMAN = Column("p_friedman", "chance of as much or more if all aggregators were alike", heading="p")
OTHER = Column("other", "spec of the aggregator that it is compared with")
DIFFERENCE = Column("difference", "of their mean ranks")
P_NEMENYI = Column("p_nemenyi", "by Nemenyi's test", heading="p Nemenyi")
P_CONOVER = Column("p_conover", "by Conover's, with Holm's correction", heading="p Conover")
APART = Column("apart", "whether Friedman's and Nemenyi's tests tell them apart at 5 %")
PAIRS = Column("pairs", "pairs of aggregators")
PAIRS_APART = Column("pairs_apart", "pairs that Nemenyi's and Friedman's tests tell apart at 5 %")
BETTER = Column("better", "the one with the smaller mean rank")
WORSE = Column("worse", "the other one")

# Choices.
SITUATION = Column("situation", "what somebody has, or wants")
RULE = Column("rule", "which problems and aggregators are compared, by what")
SITUATION_RANK = Column("mean_rank", "over the problems, 1 is best", better="less")
BEHIND = Column(
    "behind",
    "difference of mean ranks, and central 95 % of its resamples",
    better="less",
    heading="behind the best",
)
BEHIND_LOW = Column("low", "lower end of these", better="less")
BEHIND_HIGH = Column("high", "upper end of these", better="less")
CLOSE = Column("close", "not distinguishable where that interval reaches down to 0", heading="verdict")
APART_FROM_BEST = Column("apart", "whether the rank tests tell it from the best", heading="rank tests")
OTHERS = Column("others", "aggregators that are behind")
TOLD_APART = Column("told_apart", "aggregators that the rank tests tell from the best")

# Traits of problems.
KIND = Column("kind", "analytic or training")
M = Column("m", "number of objectives")
N = Column("n", "number of parameters")
BETA = Column("beta", "β of [JD] eq. 17")
CONVEX = Column("convex", "whether every objective is")
ATTAINED = Column("attained", "whether there is a Pareto set")
CONFLICT = Column("conflict", "share of points, or of seeds, at which gradients oppose each other")
DECADES = Column("decades", "log₁₀ of the largest over the smallest gradient norm, median of the runs")
TRAITS = Column("traits", "conflicting, norms spread, not convex and so on")

# Exact against trace-regularised UPGrad.
EXACT_WINS = Column("exact_wins", "won by the exact one, by the regularised one, tied", heading="seeds")
REGULARISED_WINS = Column("regularised_wins", "seeds won by the regularised one")
TIES = Column("ties", "seeds in which neither won")
VERDICT = Column(
    "better",
    "the winner of more seeds by score, where p is below 0.05 and the median scores differ by at least 1 %; "
    "with fewer than 6 seeds p cannot be that small",
)
P_VALUE = Column("p_value", "of the two-sided sign test on the seeds that are not tied", heading="p")
GAP = Column("gap", "by how much the smaller median score is below the larger", heading="gap %")
RATIO = Column("ratio", "score of the exact one over that of the regularised one")
FEWEST_SEEDS, MOST_SEEDS = Column("fewest_seeds", "on any of these problems"), Column("most_seeds", "on any")
LEAST_DECADES, MOST_DECADES = Column("least_decades", "on any of these"), Column("most_decades", "on any")

# Verdicts on properties.
PROPERTY = Column("property", "a property of an aggregator")
OUTCOME = Column("outcome", "survived, refuted or broken: the worst of its dtypes")


def of_variant(column: Column, variant: str) -> Column:
    """Return the column of the median over the selected runs of one of the two variants of UPGrad.

    Example:
        >>> from jdbench.analysis.schema import WEIGHTS_MEDIAN, of_variant
        >>> of_variant(WEIGHTS_MEDIAN, "exact").heading
        '‖w‖ exact'
    """
    heading = f"{column.heading} {variant}"
    return Column(
        f"{column}_{variant}", f"{column.meaning}; median of the runs", better=column.better, heading=heading
    )
