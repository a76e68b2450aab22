"""Numerical libraries on one thread, where more lose.

Solvers of eigenvalues and k-means synchronise their threads thousands of times, and OpenBLAS's and OpenMP's threads spin
meanwhile. On a machine of two cores on which other processes worked too, the eigenvalues behind a Frechet distance of
2,048 features took 15 and 27 s on two threads and 7 and 8 s on one; clustering 10,000 such rows 106 s and 9 s. Matrix products
gain from threads either way.
"""

from threadpoolctl import threadpool_limits


def one_thread() -> threadpool_limits:
    """A context in which BLAS and OpenMP, for the whole process, use one thread; JAX has its own."""
    return threadpool_limits(1)
