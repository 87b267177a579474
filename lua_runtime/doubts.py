"""What is doubtful about a Lua text before it runs: names that the sandbox does not have, and modules."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from polycall.interop.ids import cut, suggestion
from polycall.lua_runtime.library_names import GLOBALS, library_names
from polycall.lua_runtime.modules import ALWAYS_THERE, MODULES
from polycall.lua_runtime.spec import LuaFunctionSpec, LuaLibrarySpec
from polycall.lua_runtime.uses import Name, Uses

__all__ = ["Doubt", "doubts"]

_MOST = 50
"""Doubts about one text: nobody reads on."""

_INSTEAD = {
    "io": "the module fs reads and writes files, print writes to the log",
    **dict.fromkeys(("load", "loadstring", "string.dump"), "the code of an entry is what it declares"),
    **dict.fromkeys(("loadfile", "dofile"), "require gives what the entry declares under imports"),
    "package": "require gives what the entry declares under modules and imports",
    "os.getenv": "the module env has the variables that the project declares",
    "os.exit": "return from the function, or raise an error",
    **dict.fromkeys(("os.remove", "os.rename"), "the module fs reads and writes files"),
}
"""What to do where Lua elsewhere has a function that the sandbox has not."""


class Doubt(NamedTuple):
    """One thing that is doubtful.

    Attributes:
        message: What it is.
        hint: What would mend it, or None.
        name: The word in the text that it is about.
        line: The line of that word; 0 for what the declaration says.
        key: The key of the declaration, such as ``modules[0]``; "" for what the text says.
        quoted: Whether the word stands there in quotes.
    """

    message: str
    hint: str | None
    name: str
    line: int = 0
    key: str = ""
    quoted: bool = False


def doubts(spec: LuaFunctionSpec | LuaLibrarySpec, uses: Uses) -> Iterator[Doubt]:
    """Yields what is doubtful about a text, each name once.

    Args:
        spec: The declaration of its entry.
        uses: What it uses.
    """
    return islice(_doubts(spec, uses), _MOST)


def _doubts(spec: LuaFunctionSpec | LuaLibrarySpec, uses: Uses) -> Iterator[Doubt]:
    if not any(name.text == "_G" for name in uses.globals):  # who has that table may put anything into it
        for name in _first_of_each(uses.globals):
            yield from _doubt_about_global(name, spec, uses)
    for name in _first_of_each(uses.required):
        if name.text not in {*spec.modules, *spec.imports, *ALWAYS_THERE}:
            message = f'require("{cut(name.text)}"): not declared'
            yield Doubt(message, _declaration_of(name.text, spec), name.text, name.line, quoted=True)
    required = {name.text for name in uses.required}
    for index, module in enumerate(spec.modules):
        if not (uses.requires_others or module in required or module in ALWAYS_THERE) and module in MODULES:
            yield Doubt(f'the module "{module}" is not used', "leave it out", module, key=f"modules[{index}]")


def _first_of_each(names: list[Name]) -> list[Name]:
    return list({(name.of, name.text): name for name in reversed(names)}.values())[::-1]


def _doubt_about_global(name: Name, spec: LuaFunctionSpec | LuaLibrarySpec, uses: Uses) -> Iterator[Doubt]:
    text = cut(name.text)
    if name.of:
        members = library_names().get(name.of)
        if members is not None and name.text not in members and name.of not in uses.assigned:
            hint = _INSTEAD.get(f"{name.of}.{name.text}") or suggestion(name.text, sorted(members))
            yield Doubt(f'the library {name.of} has no "{text}" here', hint, name.text, name.line)
    elif name.text not in library_names()[GLOBALS] | uses.assigned:
        yield Doubt(f'there is no global "{text}" here', _hint_for_global(name.text, spec, uses), name.text, name.line)


def _hint_for_global(name: str, spec: LuaFunctionSpec | LuaLibrarySpec, uses: Uses) -> str | None:
    if name in MODULES or name in spec.imports:
        declare = "" if name in (*spec.modules, *spec.imports) else f", and declare modules: [{name}]"
        return f'write local {name} = require("{name}"){declare}'
    return _INSTEAD.get(name) or suggestion(name, sorted(library_names()[GLOBALS] | uses.assigned))


def _declaration_of(name: str, spec: LuaFunctionSpec | LuaLibrarySpec) -> str:
    if name in MODULES:
        return f"add it to modules: [{', '.join((*spec.modules, name))}]"
    near = suggestion(name, sorted({*spec.modules, *spec.imports, *MODULES}))
    return near or "a module of the host is declared under modules, a library under imports"
