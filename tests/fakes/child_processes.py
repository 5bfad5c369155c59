"""Child processes that begin with torch and LanceDB loaded, which takes a new interpreter two seconds.

They are forked from a server that has only imported; it starts at the first use, once per process that runs tests.
"""

from __future__ import annotations

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.fakes.preloaded"])
