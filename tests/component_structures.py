"""Compositions drawn by chance: valid components whose parts call each other, in the many ways that there are.

Each exports functions ``(x: u32) -> u32``, by themselves or in instances. What they give, two engines must agree on.
"""

from __future__ import annotations

from random import Random

__all__ = ["drawn_composition"]

_SIGNATURE = '(param "x" u32) (result u32)'
_CORE = "(param i32) (result i32)"

# A resource and what can be done with it. Its representation is a number; `take` drops what it is given.
_MAKER = """(component {name}
  (core module $d (global $dropped (mut i32) (i32.const 0)) (func (export "dropped") (result i32) (global.get $dropped))
    (func (export "d") (param i32) (global.set $dropped (i32.add (global.get $dropped) (local.get 0)))))
  (core instance $d (instantiate $d))
  (type $r' (resource (rep i32) {destructor})) (export $r "r" (type $r'))
  (core func $new (canon resource.new $r')) (core func $rep (canon resource.rep $r'))
  (core func $drop (canon resource.drop $r'))
  (core module $m (import "" "new" (func $new (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "dropped" (func $dropped (result i32)))
    (func (export "make") (param i32) (result i32) (call $new (i32.mul (local.get 0) (i32.const {factor}))))
    (func (export "look") (param i32) (result i32) (i32.add (local.get 0) (call $dropped)))
    (func (export "take") (param i32) (result i32) (call $rep (local.get 0)) (call $drop (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new)) (export "rep" (func $rep))
    (export "drop" (func $drop)) (export "dropped" (func $d "dropped"))))))
  (func (export "make") (param "x" u32) (result (own $r)) (canon lift (core func $i "make")))
  (func (export "look") (param "r" (borrow $r)) (result u32) (canon lift (core func $i "look")))
  (func (export "take") (param "r" (own $r)) (result u32) (canon lift (core func $i "take"))))"""
_USER = """(component {name}
  (import "maker" (instance $maker (export "r" (type $r (sub resource)))
    (export "make" (func (param "x" u32) (result (own $r)))) (export "look" (func (param "r" (borrow $r)) (result u32)))
    (export "take" (func (param "r" (own $r)) (result u32)))))
  (alias export $maker "r" (type $r))
  (core func $make (canon lower (func $maker "make"))) (core func $look (canon lower (func $maker "look")))
  (core func $take (canon lower (func $maker "take"))) (core func $drop (canon resource.drop $r))
  (core module $m (import "" "make" (func $make (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (import "" "look" (func $look (param i32) (result i32))) (import "" "take" (func $take (param i32) (result i32)))
    (func (export "f") {core} (local $a i32) (local $b i32) (local $sum i32)
      (local.set $a (call $make (local.get 0))) (local.set $b (call $make (i32.const 3)))
      {uses} (local.get $sum)))
  (core instance $i (instantiate $m (with "" (instance (export "make" (func $make)) (export "look" (func $look))
    (export "take" (func $take)) (export "drop" (func $drop))))))
  (func (export "f") {signature} (canon lift (core func $i "f"))))"""
_USES = (
    "(local.set $sum (i32.add (local.get $sum) (call $look (local.get {h}))))",
    "(local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 7)) (call $take (local.get {h}))))",
    "(call $drop (local.get {h}))",
    "(local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (local.get {h})))",
    "(local.set {h} (call $make (local.get $sum)))",
)


def drawn_composition(random: Random) -> tuple[str, tuple[str, ...]]:
    """Returns the text of a component and the functions that it exports, as ``function`` or ``instance#function``."""
    return _Composition(random).text()


