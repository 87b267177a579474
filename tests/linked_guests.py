"""Guests for the tests of links: components that hand their arguments to what they import, and its answer back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent, indent

from echo_components import TypeNames
from polycall.wasm_runtime.canonical.codec import codec
from polycall.wasm_runtime.wit.signature import Signature
from polycall.wasm_runtime.wit.wit_parser import interface_signatures

__all__ = ["RATE", "TAX", "linked_project", "lua", "relay", "relay_of", "write_rules"]

TAX = "shop:rules/tax@1.0.0"
RATE = "rate: func(country: string) -> result<u32, string>;"

_MEMORY = """
  (core module $memory
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1))))))
      (local.get $at)))
  (core instance $memory (instantiate $memory))"""
_OPTIONS = '(memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))'


def relay(wit: str = RATE, interface: str = TAX) -> str:
    """Returns a component that imports an interface and exports each of its functions under the same name.

    Args:
        wit: What the interface declares; types, too.
        interface: Its name. If it is empty, each function is imported on its own as ``host-NAME``.
    """
    return relay_of(interface_signatures(f"interface the {{ {wit} }}", "the"), interface)


def relay_of(functions: Mapping[str, Signature], interface: str = TAX) -> str:
    """Like `relay`, for functions whose types there are already."""
    outside = _FromInstance() if interface else TypeNames()
    if interface:
        inside = _InInstance()
        exports = [f'(export "{name}" {_func(signature, inside)})' for name, signature in functions.items()]
        imports = f'(import "{interface}" (instance $i {inside.definitions()} {" ".join(exports)}))'
        imported = {name: f'(func $i "{name}")' for name in functions}
    else:
        imports = " ".join(
            f'(import "host-{name}" (func ${name} {_func(signature, outside).removeprefix("(func")})'
            for name, signature in functions.items()
        )
        imported = {name: f"(func ${name})" for name in functions}
    lifted = [_lifted(name, _func(signature, outside)) for name, signature in functions.items()]
    types = (imports, outside.definitions()) if interface else (outside.definitions(), imports)
    lowered = [f"(core func $low-{name} (canon lower {imported[name]} {_OPTIONS}))" for name in functions]
    given = [f'(export "{name}" (func $low-{name}))' for name in functions]
    return f"""(component {" ".join(types)} {_MEMORY}
  {" ".join(lowered)}
  (core module $guest (import "memory" "memory" (memory 1)) {" ".join(_relays(functions))})
  (core instance $guest (instantiate $guest
    (with "host" (instance {" ".join(given)})) (with "memory" (instance $memory))))
  {" ".join(lifted)})"""


class _InInstance(TypeNames):
    def named(self, defined: str, name: str) -> str:
        return f'(export "{name}" (type {defined}x (eq {defined})))'


class _FromInstance(TypeNames):
    def named(self, defined: str, name: str) -> str:
        return f'(alias export $i "{name}" (type {defined}x))'


def _func(signature: Signature, names: TypeNames) -> str:
    params = [f'(param "{name}" {names.reference(wit_type)})' for name, wit_type in signature.params]
    result = "" if signature.result is None else f"(result {names.reference(signature.result)})"
    return f"(func {' '.join(params)} {result})"


def _lifted(name: str, function: str) -> str:
    return f'(func (export "{name}") {function[5:-1]} (canon lift (core func $guest "{name}") {_OPTIONS}))'


def _relays(functions: Mapping[str, Signature]) -> Iterator[str]:
    for name, signature in functions.items():
        takes, gives = codec(signature, "utf8").lowered_core_type
        yield f'(import "host" "{name}" (func $call-{name} {_core(takes, gives)}))'
    for name, signature in functions.items():
        how = codec(signature, "utf8")
        arguments = " ".join(f"(local.get {index})" for index in range(len(how.lifted_core_type[0])))
        place = "(i32.const 64)" if len(how.lowered_core_type[0]) > len(how.lifted_core_type[0]) else ""
        yield f'(func (export "{name}") {_core(*how.lifted_core_type)} (call $call-{name} {arguments} {place}) {place})'


def _core(takes: tuple[str, ...], gives: tuple[str, ...]) -> str:
    return f"(param {' '.join(takes)}) (result {' '.join(gives)})"


def linked_project(
    folder: Path,
    *entries: str,
    guest: str | None = None,
    method: str = "rate",
    links: str = f'{{"{TAX}": app.rules}}',
    isolation: str = "none",
    also: str = "",
) -> Path:
    """Writes a project whose ``app:guest`` is linked; `entries` are YAML of the namespace ``app.rules``."""
    (folder / "guest.wat").write_text(guest or relay(), encoding="utf-8")
    (folder / "_index.yaml").write_text(
        "namespace: app\nentries:\n"
        f"  - {{name: guest, kind: function.wat, source: file://guest.wat, method: {method}, isolation: {isolation}, "
        f"links: {links}}}\n{indent(dedent(also), '  ')}",
        encoding="utf-8",
    )
    write_rules(folder, *entries)
    return folder


def write_rules(folder: Path, *entries: str) -> None:
    """Writes the entries of the namespace ``app.rules``."""
    text = "".join(indent(dedent(entry), "  ") for entry in entries)
    (folder / "rules.yaml").write_text(f"namespace: app.rules\nentries:\n{text}", encoding="utf-8")


def lua(body: str, name: str = "rate", **keys: str) -> str:
    """Returns YAML of a Lua entry whose function has a body; its arguments are ``...``."""
    more = "".join(f"  {key}: {value}\n" for key, value in keys.items())
    source = indent(f"local function main(...)\n{dedent(body)}\nend\nreturn {{ main = main }}\n", "    ")
    return f"- name: {name}\n  kind: function.lua\n  method: main\n{more}  source: |\n{source}"
