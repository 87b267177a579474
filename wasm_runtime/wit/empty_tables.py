"""What an empty table of Lua's stands for, by the type that is asked for: Lua has one, and drops keys that are nil."""

from __future__ import annotations

from polycall.wasm_runtime.wit.wit_types import (
    FlagsType,
    ListType,
    MapType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    VariantType,
    WitType,
)

__all__ = ["nil_case", "takes_empty"]


def takes_empty(wit_type: WitType) -> bool:
    """Says whether an empty table is a value of a type, or of what an option holds."""
    # Told from the type: to compile its check once more for that, at each level, would double the work with each.
    match wit_type:
        case OptionType(payload=payload):
            return takes_empty(payload)
        case ListType() | FlagsType() | MapType():
            return True
        case TupleType(elements=elements):
            return all(isinstance(element, OptionType) for element in elements)
        case RecordType(fields=fields):
            return all(isinstance(field, OptionType) for _, field in fields)
        case VariantType(cases=cases):
            return nil_case(dict(cases)) is not None
        case ResultType(ok=ok, err=err):
            return nil_case({"ok": ok, "err": err}) is not None
    return False


def nil_case(cases: dict[str, WitType | None]) -> str | None:
    """Returns the case that an empty table stands for: Lua writes `{ok = nil}` and means a payload that is none."""
    optional = [name for name, payload in cases.items() if isinstance(payload, OptionType)]
    nilable = optional or [name for name, payload in cases.items() if payload is None]
    return nilable[0] if len(nilable) == 1 else None
