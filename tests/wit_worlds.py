"""Components, and projects with entries, whose WIT tests look at."""

from __future__ import annotations

from projects import GUESTS, REPOSITORY

__all__ = ["COMPONENTS", "LINKED", "QUOTE", "RICH", "RULES"]

QUOTE = REPOSITORY / "examples" / "06-typed-links" / "assets" / "quote.wasm"
COMPONENTS = [
    *(GUESTS / "bin" / f"{name}.wasm" for name in ("caller", "c-calls", "js-caller", "rust-tour")),
    *sorted((REPOSITORY / "examples").glob("*/assets/*.wasm")),
]
RICH = """
(component
  (type $kinds' (instance
    (type $colour (enum "red" "green"))
    (export "colour" (type $colour' (eq $colour)))
    (type $rights (flags "read" "write"))
    (export "rights" (type $rights' (eq $rights)))
    (type $shape (variant (case "point") (case "disc" f64) (case "of" $colour')))
    (export "shape" (type $shape' (eq $shape)))
    (type $list (list $shape'))
    (export "type" (type $list' (eq $list)))
    (export "cart" (type $cart (sub resource)))
    (type $own (own $cart))
    (type $borrow (borrow $cart))
    (type $map (result $list' (error $colour')))
    (export "[constructor]cart" (func (param "r" $rights') (result $own)))
    (export "[method]cart.add" (func (param "self" $borrow) (param "what" $shape') (result $map)))
    (export "[static]cart.merge" (func (param "a" $own) (param "b" $own) (result $own)))
    (type $nothing (result))
    (type $maybe (option (tuple u8 char bool)))
    (export "use" (func (param "list" $maybe) (result $nothing)))
  ))
  (import "shop:kinds/kinds@1.0.0" (instance $kinds (type $kinds')))
  (alias export $kinds "shape" (type $shape))
  (alias export $kinds "cart" (type $cart))
  (type $more (instance
    (alias outer 1 $shape (type $of))
    (export "shape" (type $shape (eq $of)))
    (alias outer 1 $cart (type $other))
    (export "basket" (type $basket (eq $other)))
    (type $own (own $basket))
    (export "draw" (func (param "shape" $shape) (param "in" $own)))
  ))
  (import "shop:kinds/more@1.0.0" (instance (type $more)))
  (import "other:kinds/more" (instance (type $more)))
  (type $size (record (field "w" u32) (field "h" u32)))
  (import "size" (type $size' (eq $size)))
  (import "area" (func (param "of" $size') (result u64)))
)
"""


LINKED = """
namespace: app
entries:
  - {name: out, kind: fs.directory, directory: out, auto_init: true}
  - name: bill
    kind: function.wasm
    fs: out
    path: bill.wasm
    method: bill
    wit: "bill: func(country: string) -> result<u32, string>"
    imports: [funcs, "wasi:cli"]
    links:
      shop:rules/tax@1.0.0: app.rules
      shop:rules/other#open: app.rules:is_open
      plain: app.rules:is_open
      label: app.rules
  - name: total
    kind: function.wasm
    fs: out
    path: bill.wasm
    method: shop:bill/sums@0.1.0#total
    wit: "interface sums { total: func() -> u64; }"
"""
RULES = """
namespace: app.rules
entries:
  - name: tax_rate
    kind: function.lua
    method: tax_rate
    source: return { tax_rate = function() return { percent = 1 } end }
    wit: |
      record rate { percent: u32 }
      tax-rate: func(country: string) -> rate
  - {name: is_open, kind: function.lua, method: f, source: "return { f = print }", wit: "f: func() -> bool"}
"""
