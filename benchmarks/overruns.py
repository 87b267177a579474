"""By how much a sandboxed Lua guest that keeps inside C overruns its deadline: least, median and most.

python -m benchmarks.overruns
"""

from __future__ import annotations

import json
import statistics
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import polycall

__all__ = ["CASES", "overruns"]

_ROUNDS = 5
_TIMEOUT_SECONDS = 0.05
_LONG = "local s = ('a'):rep(60 << 20) "
_EQUAL = "local u = s:sub(1, -2) .. 'a' "

CASES = {
    "rawequal of 60 MiB": (_LONG + _EQUAL, "rawequal(s, u)"),
    "== of 60 MiB": (_LONG + _EQUAL, "local _ = s == u"),
    "< of 60 MiB": (_LONG + _EQUAL, "local _ = s < u"),
    "arithmetic on 60 MiB of digits": ("local s = ('1'):rep(60 << 20) ", "pcall(function() return s + 1 end)"),
    "tonumber of 60 MiB of digits": ("local s = ('1'):rep(60 << 20) ", "tonumber(s)"),
    "utf8.len of 60 MiB": (_LONG, "utf8.len(s)"),
    "utf8.codepoint of 60 MiB": (_LONG, "pcall(utf8.codepoint, s, 1, -1)"),
    "utf8.codepoint of 900,000 bytes": (_LONG, "utf8.codepoint(s, 1, 900000)"),
    "utf8.offset in 60 MiB": (_LONG, "utf8.offset(s, -1 - #s // 2) utf8.offset(s, #s // 2)"),
    "string.format of 60 MiB": (_LONG, "('%s'):format(s)"),
    "string.pack of 60 MiB": (_LONG, "('s'):pack(s)"),
    "table.concat of 60 MiB": (
        "local t = {} for i = 1, 900 do t[i] = ('x'):rep(65536) end ",
        "table.concat(t)",
    ),
    "a key of 60 MiB": (_LONG + "local t = {} ", "t[s] = nil s = s:sub(2) .. 'b'"),
    "find of four lazy dots": (_LONG, "s:find('.-.-.-.-b')"),
    "gsub of words": ("local s = ('ab '):rep(10 << 20) ", "s:gsub('%w+', '')"),
    "gmatch without end": (_LONG, "s:gmatch('%f[%a]%a-b')()"),
    "find of plain text": (_LONG, "s:find(('a'):rep(1 << 20) .. 'b', 1, true)"),
    "lower, upper, reverse of 60 MiB": (_LONG, "s:lower() s:upper() s:reverse()"),
    "sort of a million numbers": (
        "local t = {} for i = 1, 1000000 do t[i] = math.random(1 << 40) end ",
        "table.sort(t) t[1], t[2] = t[2], t[1]",
    ),
}


_GUEST = """{made}
return {{ main = function(stay) while stay do {done} end end }}"""


def overruns(made: str, done: str) -> list[float]:
    """Returns by how many seconds calls went over their deadline.

    Args:
        made: What the guest makes before its clock runs.
        done: What it then does until it is stopped.
    """
    source = _GUEST.format(made=made, done=done)
    entry = {"name": "guest", "kind": "function.lua", "method": "main", "source": source, "isolation": "sandbox"}
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "_index.yaml").write_text(json.dumps({"namespace": "over", "entries": [entry]}), encoding="utf-8")
        with polycall.load(folder) as registry:
            return [_overrun(registry) for _ in range(_ROUNDS)]


def _overrun(registry: polycall.Registry) -> float:
    registry.call("over:guest", False)
    start = time.perf_counter()
    with suppress(polycall.DeadlineError):
        registry.call("over:guest", True, timeout=_TIMEOUT_SECONDS)
    return time.perf_counter() - start - _TIMEOUT_SECONDS


if __name__ == "__main__":
    for each, (made, done) in CASES.items():
        times = sorted(seconds * 1000 for seconds in overruns(made, done))
        print(f"{each:36} {times[0]:8.0f} {statistics.median(times):8.0f} {times[-1]:8.0f} ms")
