from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import Case, Effort, Measurement, Spread, compare

REPOSITORY = Path(__file__).resolve().parents[2]


def test_all_benchmarks_run_and_save_their_table_values_and_picture(tmp_path: Path) -> None:
    marks = "before\n<!-- written by make bench -->\nold\n<!-- end -->\nafter\n"
    (tmp_path / "README.md").write_text(marks, encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks", "--quick", "--into", str(tmp_path)]
    environment = {**os.environ, "MPLCONFIGDIR": str(tmp_path)}
    result = subprocess.run(
        command, cwd=REPOSITORY, env=environment, check=False, text=True, timeout=180, capture_output=True
    )
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert result.stdout.strip() == text.strip()
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| cold `polycall list` |" in readme
    assert "old\n" not in readme
    saved = json.loads((tmp_path / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    assert all(row["name"] in text and min(row["seconds"]) > 0 for rows in saved["groups"].values() for row in rows)
    assert len(saved["aims"]) == 38
    assert (tmp_path / "docs" / "benchmarks.png").read_bytes().startswith(b"\x89PNG")


def test_candidates_take_turns_round_by_round() -> None:
    order: list[str] = []
    cases = [Case("a", lambda: order.append("a")), Case("b", lambda: order.append("b"), "a", calls=10)]
    first, second = compare(cases, Effort(rounds=3, seconds=0.0))
    assert "".join(order).endswith("ab" * 3)
    assert len(first.seconds) == len(second.seconds) == 3
    assert second.against is first


def test_a_ratio_is_taken_within_each_round_so_that_a_slow_spell_cancels_out() -> None:
    base = Measurement("base", (1.0, 10.0, 1.0))
    twice = Measurement("twice", (2.0, 20.0, 2.0), base)
    assert twice.ratio == Spread(2.0, 2.0, 2.0)
    assert twice.added_to(base) == Spread(1.0, 1.0, 5.5)
