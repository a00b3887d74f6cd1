"""`python -m jdbench`, short because it is the command line of `jdbench.cli.main` and nothing else."""

from jdbench.cli.main import main

main()
