"""Projects with one Lua function, for what only the registry can offer a guest."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import lua_guests
import polycall
from polycall.interop.isolation import combined
from polycall.interop.values import Value

__all__ = ["in_process_and_isolated", "load_lua", "run_lua"]

_isolation = "none"


@pytest.fixture(params=["none", "process"])
def in_process_and_isolated(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a test twice: with its function in this process, and in a worker."""
    global _isolation  # noqa: PLW0603  # read by `load_lua`, which helpers of the tests call
    _isolation = request.param
    yield _isolation
    _isolation = "none"


_FUNCTION = """
  - name: main
    kind: function.lua
    modules: [env, fs, payload, registry]
    method: main
    limits: LIMITS
    isolation: ISOLATION
    source: |
      local env, fs, payload, registry = require("env"), require("fs"), require("payload"), require("registry")
      local function told(value, err)
        if err then return err:kind() .. ": " .. err:message() end
        return value
      end
      local function main(...)
BODY
      end
      return { main = main }
"""


def load_lua(folder: Path, body: str, entries: str = "", limits: str = "{}") -> polycall.Registry:
    """Returns a project whose `app:main` has the body given; ``entries`` are YAML list items without indentation."""
    isolation = combined(_isolation, "sandbox" if lua_guests.current[0].sandbox else "none")
    filled = _FUNCTION.replace("ISOLATION", isolation).replace("LIMITS", limits)
    own = filled.replace("BODY", textwrap.indent(body, " " * 8))
    text = "namespace: app\nentries:\n" + textwrap.indent(textwrap.dedent(entries), "  ") + own
    (folder / "_index.yaml").write_text(text, encoding="utf-8")
    return polycall.load(folder)


def run_lua(folder: Path, body: str, *arguments: Value, entries: str = "", limits: str = "{}") -> Value:
    """Calls it once. `told(value, err)` in the body gives the value, or kind and message of the error."""
    with load_lua(folder, body, entries, limits) as registry:
        return registry.call("app:main", *arguments)
