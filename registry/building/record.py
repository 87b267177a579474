"""What is known of earlier builds: which inputs gave which output, by what is in the files.

A build is due unless its output is the very file that it made of the very inputs that there are now. Times of files say
nothing here: a checkout or a copy changes them, and two writes may share one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polycall.interop.errors import PreparationError
from polycall.registry.building.builds import Build
from polycall.registry.documents.text_edits import replace_file
from polycall.registry.own_folder import own_folder

__all__ = ["BuildRecord", "inputs_digest"]

_MOST_INPUTS = 20_000
_FILE = "builds.json"


def inputs_digest(build: Build) -> str | None:
    """Returns a digest of the command and of every file that it reads; None if nobody says what it reads.

    Raises:
        PreparationError: There are too many files, or one cannot be read.
    """
    if not build.watch:
        return None
    digest = hashlib.sha256(f"{build.command}\0{build.watch}".encode())
    try:
        for path in sorted(set(_inputs(build))):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"\0{path.relative_to(build.workdir).as_posix()}\0{content}".encode())
    except OSError as error:
        raise PreparationError(f"{build.name}: {error.filename} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _inputs(build: Build) -> Iterator[Path]:
    count = 0
    for pattern in build.watch:
        # Until Python 3.13, "src/**" stands for folders alone.
        for path in build.workdir.glob(f"{pattern}/*" if pattern.endswith("**") else pattern):
            if path.is_file() and path not in build.outputs:
                count += 1
                if count > _MOST_INPUTS:
                    message = f"{build.name}: build.watch fits more than {_MOST_INPUTS:,} files"
                    raise PreparationError(message, hint="name the folders that the sources are in")
                yield path


class BuildRecord:
    """The builds that were made in a project.

    Args:
        root: The project folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: dict[str, Any] = {}
        try:
            found = json.loads((own_folder(root) / _FILE).read_bytes())
        except (OSError, ValueError):  # nothing was built yet; what cannot be read is built again
            return
        self._made = found if isinstance(found, dict) else {}

    def is_due(self, build: Build, inputs: str | None) -> bool:
        """Whether a build has to run for these inputs."""
        return inputs is None or self._noted(build) != [[inputs, _digest(output)] for output in build.outputs]

    def has_made(self, build: Build) -> bool:
        """Whether the outputs are what the last run made: nobody else, a guest least of all, has written them."""
        noted = [found[1] if isinstance(found, list) and len(found) == 2 else None for found in self._noted(build)]
        return None not in noted and noted == [_digest(output) for output in build.outputs]

    def note(self, build: Build, inputs: str | None) -> None:
        """Notes that a build has made its outputs of these inputs."""
        for output in build.outputs:
            self._made[self._name(output)] = [inputs, _digest(output)]

    def write(self) -> None:
        """Writes down what was noted."""
        file = own_folder(self._root, make=True) / _FILE
        file.touch()
        replace_file(file, (json.dumps(self._made, indent=2, sort_keys=True) + "\n").encode())

    def _noted(self, build: Build) -> list[Any]:
        return [self._made.get(self._name(output)) for output in build.outputs]

    def _name(self, output: Path) -> str:
        return output.relative_to(self._root).as_posix() if output.is_relative_to(self._root) else str(output)


def _digest(output: Path) -> str | None:
    try:
        return hashlib.sha256(output.read_bytes()).hexdigest()
    except OSError:
        return None
