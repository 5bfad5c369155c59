"""What is wrong with a file that should hold a model's weights, in plain words and without running anything in it."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from pathlib import Path

HEAD_BYTES = 4096
LENGTH_BYTES = 8  # a safetensors file begins with the length of its header
MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit
NUMPY_SUFFIXES = (".npz", ".npy")  # SigLIP's own, which NumPy reads without pickles
NOT_ONE = "is no checkpoint"
_BLAMES_FILE = re.compile(r"weights_only|unexpected EOF|corrupt|while deserializing")
_TORCH_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
# What the older format begins with, in whatever protocol of pickle.
_TORCH_MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19."


def fault_before_loading(path: Path) -> str | None:
    """Why a file cannot be a checkpoint, as the rest of a sentence about it; None if it looks like one."""
    if path.suffix in NUMPY_SUFFIXES:
        return None
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        return "is empty"
    if _is_text(head):
        return _text_fault(head.lstrip().lower())
    if head.startswith(bytes(64)):
        return f"{NOT_ONE}: it begins with zeros"
    if path.suffix == ".safetensors":
        return _safetensors_fault(path, head)
    return _torch_fault(path, head)


def fault_after_loading(error: Exception) -> str:
    """Why loading a file failed, as the rest of a sentence about it.

    Nothing that PyTorch advises is passed on: it suggests to run the code of a file that may be hostile.
    """
    text = str(error)
    if found := _TORCH_GLOBAL.search(text):
        return f"needs code to be run before it can be read ({found[1]}), which is refused: code could do anything"
    if text.startswith("Error(s) in loading state_dict"):
        return "holds the weights of another model than its configuration describes"
    if isinstance(error, pickle.UnpicklingError | EOFError) or _BLAMES_FILE.search(text):
        return "is damaged, or no checkpoint"
    first = text.strip().splitlines()[0][:200] if text.strip() else ""
    return f"does not go with its configuration, or is damaged ({type(error).__name__}: {first})"


def _text_fault(begin: bytes) -> str:
    if begin.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file that it stands for"
    return f"{NOT_ONE}: it holds {'a web page' if begin.startswith(b'<') else 'a text'}"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", "strict" if len(head) < HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)


def _safetensors_fault(path: Path, head: bytes) -> str | None:
    if zipfile.is_zipfile(path) or head.startswith(b"\x80"):
        return "is in the format of PyTorch, which belongs in a file that ends in .bin or .pt"
    size, length = path.stat().st_size, int.from_bytes(head[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES or not head[LENGTH_BYTES:].startswith(b"{"):
        return f"{NOT_ONE} in the safetensors format, or is damaged"
    with path.open("rb") as file:
        file.seek(LENGTH_BYTES)
        header = file.read(length)
    if len(header) < length:
        return f"is truncated after {size} bytes"
    try:
        tensors = json.loads(header)
        needed = LENGTH_BYTES + length + max(t["data_offsets"][1] for k, t in tensors.items() if k != "__metadata__")
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        return f"{NOT_ONE} in the safetensors format, or is damaged"
    return f"is truncated: it has {size} of {needed} bytes" if size < needed else None


def _torch_fault(path: Path, head: bytes) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        if not zipfile.is_zipfile(path):
            return "is truncated, or otherwise damaged"
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith("/constants.pkl") for name in names):
            return "is a TorchScript archive, which holds code to be run; that is refused: code could do anything"
        if not any(name.endswith("/data.pkl") for name in names):
            return f"{NOT_ONE}: it is a ZIP of something else"
        return None
    if head[LENGTH_BYTES:].startswith(b'{"'):
        return "is in the safetensors format, which belongs in a file that ends in .safetensors"
    return None if _TORCH_MAGIC in head else f"{NOT_ONE}: it is in no format that PyTorch writes"
