"""A world as one text of WIT, with every package that it names."""

from __future__ import annotations

from polycall.wasm_runtime.component.plan import Plan
from polycall.wasm_runtime.worlds.of_plan import world_of
from polycall.wasm_runtime.worlds.text import package_texts, world_text
from polycall.wasm_runtime.worlds.world import World

__all__ = ["component_wit", "whole_wit"]


def component_wit(plan: Plan) -> str:
    """Returns what a component imports and exports. A component does not know its own name: it is called root."""
    return whole_wit(world_of(plan, "root:component", "root"))


def whole_wit(world: World) -> str:
    """Returns a world and the packages of its interfaces."""
    texts = [world_text(world)]
    for package, body in package_texts(world).items():
        lines = "".join(f"  {line}".rstrip() + "\n" for line in body.splitlines())
        texts.append(f"package {package} {{\n{lines}}}\n")
    return "\n".join(texts)
