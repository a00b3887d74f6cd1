"""The command line: parse, call one library function, print, return a code (0 fine, 1 no, 2 bad input)."""

import shlex
import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import TyperException

from jdbench.cli.data import data
from jdbench.cli.results import cores, default_store, findings, report
from jdbench.errors import InputError, JDBenchError
from jdbench.verification import EXAMPLES

app = typer.Typer(
    name="jdbench",
    help="The benchmark and the proof-checker of Jacobian descent.\n\n"
    "Start with `jdbench run`, then `jdbench report`; open results/quick/index.html.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # markup takes [default: …] for a style and drops it
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data, name="data")


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 + SIGINT."""


class Listable(StrEnum):
    """What `jdbench list` can show."""

    PROBLEMS = "problems"
    AGGREGATORS = "aggregators"
    SOLVERS = "solvers"
    PRESETS = "presets"
    DATASETS = "datasets"


@app.command("list")
def list_(
    what: Annotated[
        Listable | None, typer.Argument(help="Only this kind of thing.", show_default=False)
    ] = None,
) -> None:
    """List the problems, aggregators, solvers, presets and data sets that there are."""
    from jdbench.cli.listing import listing

    console = Console()
    for kind in [what] if what else list(Listable):
        console.print(listing(str(kind)))


@app.command()
def run(
    problem: Annotated[
        list[str] | None,
        typer.Option(
            "--problem", "-p", help="A problem: a listed name or module:Name. Repeatable. [default: all]"
        ),
    ] = None,
    aggregator: Annotated[
        list[str] | None,
        typer.Option(
            "--aggregator",
            "-a",
            help='An aggregator: UPGrad, "CAGrad(c=0.4)", package.module:Name. Repeatable. '
            "[default: the leaderboard's]",
        ),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(help="Rates, seeds and budgets: quick (minutes), full, paper ([JD] Appendix D)."),
    ] = "quick",
    seeds: Annotated[
        int | None, typer.Option(help="Runs of each rate, seeds 1, 2, … [default: the preset's]")
    ] = None,
    optimizer: Annotated[
        str,
        typer.Option(
            help='The step: descent, one of torch.optim such as Adam or "SGD(momentum=0.9)", or one whose '
            "gradient and momentum an aggregator combines: HeavyBall, Nesterov, and with an aggregator Adam, "
            "AdamW, NAdam, such as \"Adam(aggregator='UPGrad')\"."
        ),
    ] = "descent",
    store: Annotated[
        Path | None, typer.Option(help="File of records (SQLite). [default: results/PRESET.sqlite]")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes at a time. [default: the cores]")] = None,
) -> None:
    """Run aggregators on problems; each finished run is stored at once and never repeated.

    Stop it any time (Ctrl-C, or worse) and start it again: it goes on where it was.
    """
    from jdbench.runs.campaign import run_campaign

    failures = run_campaign(
        problems=problem or None,
        aggregators=aggregator or None,
        preset_name=preset,
        seeds=seeds,
        optimizer=optimizer,
        path=store or default_store(preset),
        workers=cores() if workers is None else workers,
        console=Console(stderr=True),
    )
    raise typer.Exit(1 if failures else 0)


@app.command("check-problem")
def check_problem_(
    problems: Annotated[
        list[str], typer.Argument(metavar="SPEC…", help="Analytic problems: ZDT1, package.module:Name, …")
    ],
    samples: Annotated[int, typer.Option(help="Points that each check looks at.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the points.")] = 0,
) -> None:
    """Check by samples that problems are what they say they are: one line a finding, exit 1 if there is one.

    The last line of each problem says what was checked, and which checks do not apply to it.
    """
    from jdbench.problem_checks import check_specs

    examined = check_specs(problems, samples=samples, seed=seed)
    for spec, examination in examined:
        for line in (*examination.findings, examination):
            typer.echo(f"{spec}: {line}")
    raise typer.Exit(1 if any(examination.findings for _, examination in examined) else 0)


app.command()(report)
app.command()(findings)


@app.command()
def verify(
    aggregators: Annotated[
        list[str], typer.Argument(metavar="SPEC…", help="Aggregators: UPGrad, package.module:Name, …")
    ],
    claims: Annotated[
        str,
        typer.Option(
            help="Properties to search for violations of, separated by commas, or all; hygiene is added."
        ),
    ] = "non-conflicting,linear-under-scaling,weighted",
    examples: Annotated[int, typer.Option(help="Matrices tried for each property and dtype.")] = EXAMPLES,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    limit: Annotated[float, typer.Option(help="Seconds that one call may take.")] = 10.0,
    json: Annotated[Path | None, typer.Option(help="File for the verdicts.")] = None,
    replays: Annotated[
        Path | None, typer.Option(help="Folder for a script that replays each refutation.")
    ] = None,
    expected_failures: Annotated[
        Path | None, typer.Option(help="TOML file of failures that have a reason and do not count.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a page of the verdicts (index.html, no network needed) with verdicts.json and "
            "violation curves: worst margins against decades of row norms, condition, rank and the steps of a "
            "real training."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes at a time. [default: the cores]")] = None,
) -> None:
    """Search for violations of what aggregators claim; exit 1 if one is found that is not expected.

    A property that survives is not proved. Each refutation comes with a shrunk matrix, checked again in
    rational arithmetic; `jdbench replay` shows it again from the file of --json.
    """
    from jdbench.verification.expected_failures import read_expected_failures
    from jdbench.verification.session import verify_aggregators, write_session
    from jdbench.verification.show import progress_bar, show_session

    if report is not None:
        import_module("jdbench.report")  # a missing extra is to be said before minutes of search
    errors = Console(stderr=True)
    with progress_bar(errors) as progress:
        session = verify_aggregators(
            aggregators,
            claims=claims,
            examples=examples,
            seed=seed,
            limit=limit,
            curves=report is not None,
            expected=() if expected_failures is None else read_expected_failures(expected_failures),
            workers=cores() if workers is None else workers,
            command=shlex.join(["jdbench", *sys.argv[1:]]),
            progress=progress,
        )
    show_session(session, Console(), errors)
    write_session(session, json, replays, report)
    if report is not None:
        from jdbench.report.verdicts.page import write_verdict_page

        errors.print(f"wrote {write_verdict_page(report)}", soft_wrap=True, markup=False)
    raise typer.Exit(1 if session.failures else 0)


@app.command()
def replay(
    verdicts: Annotated[
        Path, typer.Argument(metavar="VERDICTS.json", help="File of `jdbench verify --json` or --report.")
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="aggregator/property/dtype of a failed verdict, or a part that no other has. [default: all]",
            show_default=False,
        ),
    ] = None,
    script: Annotated[
        Path | None, typer.Option(help="Write a script that shows it alone, instead of showing it.")
    ] = None,
) -> None:
    """Call aggregators with the matrices that refuted them; exit 0 if the violations are there again, 1 if not.

    The aggregators must be importable as they were for `jdbench verify`.
    """
    from jdbench.verification.replay import find_verdicts, replay_all
    from jdbench.verification.script import write_script
    from jdbench.verification.show import progress_bar, show_replay, show_replays
    from jdbench.verification.verdict_files import read_verdict_file

    found = find_verdicts(read_verdict_file(verdicts), name)
    if script is not None:
        write_script(found, script)
        typer.echo(f"wrote {script}")
        return
    with progress_bar(Console(stderr=True)) as progress:
        replays, missing = replay_all(found, progress)
    if name is None:
        show_replays(replays, Console())
    elif replays:
        show_replay(replays[0], Console())
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(f"{missing[0]}{more}")
    raise typer.Exit(0 if all(one.reproduced for one in replays) else 1)


def main() -> None:
    """Run the command line; errors become one line on standard error and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except (JDBenchError, TyperException) as error:
        message = error.format_message() if isinstance(error, TyperException) else str(error)
        if message:  # empty where the help was printed instead
            print(f"jdbench: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED  # typer itself returns it for most of Ctrl-C
    except SystemExit as error:
        # Not ours: somebody's code called exit(), maybe with 0, and nothing was judged.
        print(f"jdbench: exit({error.code}) was called by what was run, nothing was judged", file=sys.stderr)
        sys.exit(2)
    if code == INTERRUPTED:
        print("jdbench: interrupted", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
