"""A program that reads every CSV file of the folder `/data` and prints a line for each.

Plain Python: nothing in it knows of components but the class at the end.
"""

import csv
from pathlib import Path
from statistics import mean

from wit_world import exports

DATA = Path("/data")


def summary(path: Path) -> str:
    """Returns the line of one file of readings."""
    with path.open(encoding="utf-8", newline="") as file:
        values = [float(row["celsius"]) for row in csv.DictReader(file)]
    return f"{path.stem}: {len(values)} readings, {min(values):.1f} to {max(values):.1f}, mean {mean(values):.1f}"


class Run(exports.Run):
    """What `wasi:cli/run` wants of a program."""

    def run(self) -> None:
        """Prints the report, and tries to leave a file behind."""
        for path in sorted(DATA.glob("*.csv")):
            print(summary(path))
        try:
            (DATA / "report.txt").write_text("never", encoding="utf-8")
            print("wrote report.txt")
        except OSError as error:
            print(f"wrote nothing: {error.strerror}")
