"""What follows from the runs of a store: the table of runs, rankings, tests, profiles, choices."""
