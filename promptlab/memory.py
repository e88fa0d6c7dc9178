"""Freed memory that stays with the process.

What a layer of a model makes is tens of megabytes, freed when the next is done. glibc gives such blocks back to the kernel at once, which
clears every page again when the next layer asks: in small convolutional models that takes longer than the layers themselves. Told through
`mallopt`, since environment variables are read before a program's first line. Nothing happens where the C library is not glibc.
"""

import ctypes

# The names and numbers of malloc.h
TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
MOST = 2**31 - 1


def keep() -> None:
    """From now on freed memory is used again by this process, and not given back before it ends. Threads that are started later allocate in
    one place, where large blocks can stay; those that had a place of their own keep it, so that this is best said first of all."""
    _tell(ARENA_MAX, 1)
    _tell(MMAP_MAX, 0)
    _tell(TRIM_THRESHOLD, MOST)


def _tell(name: int, value: int) -> None:
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 (asks whether it is glibc)
    except (OSError, TypeError, AttributeError):  # TypeError: Windows
        return
    library.mallopt(name, value)
