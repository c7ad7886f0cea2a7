from contextlib import contextmanager


def check_precision(p, d): ...
def resolved_precision(p, d):
    return p or "float32"


@contextmanager
def computing_in(p, d):
    yield
