"""Freed memory that stays with the process while a model runs.

The activations of a batch are tens of megabytes, freed after each layer. glibc gives such blocks back to the kernel at once, which clears
every page again when the next layer asks: for small convolutional models that takes longer than the layer itself. Told through `mallopt`,
since environment variables are read before a program's first line.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# The names and numbers of malloc.h
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -3, -4, -8
# What glibc comes to by itself where blocks are large; it stops adjusting once a threshold was set.
LARGEST_BLOCK, SPARE = 32 << 20, 64 << 20


def share() -> None:
    """Lets all threads that are started from now on allocate in one place. Those that had a place of their own before keep it, and a
    later thread may inherit it, so that this is best said first of all; large blocks never stay in such places."""
    if (glibc := _glibc()) is not None:
        glibc.mallopt(ARENA_MAX, 1)


@contextmanager
def kept() -> Iterator[None]:
    """While it is open freed memory is used again; then it is given back. Nothing happens where the C library is not glibc."""
    glibc = _glibc()
    if glibc is None:
        yield
        return
    share()
    glibc.mallopt(MMAP_MAX, 0)
    glibc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        for name, value in ((MMAP_MAX, 65536), (MMAP_THRESHOLD, LARGEST_BLOCK), (TRIM_THRESHOLD, SPARE)):
            glibc.mallopt(name, value)
        glibc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 (asks whether it is there)
    except (OSError, TypeError, AttributeError):  # TypeError: Windows
        return None
    return library
