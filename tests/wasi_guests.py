"""Guests in WebAssembly text that use WASI, and projects with one of them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SLEEPER", "wasi_project"]

SLEEPER = """(component
  (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type $p (sub resource)))
     (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.3" (instance $clock
     (export "now" (func (result u64)))
     (alias outer 1 $pollable (type $q)) (export "pollable" (type $r (eq $q)))
     (export "subscribe-duration" (func (param "when" u64) (result (own $r))))))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $now (canon lower (func $clock "now")))
  (core func $drop (canon resource.drop $pollable))
  (core module $m
    (import "h" "block" (func $block (param i32)))
    (import "h" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "h" "drop" (func $drop (param i32)))
    (import "h" "now" (func $now (result i64)))
    (func (export "sleep") (param i64) (local i32)
      (local.set 1 (call $subscribe (local.get 0))) (call $block (local.get 1)) (call $drop (local.get 1)))
    (func (export "spin") (param i32) (result i64) (local $last i64)
      (loop $again
        (local.set $last (call $now))
        (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get $last)))
  (core instance $i (instantiate $m (with "h" (instance
    (export "block" (func $block)) (export "subscribe" (func $subscribe))
    (export "drop" (func $drop)) (export "now" (func $now))))))
  (func (export "sleep") (param "nanoseconds" u64) (canon lift (core func $i "sleep")))
  (func (export "spin") (param "times" u32) (result u64) (canon lift (core func $i "spin"))))
"""
"""``sleep(nanoseconds)``; ``spin(times)`` asks the clock so often and returns what it said last."""


def wasi_project(folder: Path, guest: str, method: str, *imports: str, more: str = "") -> Path:
    """Writes a project with the entry ``app:guest``.

    Args:
        folder: Where.
        guest: WebAssembly text.
        method: Its export.
        imports: What it is granted.
        more: Further keys of the entry, each line indented by four spaces.
    """
    granted = ", ".join(f'"{each}"' for each in imports)
    head = "version: '1.0'\nnamespace: app\nentries:\n  - name: guest\n    kind: function.wat\n"
    keys = f"    source: file://guest.wat\n    method: {method}\n    imports: [{granted}]\n"
    (folder / "guest.wat").write_text(guest, encoding="utf-8")
    (folder / "_index.yaml").write_text(head + keys + more, encoding="utf-8")
    return folder
