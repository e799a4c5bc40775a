"""One thread for small linear algebra.

The matrices of a fit are some hundred columns wide. On them the threads of a BLAS mostly wait for each other: a walk on
two threads was measured to take three times the CPU and half as long again. The sums also differ in the last digit with
the number of threads, so that one thread is also what makes two machines agree.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # Looks up the libraries loaded; numpy's and scipy's are by the time this is called.
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """Return a context in which BLAS computes on one thread; what was set before comes back after it."""
    return _controller().limit(limits=1, user_api="blas")
