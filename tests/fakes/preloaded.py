"""What the server that child processes are forked from has imported (tests.fakes.child_processes)."""

import warnings

import hypothesis  # noqa: F401
import lancedb  # noqa: F401
import pytest  # noqa: F401
import torch  # noqa: F401

import core.app  # noqa: F401

# LanceDB starts its threads anew in each child, and warns lest they were at work when it was forked; they never are.
warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)