class _Composition:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._names = 0
        self._lines: list[str] = []
        self._functions: list[str] = []  # references to functions
        self._instances: list[str] = []  # instances with a function "f"
        self._leaves: list[str] = []  # components that import nothing and export "f"
        self._wrappers: list[tuple[str, str]] = []  # those that import a "func" or an "instance", with which
        self._makers: list[str] = []
        self._users: list[str] = []
        self._exports: list[str] = []

    def text(self) -> tuple[str, tuple[str, ...]]:
        random = self._random
        self._leaf()
        self._instance_of(self._leaves[0], "")
        steps = (self._leaf, self._wrapper, self._wrapper, self._instantiate, self._instantiate, self._regroup)
        for _ in range(random.randrange(2, 14)):
            random.choice((*steps, self._resource, self._alias, self._export))()
        self._export()
        return f"(component\n{chr(10).join(self._lines)})", tuple(self._exports)

    def _name(self) -> str:
        self._names += 1
        return f"$n{self._names}"

    def _module(self, imports: str = "") -> str:
        """Returns a core module with a function "f" that may call one."""
        random = self._random
        factor, plus = random.choice((0, 1, 3, 2**31 - 1)), random.choice((0, 1, 7, -1))
        inner = "(local.get 0)"
        for _ in range(random.randrange(1, 3) if imports else 0):
            inner = f"(call $f {inner})"
        body = f"(i32.add (i32.mul {inner} (i32.const {factor})) (i32.const {plus}))"
        if random.random() < 0.05:
            body = f"(if (i32.and {inner} (i32.const 1)) (then unreachable)) {body}"
        return f'(core module $m {imports} (func (export "f") {_CORE} {body}))'

    def _leaf(self) -> None:
        name = self._name()
        if self._leaves and self._random.random() < 0.2:  # one that holds another, which it reaches from outside
            outer = self._random.choice(self._leaves)
            self._lines.append(
                f"(component {name} (alias outer 1 {outer} (component $inner)) (instance $i (instantiate $inner)) "
                '(export "f" (func $i "f")))'
            )
        else:
            self._lines.append(
                f"(component {name} {self._module()} (core instance $i (instantiate $m)) "
                f'(func (export "f") {_SIGNATURE} (canon lift (core func $i "f"))))'
            )
        self._leaves.append(name)

    def _wrapper(self) -> None:
        name, form = self._name(), self._random.choice(("func", "instance"))
        if form == "func":
            imported, lowered = f'(import "g" (func $g {_SIGNATURE}))', "(func $g)"
        else:
            imported = f'(import "g" (instance $g (export "f" (func {_SIGNATURE}))))'
            lowered = '(func $g "f")'
        module = self._module(f'(import "" "f" (func $f {_CORE}))')
        lifted = f'(func $own {_SIGNATURE} (canon lift (core func $i "f")))'
        again = self._random.choice(('(export "f" (func $own))', _NESTED))
        self._lines.append(
            f"(component {name} {imported} (core func $f (canon lower {lowered})) {module} "
            f'(core instance $i (instantiate $m (with "" (instance (export "f" (func $f)))))) {lifted} {again})'
        )
        self._wrappers.append((name, form))

    def _instantiate(self) -> None:
        random = self._random
        if not self._wrappers or random.random() < 0.2:
            self._instance_of(random.choice(self._leaves), "")
            return
        component, form = random.choice(self._wrappers)
        if form == "func":
            self._instance_of(component, f'(with "g" (func {random.choice(self._functions)}))')
        else:
            self._instance_of(component, f'(with "g" (instance {random.choice(self._instances)}))')

    def _instance_of(self, component: str, arguments: str) -> None:
        name = self._name()
        self._lines.append(f"(instance {name} (instantiate {component} {arguments}))")
        self._instances.append(name)
        self._functions.append(f'{name} "f"')

    def _alias(self) -> None:
        name = self._name()
        self._lines.append(f'(alias export {self._random.choice(self._instances)} "f" (func {name}))')
        self._functions.append(name)

    def _regroup(self) -> None:
        name = self._name()
        self._lines.append(f'(instance {name} (export "f" (func {self._random.choice(self._functions)})))')
        self._instances.append(name)
        self._functions.append(f'{name} "f"')

    def _resource(self) -> None:
        random = self._random
        if not self._makers or random.random() < 0.3:
            component, name = self._name(), self._name()
            destructor = random.choice(("", '(dtor (core func $d "d"))'))
            self._lines.append(_MAKER.format(name=component, destructor=destructor, factor=random.choice((1, 5))))
            for each in (name, self._name()) if random.random() < 0.3 else (name,):  # two have types of their own
                self._lines.append(f"(instance {each} (instantiate {component}))")
                self._makers.append(each)
        if not self._users or random.random() < 0.5:
            component = self._name()
            uses = " ".join(random.choice(_USES).format(h=random.choice(("$a", "$b"))) for _ in range(6))
            self._lines.append(_USER.format(name=component, core=_CORE, signature=_SIGNATURE, uses=uses))
            self._users.append(component)
        self._instance_of(random.choice(self._users), f'(with "maker" (instance {random.choice(self._makers)}))')

    def _export(self) -> None:
        name = f"e{len(self._exports)}"
        if self._random.random() < 0.3:
            self._lines.append(f'(export "{name}" (instance {self._random.choice(self._instances)}))')
            self._exports.append(f"{name}#f")
        else:
            self._lines.append(f'(export "{name}" (func {self._random.choice(self._functions)}))')
            self._exports.append(name)


_NESTED = f"""(component $deep (import "f" (func $f {_SIGNATURE})) (export "f" (func $f)))
  (instance $deep (instantiate $deep (with "f" (func $own)))) (export "f" (func $deep "f"))"""
