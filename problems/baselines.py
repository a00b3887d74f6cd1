"""Train the single-task baselines and store them: ``python -m jdbench.problems.baselines [FILE]``."""

import json
import sys
from pathlib import Path

import torch

from jdbench.problems.baseline_images import facts
from jdbench.problems.competing_tasks import CompetingTasks
from jdbench.problems.images import GREY, available_grey_images
from jdbench.problems.overlaid_digits import MultiDigits
from jdbench.problems.regressions import DiabetesPanel, Linnerud
from jdbench.problems.single_task import (
    COMMAND,
    EPOCHS,
    RATES,
    SEEDS,
    Content,
    TaskProblem,
    stored,
    train_alone,
)


def problems() -> list[TaskProblem]:
    """Return the problems that have baselines: the dials are those of the variants and of the default."""
    dials = [1.0, 0.5, 0.0, -0.5, -0.9]
    return [
        Linnerud(),
        DiabetesPanel(),
        *(CompetingTasks(cosine=dial) for dial in dials),
        *(MultiDigits(images=name) for name in GREY),
    ]


def measure() -> dict[str, dict[str, float]]:
    """Return the baselines of all problems; those of images that are not here stay as they were stored."""
    found: dict[str, dict[str, float]] = {}
    for problem in problems():
        absent = isinstance(problem, MultiDigits) and problem.images not in available_grey_images()
        if absent and problem.key in stored():
            found[problem.key] = stored()[problem.key]
        if not absent:
            found[problem.key] = {
                measure.name: train_alone(problem, task) for task, measure in enumerate(problem.measures)
            }
        print(problem.key, "images not found, kept as stored" if absent else found[problem.key], flush=True)
    return found


def main() -> None:
    """Write the file that the first argument names, by default the one beside this module."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("baselines.json")
    content: Content = {
        "command": COMMAND,
        "torch": torch.__version__,
        "rates": list(RATES),
        "seeds": SEEDS,
        "epochs": EPOCHS,
        "images": facts(GREY),
        "baselines": measure(),
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
