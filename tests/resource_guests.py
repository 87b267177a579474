"""A component with resources, and projects that use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import polycall

API = "shop:carts/api@1.0.0"

# Name, parameters, result, core function. A cart has a number of things in it; its representation is where that stands.
_FUNCTIONS = [
    ("[constructor]cart", "", "(own {cart})", "open"),
    ("[method]cart.add", '(param "self" (borrow {cart})) (param "item" string) (param "count" u32)', "u32", "add"),
    ("[method]cart.total", '(param "self" (borrow {cart}))', "u32", "total"),
    ("[method]cart.split-off", '(param "self" (borrow {cart})) (param "count" u32)', "(own {cart})", "split"),
    ("[method]cart.take", '(param "self" (borrow {cart})) (param "other" (own {cart}))', "u32", "take"),
    ("[method]cart.likes", '(param "self" (borrow {cart})) (param "other" (borrow {cart}))', "u32", "likes"),
    ("[method]cart.fail", '(param "self" (borrow {cart}))', None, "fail"),
    ("[method]cart.spin", '(param "self" (borrow {cart}))', None, "spin"),
    ("[method]cart.tell", '(param "self" (borrow {cart})) (param "target" string)', "u32", "tell"),
    ("[static]cart.dropped", "", "u32", "dropped"),
    ("checkout", '(param "cart" (own {cart}))', "u32", "checkout"),
    ("peek", '(param "cart" (borrow {cart}))', "u32", "total"),
    ("many", '(param "count" u32)', "(list (own {cart}))", "many"),
    ("both", '(param "first" (own {cart})) (param "second" (own {cart}))', "u32", "both"),
    ("one-of", '(param "carts" (list (own {cart})))', "u32", "count"),
    ("open-box", "", "(own {box})", "open_box"),
    ("close-box", '(param "box" (own {box}))', None, "close_box"),
    ("dropped", "", "u32", "dropped"),
]

_LIBC = """
  (core module $libc_module (memory (export "memory") 8)
    (global $dropped (mut i32) (i32.const 0))
    (global $free (mut i32) (i32.const 0)) (global $next (mut i32) (i32.const 1024))
    (func (export "dropped") (result i32) (global.get $dropped))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 262144))
    (func (export "new") (result i32) (local $cell i32)
      (if (global.get $free)
        (then (local.set $cell (global.get $free)) (global.set $free (i32.load offset=4 (local.get $cell))))
        (else (local.set $cell (global.get $next)) (global.set $next (i32.add (global.get $next) (i32.const 8)))))
      (i32.store (local.get $cell) (i32.const 0)) (local.get $cell))
    (func (export "dtor") (param $cell i32)
      (if (i32.eq (i32.load (local.get $cell)) (i32.const 666)) (then unreachable))
      (if (i32.eq (i32.load (local.get $cell)) (i32.const 777)) (then (loop $on (br $on))))
      (i32.store offset=4 (local.get $cell) (global.get $free)) (global.set $free (local.get $cell))
      (global.set $dropped (i32.add (global.get $dropped) (i32.const 1)))))
"""
_CORE = """
  (core module $module (import "libc" "memory" (memory 8)) (import "libc" "new" (func $cell (result i32)))
    (import "libc" "dropped" (func $dropped (result i32)))
    (import "host" "new" (func $new (param i32) (result i32)))
    (import "host" "rep" (func $rep (param i32) (result i32)))
    (import "host" "drop" (func $drop (param i32))) (import "host" "new-box" (func $new_box (param i32) (result i32)))
    (import "host" "drop-box" (func $drop_box (param i32)))
    (import "host" "call" (func $call (param i32 i32 i32 i32 i32)))
    (func $add (param $cart i32) (param $count i32) (result i32)
      (i32.store (local.get $cart) (i32.add (i32.load (local.get $cart)) (local.get $count)))
      (i32.load (local.get $cart)))
    (func $open (export "open") (result i32) (call $new (call $cell)))
    (func (export "add") (param i32 i32 i32 i32) (result i32) (call $add (local.get 0) (local.get 3)))
    (func $total (export "total") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "split") (param i32 i32) (result i32) (local $other i32)
      (local.set $other (call $cell))
      (drop (call $add (local.get 0) (i32.sub (i32.const 0) (local.get 1))))
      (drop (call $add (local.get $other) (local.get 1)))
      (call $new (local.get $other)))
    (func $worth (param $handle i32) (result i32) (local $worth i32)
      (local.set $worth (i32.load (call $rep (local.get $handle))))
      (call $drop (local.get $handle)) (local.get $worth))
    (func (export "take") (param i32 i32) (result i32) (call $add (local.get 0) (call $worth (local.get 1))))
    (func (export "likes") (param i32 i32) (result i32)
      (i32.eq (call $total (local.get 0)) (call $total (local.get 1))))
    (func (export "fail") (param i32) unreachable)
    (func (export "spin") (param i32) (loop $on (br $on)))
    (func (export "tell") (param i32 i32 i32) (result i32)
      (call $call (local.get 1) (local.get 2) (i32.const 0) (i32.const 0) (i32.const 16))
      (i32.load (i32.const 16)))
    (func (export "dropped") (result i32) (call $dropped))
    (func (export "checkout") (param i32) (result i32) (call $worth (local.get 0)))
    (func (export "both") (param i32 i32) (result i32)
      (i32.add (call $worth (local.get 0)) (call $worth (local.get 1))))
    (func (export "count") (param $at i32) (param $count i32) (result i32) (local $left i32)
      (local.set $left (local.get $count))
      (loop $next
        (if (local.get $left)
          (then
            (drop (call $worth (i32.load (local.get $at))))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next))))
      (local.get $count))
    (func (export "many") (param $count i32) (result i32) (local $at i32)
      (i32.store (i32.const 32) (i32.const 300000)) (i32.store (i32.const 36) (local.get $count))
      (loop $next
        (if (i32.lt_u (local.get $at) (local.get $count))
          (then
            (i32.store (i32.add (i32.const 300000) (i32.mul (i32.const 4) (local.get $at))) (call $open))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $next))))
      (i32.const 32))
    (func (export "open_box") (result i32) (call $new_box (i32.const 1)))
    (func (export "close_box") (param i32) (call $drop_box (local.get 0))))
