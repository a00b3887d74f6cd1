"""Memory that the process has freed and keeps: the heap of the GNU C library.

Per-instance gradients and activations take megabytes, are freed in every step and asked for in the next. By
default such blocks go back to the operating system, which hands them out again page by page, zeroed: a fifth of
a step on a CPU. How much the library keeps follows the largest block, of at most 32 MiB, that was ever freed.
"""

import torch

KEPT = 31 * 2**20
"""Bytes of a block that is freed once, so that smaller ones stay, 62 MiB of them together at most."""


def keep_freed_memory() -> None:
    """Let the process keep blocks of up to 31 MiB that it frees. Its peak is what it was.

    Nothing happens where the C library is another, or the environment variable MALLOC_TRIM_THRESHOLD_ is set.
    """
    torch.empty(KEPT, dtype=torch.uint8)  # freed at once; pages that nobody writes to are never fetched
