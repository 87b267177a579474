"""Runs every benchmark, prints the tables and saves them.

python -m benchmarks [--quick] [--into FOLDER]

A quick run shows that all of it runs; its figures are worth nothing, so it saves them only where --into says.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.harness import FULL, QUICK
from benchmarks.plot import draw
from benchmarks.report import document, with_aims
from benchmarks.results import Results, run

_REPOSITORY = Path(__file__).resolve().parents[1]


def main() -> None:
    """Runs, prints and saves."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Runs every benchmark.")
    parser.add_argument("--quick", action="store_true", help="next to no rounds: shows that all of it runs")
    parser.add_argument(
        "--into",
        type=Path,
        help="where README.md, docs/ and benchmarks/ are; by default the repository, with --quick nowhere",
    )
    options = parser.parse_args()
    results = run(QUICK if options.quick else FULL)
    text = document(results)
    print(text)
    into = options.into or (None if options.quick else _REPOSITORY)
    if into is not None:
        _save(results, text, into)


def _save(results: Results, text: str, into: Path) -> None:
    docs, home = into / "docs", into / "benchmarks"
    for folder in (docs, home):
        folder.mkdir(parents=True, exist_ok=True)
    (docs / "benchmarks.md").write_text(text, encoding="utf-8")
    (home / "results.json").write_text(json.dumps(results.as_json(), indent=1) + "\n", encoding="utf-8")
    readme = into / "README.md"
    if readme.exists():
        readme.write_text(with_aims(readme.read_text(encoding="utf-8"), results), encoding="utf-8")
    draw(results, docs / "benchmarks.png")


if __name__ == "__main__":
    main()
