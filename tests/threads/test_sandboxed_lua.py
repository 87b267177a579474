"""Sandboxed Lua under threads, Ctrl-C and forks."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import polycall

INDEX = """
namespace: app
isolation: sandbox
entries:
  - name: sum
    kind: function.lua
    method: sum
    source: |
      local own = 0
      return { sum = function(n) own = n for i = 1, 20000 do own = own + 1 end return own end }
  - {name: spin, kind: function.lua, method: spin, source: "return { spin = function() while true do end end }"}
  - name: ask
    kind: function.lua
    method: ask
    modules: [funcs]
    source: |
      return { ask = function(...) return require("funcs").call(...) end }
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    folder = tmp_path_factory.mktemp("sandboxed")
    (folder / "_index.yaml").write_text(INDEX, encoding="utf-8")
    with polycall.load(folder) as loaded:
        assert loaded.call("app:sum", 1) == 20001
        yield loaded


def test_threads_do_not_meet(registry: polycall.Registry) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = threads.map(lambda number: registry.call("app:ask", "app:sum", number), range(200))
    assert list(results) == [number + 20000 for number in range(200)]


@pytest.mark.parametrize("target", [("app:spin",), ("app:ask", "app:spin")])
def test_an_interrupt_ends_a_guest_in_the_main_thread(registry: polycall.Registry, target: tuple[str, ...]) -> None:
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        registry.call(*target, timeout=30)
    timer.join()
    assert registry.call("app:ask", "app:sum", 1) == 20001


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("target", ["app:sum", "app:fresh"])
def test_a_forked_child_goes_on(registry: polycall.Registry, tmp_path: Path, target: str) -> None:
    """With an idle instance, and with an entry that the parent has not prepared."""
    if target == "app:fresh":
        index = Path(registry.root, "_index.yaml")
        index.write_text(INDEX + "  - {name: fresh, kind: function.lua, method: f, source: 'return {f = function(n) "
                         "return n + 20000 end}'}\n", encoding="utf-8")  # fmt: skip
        registry.reload()
    child = os.fork()
    if not child:
        try:
            os._exit(0 if registry.call(target, 5, timeout=20) == 20005 else 1)
        except BaseException:  # noqa: BLE001  # the child must not go on as pytest
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert registry.call(target, 5) == 20005
