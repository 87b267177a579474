"""A component that calls itself through the registry never enters an instance twice."""

from __future__ import annotations

import json
from pathlib import Path

import polycall
from attacks import Attack, attacks
from polycall.interop.values import Value
from wasm_guests import FUNCS_CALLER

PROJECT = """
namespace: app
entries:
  - {name: relay, kind: function.wat, method: relay-string, imports: [funcs], pool: POOL, source: file://relay.wat}
  - {name: echo, kind: function.lua, method: main, source: "return { main = function(x) return x end }"}
"""


def relayed(folder: Path, pool: str, *hops: str) -> Value:
    """Calls the relay, which calls the first hop, which gets the others as its arguments, and so on."""
    (folder / "relay.wat").write_text(FUNCS_CALLER, encoding="utf-8")
    (folder / "_index.yaml").write_text(PROJECT.replace("POOL", pool), encoding="utf-8")
    payload = "done"
    for target in reversed(hops[1:]):
        payload = json.dumps([target, payload])
    with polycall.load(folder) as registry:
        return registry.call("app:relay", hops[0], payload)


@attacks(
    Attack(
        "entering its own instance again through funcs",
        "component",
        "an err that names the circle",
        "with a fresh instance for each call, 12 calls deep, `done` comes back",
    )
)
def test_a_component_that_calls_itself_gets_another_instance_or_an_error(tmp_path: Path) -> None:
    answer = relayed(tmp_path, "{type: static, size: 1}", "app:relay", "app:echo")
    assert isinstance(answer, dict)
    assert 'no instance of "app:relay" can come free' in str(answer["err"])
    assert relayed(tmp_path, "{type: inline}", *["app:relay"] * 12, "app:echo") == {"ok": "done"}
