"""Embeddings that were found before: the last ones in memory, all of them as JSON files in one folder."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, final

from rapid_ising.errors import CheckpointError, InvalidParameterError
from rapid_ising.log import logger
from rapid_ising.storage import write_bytes

CACHE_FOLDER = "RAPID_ISING_CACHE"
"""The environment variable that names the folder."""
FORMAT = 1
"""Raised whenever a file of before would be read wrongly, or embeddings become better."""
IN_MEMORY = 32
Kept = TypeVar("Kept")
log = logger(__name__)


def cache_folder() -> Path:
    """Return the folder of the caches: RAPID_ISING_CACHE, else the one where the platform keeps them."""
    named = os.environ.get(CACHE_FOLDER)
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rapid-ising"


def digest(*parts: bytes | str | int) -> str:
    """Return one name for all parts, the same in any process.

    >>> digest("ab", "c") == digest("a", "bc")
    False
    """
    told = hashlib.sha256(str(FORMAT).encode())
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode()
        told.update(f"|{len(content)}:".encode() + content)
    return told.hexdigest()


@final
class EmbeddingCache(Generic[Kept]):
    """What was made of JSON values once: the last few objects in memory, the values in files.

    A file that cannot be read, or from which nothing can be made, is told in the log and written anew; one
    that cannot be written is told in the log.
    """

    def __init__(self) -> None:
        self._memory: OrderedDict[tuple[Path, str], Kept] = OrderedDict()

    def get(self, key: str, make: Callable[[Any], Kept], find: Callable[[], Any]) -> tuple[Kept, bool]:
        """Return the object of a key and whether it was there.

        Parameters
        ----------
        key
            The name, as ``digest`` gives it.
        make
            Makes the object from JSON values; raises InvalidParameterError, KeyError, TypeError, IndexError
            or ValueError when they are wrong.
        find
            Finds the values of a key that is not there.
        """
        folder = cache_folder() / "embeddings"
        place = folder, key
        if place in self._memory:
            self._memory.move_to_end(place)
            return self._memory[place], True
        path = folder / f"{key}.json"
        found = self._read(path, make)
        there = found is not None
        if found is None:
            values = find()
            found = make(values)
            _write(path, values)
        self._memory[place] = found
        while len(self._memory) > IN_MEMORY:
            self._memory.popitem(last=False)
        return found, there

    def forget(self) -> None:
        """Empty the memory; files stay."""
        self._memory.clear()

    def _read(self, path: Path, make: Callable[[Any], Kept]) -> Kept | None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("the embedding in %s cannot be read, and is looked for anew: %s", path, error)
            return None
        try:
            return make(json.loads(content))
        except (InvalidParameterError, KeyError, TypeError, IndexError, ValueError) as error:
            log.warning("%s is damaged, and is written anew: %s", path, error)
            return None


def _write(path: Path, values: Any) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, json.dumps(values).encode())
    except (OSError, CheckpointError) as error:
        log.warning("an embedding is not kept for the next time: %s", error)