"""


def carts_wat() -> str:
    """Returns the component: an interface with the resource types cart and box, and functions for them."""
    options = '(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))'
    lifted, imports, exports, given = [], [], [], []
    for number, (name, parameters, result, core) in enumerate(_FUNCTIONS):
        form = parameters + (f" (result {result})" if result else "")
        inside, outside = (form.format(cart=cart, box=box) for cart, box in (("$cart", "$box"), ("$CART", "$BOX")))
        lifted.append(f'(func $f{number} {inside} (canon lift (core func $core "{core}") {options}))')
        imports.append(f'(import "f{number}" (func $f{number} {inside}))')
        exports.append(f'(export "{name}" (func $f{number}) (func {outside}))')
        given.append(f'(with "f{number}" (func $f{number}))')
    return f"""(component
  (import "wippy:runtime/funcs@0.1.0" (instance $funcs (export "call-string"
    (func (param "target" string) (param "input" string) (result (result string (error string)))))))
  {_LIBC} (core instance $libc (instantiate $libc_module))
  (type $cart (resource (rep i32) (dtor (core func $libc "dtor")))) (type $box (resource (rep i32)))
  (core func $new (canon resource.new $cart)) (core func $rep (canon resource.rep $cart))
  (core func $drop (canon resource.drop $cart)) (core func $new_box (canon resource.new $box))
  (core func $drop_box (canon resource.drop $box))
  (core func $call (canon lower (func $funcs "call-string") {options}))
  {_CORE}
  (core instance $core (instantiate $module (with "libc" (instance $libc)) (with "host" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop)) (export "call" (func $call))
    (export "new-box" (func $new_box)) (export "drop-box" (func $drop_box))))))
  {"".join(lifted)}
  (component $shim (import "cart" (type $cart (sub resource))) (import "box" (type $box (sub resource)))
    {"".join(imports)} (export $CART "cart" (type $cart)) (export $BOX "box" (type $box)) {"".join(exports)})
  (instance $api (instantiate $shim (with "cart" (type $cart)) (with "box" (type $box)) {"".join(given)}))
  (export "{API}" (instance $api)))"""


def entry(name: str, method: str, **more: Any) -> dict[str, Any]:
    """Returns an entry of the component."""
    return {
        "name": name,
        "kind": "function.wat",
        "source": "file://carts.wat",
        "method": f"{API}#{method}",
        "imports": ["funcs"],
        **more,
    }


def lua(name: str, source: str, **more: Any) -> dict[str, Any]:
    """Returns an entry whose file is one function, which may call others."""
    return {
        "name": name,
        "kind": "function.lua",
        "source": source,
        "modules": ["funcs", "json"],
        "method": "main",
        **more,
    }


ENTRIES = (
    entry("cart", "[constructor]cart"),
    entry("checkout", "checkout"),
    entry("peek", "peek"),
    entry("many", "many"),
    entry("both", "both"),
    entry("one_of", "one-of"),
    entry("box", "open-box"),
    entry("close_box", "close-box"),
    entry("dropped", "dropped"),
)


def load_shop(folder: Path, *entries: dict[str, Any], **options: Any) -> Any:
    """Returns a `polycall.Registry` of the component's functions, in the namespace ``shop``, and of further entries."""
    folder.mkdir(exist_ok=True)
    (folder / "carts.wat").write_text(carts_wat())
    names = {each["name"] for each in entries}
    given = [each for each in ENTRIES if each["name"] not in names]
    text = yaml.safe_dump({"version": "1.0", "namespace": "shop", "entries": [*given, *entries]})
    (folder / "_index.yaml").write_text(text)
    return polycall.load(folder, **options)
