"""A PostgreSQL whose disk takes longer to flush: the system's C compiler makes a library that adds the time."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.db.migrate import upgrade
from local.postgres import own_postgres

PRELOAD = "LD_PRELOAD"
SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

static int then_wait(int (*flush)(int), int file)
{
    int result = flush(file);
    usleep(DELAY_MICROSECONDS);
    return result;
}

int fdatasync(int file) { return then_wait((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"), file); }
int fsync(int file) { return then_wait((int (*)(int)) dlsym(RTLD_NEXT, "fsync"), file); }
"""


class NoCompilerError(Exception):
    """There is no C compiler here, so that no disk can be slowed down."""


@contextmanager
def slow_postgres(*, microseconds: int) -> Iterator[str]:
    """A migrated database in a server of its own, each of whose flushes takes so much longer.

    Raises:
        NoCompilerError: The machine has no ``cc``.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompilerError("a slower disk needs a C compiler (`cc`), and this machine has none")
    with tempfile.TemporaryDirectory(prefix="quotebridge-slow-") as folder:
        library = Path(folder, "slow.so")
        command = [compiler, "-shared", "-fPIC", f"-DDELAY_MICROSECONDS={microseconds}", "-x", "c", "-", "-ldl"]
        subprocess.run([*command, "-o", str(library)], input=SOURCE, text=True, check=True)
        Path(folder).chmod(0o755)  # the server may run under another account
        with ExitStack() as stack:
            with _preloaded(library):
                dsn = stack.enter_context(own_postgres())
            upgrade(dsn)
            yield dsn


@contextmanager
def _preloaded(library: Path) -> Iterator[None]:
    """Processes that start meanwhile load the library first."""
    before = os.environ.get(PRELOAD)
    os.environ[PRELOAD] = str(library)
    try:
        yield
    finally:
        os.environ.pop(PRELOAD)
        if before is not None:
            os.environ[PRELOAD] = before
