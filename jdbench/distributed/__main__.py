"""`python -m jdbench.distributed`: a training over processes, compared with the same in one."""

import time
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from jdbench.aggregator import resolve
from jdbench.descent.loop import descend
from jdbench.descent.optimizers import make_optimizer
from jdbench.distributed.training import Trained, train_distributed
from jdbench.problem import Evaluation, TrainingProblem, resolve_problem, seeded
from jdbench.shapes import Vector


def train(
    problem: Annotated[str, typer.Option("--problem", "-p", help="One with data shares.")] = "Shares-digits",
    aggregator: Annotated[str, typer.Option("--aggregator", "-a", help="Any aggregator.")] = "UPGrad",
    ranks: Annotated[int, typer.Option(help="Processes.")] = 4,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 0.3,
    steps: Annotated[int, typer.Option(help="Steps.")] = 32,
    seed: Annotated[int, typer.Option(help="Number of the run.")] = 1,
    optimizer: Annotated[str, typer.Option(help="The step, as for `jdbench run`.")] = "descent",
    patience: Annotated[float, typer.Option(help="Seconds that a rank may keep the others waiting.")] = 60.0,
) -> None:
    """Train with a process for each rank, then in this one; exit 1 if they end at different parameters."""
    begun = time.perf_counter()
    trained = train_distributed(
        problem,
        aggregator,
        ranks=ranks,
        rate=rate,
        steps=steps,
        seed=seed,
        optimizer=optimizer,
        patience=patience,
    )
    middle = time.perf_counter()
    x = train_in_one_process(problem, aggregator, rate=rate, steps=steps, seed=seed, optimizer=optimizer)
    seconds = middle - begun, time.perf_counter() - middle
    same = torch.equal(trained.x, x)
    Console().print(
        _table(problem, seed, trained), f"{ranks} processes {seconds[0]:.1f} s, one {seconds[1]:.1f} s"
    )
    Console().print(f"the same parameters, bit for bit: {'yes' if same else 'no'}")
    raise typer.Exit(0 if same else 1)


def train_in_one_process(
    problem: str, aggregator: str, *, rate: float, steps: int, seed: int, optimizer: str
) -> Vector:
    """Return the parameters ``[n]`` after the same training in this process, with one thread."""
    resolved = resolve_problem(problem)
    assert isinstance(resolved, TrainingProblem)
    training = resolved.training(seed)
    x = training.parameters.unsqueeze(0)

    def source(x: torch.Tensor, members: torch.Tensor, step: int) -> Evaluation:  # noqa: ARG001
        return training.evaluate(x, step)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        mover = make_optimizer(optimizer, x, torch.tensor([rate], dtype=torch.float64))
        chosen = resolve(aggregator).aggregator
        return descend(x, source, chosen, mover, steps, generators=[seeded(seed)]).x[0]
    finally:
        torch.set_num_threads(threads)


def _table(problem: str, seed: int, trained: Trained) -> Table:
    resolved = resolve_problem(problem)
    assert isinstance(resolved, TrainingProblem)
    training = resolved.training(seed)
    ends = torch.stack([training.losses(x.unsqueeze(0))[0] for x in (training.parameters, trained.x)], -1)
    table = Table("share", "loss at the start", "at the end", box=None, pad_edge=False)
    for share, (start, end) in enumerate(ends.tolist()):
        table.add_row(str(share), f"{start:.4f}", f"{end:.4f}")
    for measure, value in zip(resolved.measures, training.held_out(trained.x.unsqueeze(0))[0], strict=True):
        table.add_row(measure.name, "", f"{float(value):.4f}")
    return table


def main() -> None:
    """Run the command line; errors become one line and exit code 2."""
    import sys

    from jdbench.errors import JDBenchError

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(train)
    try:
        app()
    except JDBenchError as error:
        print(f"jdbench: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
