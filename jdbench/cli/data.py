"""The commands of `jdbench data`: what data sets there are, and their preparation."""

from typing import Annotated

import typer

data = typer.Typer(help="The data sets of [JD] Section 5.", no_args_is_help=True)


@data.command("list")
def list_() -> None:
    """List the data sets, where they are, and under what terms."""
    from rich.console import Console

    from jdbench.cli.listing import listing

    Console().print(listing("datasets"))


@data.command()
def prepare(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Data sets by name, or all.")],
) -> None:
    """Download data sets from where they are published, check them, and keep them in the cache.

    What the folder named by JDBENCH_DATA has is used instead. JDBENCH_CACHE moves the cache. Interrupt it any
    time and start it again.
    """
    from jdbench.data import DATASETS, DIGITS, data_set, dataset, locate
    from jdbench.data import prepare as prepare_one

    wanted = list(DATASETS) if names == ["all"] else [name for name in names if name != DIGITS]
    for known in [data_set(name) for name in dict.fromkeys(wanted)]:
        there = locate(known.name)
        if there is not None:
            found = len(dataset(known.name).labels)
            typer.echo(
                f"{there}: is used, {found} of {known.count} images of {known.title}; nothing to download"
            )
            continue
        path = prepare_one(known, progress=True)
        typer.echo(f"{path}: {known.title}, {known.source}; use: {known.licence}")
    if DIGITS in names:
        typer.echo(f"{DIGITS}: comes with scikit-learn")
