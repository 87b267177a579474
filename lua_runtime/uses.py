"""What a Lua text uses of its surroundings, known without running it: globals, modules, calls of entries.

Lua's compiler has resolved every name by the time there is bytecode. One pass over it follows what registers hold as
far as that is certain: constants, globals, modules, functions of modules, and locals that are given one value for good.
Whatever is not certain is nothing, and nobody is warned of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from polycall.lua_runtime.bytecode import ENVIRONMENT, Instruction, Local, Opcode, Proto, read_chunk

__all__ = ["EntryCall", "Name", "Uses", "uses_of"]


class Name(NamedTuple):
    """A name and where it stands.

    Attributes:
        text: The name.
        line: The 1-based line.
        of: The global library that it is looked up in; "" for a global.
    """

    text: str
    line: int
    of: str = ""


class EntryCall(NamedTuple):
    """A call of ``funcs.call`` or ``funcs.try``.

    Attributes:
        target: The entry id, if it is written there; else None.
        arguments: How many arguments it has behind the id; None if that is not known.
        line: The 1-based line.
    """

    target: str | None
    arguments: int | None
    line: int


class Uses:
    """What a text uses.

    Attributes:
        globals: Each global, and each member of a global library, that it reads.
        assigned: The globals that it gives a value.
        required: The modules and libraries that it loads by a name that is written there.
        requires_others: Whether it loads others, or hands `require` on to somebody who may.
        calls: The calls of other entries.
    """

    def __init__(self) -> None:
        self.globals: list[Name] = []
        self.assigned: set[str] = set()
        self.required: list[Name] = []
        self.requires_others = False
        self.calls: list[EntryCall] = []


class _Known(NamedTuple):
    """What a register holds for certain.

    Attributes:
        kind: "text" for a constant, "global", "module" for what `require` gave, "member" for a function of a module,
            "environment" for the table of globals.
        name: The text itself, or what it is called; "" for the environment.
        of: The module of a member.
    """

    kind: str
    name: str = ""
    of: str = ""


_ENVIRONMENT, _REQUIRE = _Known("environment"), _Known("global", "require")
_ENTRY_CALLS = (_Known("member", "call", "funcs"), _Known("member", "try", "funcs"))


def uses_of(code: bytes) -> Uses:
    """Returns what a compiled text uses; nothing if this is bytecode of another form."""
    uses = Uses()
    main = read_chunk(code)
    if main is not None:
        own = [name == ENVIRONMENT and number not in main.assigned for number, name in enumerate(main.upvalue_names)]
        _Walk(main, [_ENVIRONMENT if each else None for each in own], uses).run()
    reads = sum(name.text == "require" and not name.of for name in uses.globals)
    uses.requires_others = uses.requires_others or reads > len(uses.required)
    return uses


class _Walk:
    """One pass over a function and, where they are made, those within it."""

    def __init__(self, proto: Proto, upvalues: Sequence[_Known | None], uses: Uses) -> None:
        self._proto = proto
        self._upvalues = upvalues
        self._uses = uses
        self._registers: dict[int, _Known] = {}  # what got its value last is the last
        self._since: dict[int, int] = {}  # where each register got what it holds
        self._at = 0
        self._ends: dict[int, int] = {}  # registers of locals that have one value for good, and where that ends

    def run(self) -> None:
        joins, lasting = _joins(self._proto.code), _lasting(self._proto)
        for at, step in enumerate(self._proto.code):
            while lasting and lasting[-1].start <= at:
                local = lasting.pop()
                self._ends[local.register] = local.end
            self._at = at
            if at in joins:
                self._join(joins[at])
            self._step(at, step)

    def _join(self, since: int) -> None:
        lost = []
        for register in reversed(self._registers):
            if self._since[register] < since:
                break
            if not self._is_for_good(register):
                lost.append(register)
        for register in lost:
            del self._registers[register]

    def _is_for_good(self, register: int) -> bool:
        return self._ends.get(register, 0) > self._at

    def _step(self, at: int, step: Instruction) -> None:
        opcode, a = step.opcode, step.a
        if opcode in (Opcode.CALL, Opcode.TAILCALL):
            self._call(at, step)
        elif opcode == Opcode.SETTABUP:
            self._assign(step)
        elif opcode == Opcode.SELF:
            known = self._field(self._registers.get(step.b), self._constant(step.c) if step.k else None, at)
            self._put(a + 1, self._registers.get(step.b))
            self._put(a, known)
        elif opcode == Opcode.CLOSURE:
            self._enter(self._proto.protos[step.bx])
            self._put(a, None)
        elif opcode in (Opcode.FORLOOP, Opcode.FORPREP, Opcode.TFORCALL, Opcode.VARARG):
            self._forget(a)
        elif opcode == Opcode.LOADNIL:
            self._forget(a, a + step.b)
        elif opcode not in Opcode.WRITES_NOTHING:
            self._put(a, self._loaded(at, step))

    def _loaded(self, at: int, step: Instruction) -> _Known | None:
        match step.opcode:
            case Opcode.MOVE:
                return self._registers.get(step.b)
            case Opcode.LOADK:
                return self._constant(step.bx)
            case Opcode.LOADKX:
                return self._constant(self._proto.code[at + 1].ax)
            case Opcode.GETUPVAL:
                return self._upvalues[step.b]
            case Opcode.GETTABUP:
                return self._field(self._upvalues[step.b], self._constant(step.c), at)
            case Opcode.GETFIELD:
                return self._field(self._registers.get(step.b), self._constant(step.c), at)
            case Opcode.GETTABLE:
                return self._field(self._registers.get(step.b), self._registers.get(step.c), at)
        return None

    def _constant(self, index: int) -> _Known | None:
        text = self._proto.constants[index]
        return None if text is None else _Known("text", text)

    def _field(self, owner: _Known | None, key: _Known | None, at: int) -> _Known | None:
        if owner is None or key is None or key.kind != "text":
            return None
        if owner.kind in {"environment", "global"}:
            self._uses.globals.append(Name(key.name, self._proto.lines[at], owner.name))
        if owner.kind == "environment":
            return _Known("global", key.name)
        return _Known("member", key.name, owner.name) if owner.kind == "module" else None

    def _assign(self, step: Instruction) -> None:
        key = self._constant(step.b)
        if key is not None and self._upvalues[step.a] == _ENVIRONMENT:
            self._uses.assigned.add(key.name)

    def _call(self, at: int, step: Instruction) -> None:
        called = self._registers.get(step.a)
        arguments = step.b - 1 if step.b else None
        first = self._registers.get(step.a + 1) if arguments != 0 else None
        text = first.name if first is not None and first.kind == "text" else None
        line = self._proto.lines[at]
        self._forget(step.a)
        if called in _ENTRY_CALLS:
            self._uses.calls.append(EntryCall(text, arguments - 1 if arguments else None, line))
        elif called == _REQUIRE and text is None:
            self._uses.requires_others = True
        elif called == _REQUIRE and text is not None:
            self._uses.required.append(Name(text, line))
            self._put(step.a, _Known("module", text))

    def _enter(self, proto: Proto) -> None:
        # What it gives a value itself is not among the lasting locals, here or further out.
        seen = [self._seen(each.number) if each.in_register else self._upvalues[each.number] for each in proto.upvalues]
        _Walk(proto, seen, self._uses).run()

    def _seen(self, register: int) -> _Known | None:
        return self._registers.get(register) if self._is_for_good(register) else None

    def _put(self, register: int, known: _Known | None) -> None:
        self._registers.pop(register, None)
        if known is not None:
            self._registers[register] = known
            self._since[register] = self._at

    def _forget(self, first: int, last: int = 255) -> None:
        lost = [each for each in self._registers if first <= each <= last]
        for register in lost:
            del self._registers[register]


def _joins(code: Sequence[Instruction]) -> dict[int, int]:
    """Returns where jumps lead, with the place since which what a register has got may not be so on every way there.

    That is the first jump that leads there; for a loop, in which anything may be written further down, -1.
    """
    joins: dict[int, int] = {}
    for at, step in enumerate(code):
        for target in _targets(at, step):
            joins[target] = min(joins.get(target, at), at) if target > at else -1
    return joins


def _targets(at: int, step: Instruction) -> tuple[int, ...]:
    if step.opcode in Opcode.MAY_SKIP:
        return (at + 2,)
    if step.opcode == Opcode.JMP:
        return (at + 1 + step.jump,)
    if step.opcode in (Opcode.FORPREP, Opcode.TFORPREP):
        return at + 1 + step.bx, at + 2 + step.bx
    return (at + 1 - step.bx,) if step.opcode in (Opcode.FORLOOP, Opcode.TFORLOOP) else ()


def _lasting(proto: Proto) -> list[Local]:
    """Returns the locals that are given no other value while they are there, the last one first."""
    writes: dict[int, list[int]] = {}
    for at, register in _writes(proto):
        writes.setdefault(register, []).append(at)

    def lasts(local: Local) -> bool:
        those = writes.get(local.register, ())
        first = bisect_left(those, local.start)
        return first == len(those) or those[first] >= local.end

    return [local for local in reversed(proto.locals) if lasts(local)]


def _writes(proto: Proto) -> Iterator[tuple[int, int]]:
    for at, step in enumerate(proto.code):
        if step.opcode == Opcode.CLOSURE:
            inner = proto.protos[step.bx]
            for each in inner.assigned:
                if inner.upvalues[each].in_register:
                    yield at, inner.upvalues[each].number
        if step.opcode == Opcode.LOADNIL:
            yield from ((at, register) for register in range(step.a, step.a + step.b + 1))
        elif step.opcode not in Opcode.WRITES_NOTHING:
            yield at, step.a
