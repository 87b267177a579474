"""``polycall init``: a project that runs, to start from."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from shutil import copyfile

import click

__all__ = ["init"]


@click.command(short_help="Make a project that runs.")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def init(directory: Path) -> None:
    """Make a project in DIRECTORY: a Lua function, a WebAssembly component, and a function that joins them.

    An existing file is never overwritten.
    """
    with as_file(files("registry") / "templates" / "project") as template:
        sources = sorted(path for path in template.iterdir() if path.is_file())
        taken = [path.name for path in sources if (directory / path.name).exists()]
        if taken:
            raise click.UsageError(f"{directory} already has {', '.join(taken)}; choose another folder")
        directory.mkdir(parents=True, exist_ok=True)
        for path in sources:
            copyfile(path, directory / path.name)
    click.echo(f"Made a project in {directory}. Try it:\n\n  cd {directory}\n  polycall list\n"
               "  polycall call app:welcome --string World")  # fmt: skip
