"""``polycall init``: a project that runs, to start from."""

from __future__ import annotations

import shlex
from contextlib import suppress
from importlib.resources import as_file, files
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import click

from polycall.registry.cli.output import print_text
from polycall.registry.cli.printable import one_line, printable

__all__ = ["init"]


@click.command(short_help="Make a project that runs.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def init(directory: Path) -> None:
    """Make a project in DIRECTORY: a Lua function, a WebAssembly component, and a function that joins them.

    An existing file is never overwritten.
    """
    with as_file(files("polycall.registry") / "templates" / "project") as template:
        sources = sorted(path for path in template.iterdir() if path.is_file())
        taken = [path.name for path in sources if (directory / path.name).exists()]
        if taken:
            raise click.UsageError(f"{directory} already has {', '.join(taken)}; choose another folder")
        _write(sources, directory)
    here = directory.resolve() == Path.cwd()
    enter = "" if here else f"  cd {shlex.quote(str(directory))}\n"
    place = "here" if here else f"in {one_line(str(directory))}"
    print_text(f"Made a project {place}. Try it:\n\n{printable(enter)}  polycall list\n"
               "  polycall call app:welcome --string World")  # fmt: skip


def _write(sources: list[Path], directory: Path) -> None:
    """Writes all files or none: a failure, such as a full disk, leaves things as they were."""
    made = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    written: list[Path] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".polycall-", dir=directory) as temporary:
            copies = [Path(copyfile(source, Path(temporary, source.name))) for source in sources]
            for copy in copies:
                written.append(copy.rename(directory / copy.name))
    except BaseException as error:
        for path in written:
            path.unlink()
        for folder in made:
            with suppress(OSError):  # it could not be made, or somebody else has put something in it
                folder.rmdir()
        if isinstance(error, OSError):  # the name of a temporary file would only puzzle
            raise OSError(error.errno, error.strerror, str(directory)) from error
        raise
