"""How the times are sampled, the same for every benchmark: enough for a verdict, short enough to be run."""

ROUNDS = 2
"""Processes, one after the other: what differs from process to process shows in the interval."""

REPEAT = (4, 8, 0.2)
"""Samples a round: at least four and at most eight, no more than four once 0.2 s are over.

Eight a commit, and as many on the other side, can be told apart at asv's level (six could not).
"""

WARMUP_TIME = 0.05
"""Seconds of calls before the first sample; what is compiled is compiled in ``setup`` before that."""

TIMEOUT = 120
"""Seconds for one combination of parameters, set-up included."""
