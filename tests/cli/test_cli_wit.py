from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from commands import run
from polycall.interop.errors import PreparationError
from polycall.wasm_runtime.component.plan import ComponentFunction, LiftedFunction, Plan, RefusedFunction
from polycall.wasm_runtime.look import look_at, read_binary
from polycall.wasm_runtime.wit.wit_parser import interface_signatures, parse_wit
from polycall.wasm_runtime.worlds.of_plan import world_of
from polycall.wasm_runtime.worlds.text import package_texts, world_text
from projects import GUESTS, REPOSITORY, write_project
from wit_worlds import COMPONENTS, LINKED, QUOTE, RICH, RULES


def plan_of(path: Path) -> Plan:
    plan = look_at(read_binary(path), path.name).plan
    assert plan is not None
    return plan


def written(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Yields each function of an interface, as the plan has it and as it is read out of the text."""
    packages = package_texts(world_of(plan, "root:component", "root"))
    everything = "\n".join(packages.values())
    interfaces: list[tuple[str, Mapping[str, ComponentFunction]]] = []
    interfaces += [(each.name, each.functions) for each in plan.imports if "/" in each.name]
    interfaces += [(name, each.functions) for name, each in plan.exports.instances.items()]
    for name, functions in interfaces:
        package, _, version = name.partition("@")
        label = package.partition("/")[2]
        text = packages[package.partition("/")[0] + (f"@{version}" if version else "")]
        found = interface_signatures(everything if len(packages) == 1 else text + "\n" + everything, label)
        for function, known in functions.items():
            if not isinstance(known, RefusedFunction):
                yield f"{name}#{function}", str(known.signature), str(found[function])


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.stem)
def test_what_is_written_says_what_the_binary_does(path: Path) -> None:
    plan = plan_of(path)
    world = world_of(plan, "root:component", "root")
    text = world_text(world)
    # Resources are for components alone: what has them is looked at below.
    packages = [body for body in package_texts(world).values() if "resource " not in body and "borrow<" not in body]
    own = parse_wit(text + "\n".join(packages if len(packages) == 1 else []))
    for name, function in plan.exports.functions.items():
        if isinstance(function, LiftedFunction):
            assert str(own[name]) == str(function.signature)
    for interface in plan.imports:
        if "" in interface.functions:
            assert str(own[interface.name]) == str(interface.functions[""].signature)
        else:
            assert f"  import {interface.name};\n" in text


def test_every_kind_of_type_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rich.wat").write_text(RICH)
    done = run(capsys, "wit", str(tmp_path / "rich.wat"))
    assert done.code == 0, done.err
    assert done.out == EXPECTED


EXPECTED = """\
package root:component;

world root {
  import shop:kinds/kinds@1.0.0;
  import shop:kinds/more@1.0.0;
  import other:kinds/more;
  record size {
    w: u32,
    h: u32,
  }
  import area: func(of: size) -> u64;
}

package shop:kinds@1.0.0 {
  interface kinds {
    enum colour {
      red,
      green,
    }
    flags rights {
      read,
      write,
    }
    variant shape {
      point,
      disc(f64),
      of(colour),
    }
    type %type = list<shape>;
    resource cart {
      constructor(r: rights);
      add: func(what: shape) -> result<list<shape>, colour>;
      merge: static func(a: cart, b: cart) -> cart;
    }
    %use: func(%list: option<tuple<u8, char, bool>>) -> result;
  }

  interface more {
    use kinds.{cart as basket, shape};
    draw: func(shape: shape, in: basket);
  }
}

package other:kinds {
  interface more {
    use shop:kinds/kinds@1.0.0.{cart as basket, shape};
    draw: func(shape: shape, in: basket);
  }
}
"""


def test_of_interfaces_too(tmp_path: Path) -> None:
    for path in (QUOTE, GUESTS / "bin" / "caller.wasm"):
        found = list(written(plan_of(path)))
        assert found
        assert [(name, is_written) for name, _, is_written in found] == [(name, known) for name, known, _ in found]


def test_without_a_target_it_is_what_every_component_may_import(capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "wit")
    assert (done.code, done.out) == (0, (REPOSITORY / "wasm_runtime" / "wit" / "funcs.wit").read_text())


def test_a_world_is_written_of_what_is_declared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, index=LINKED, rules_yaml=RULES)
    done = run(capsys, "-C", str(tmp_path), "wit", "app:bill", "--output", str(tmp_path / "wit"))
    assert done.code == 0, done.err
    files = {path.relative_to(tmp_path / "wit").as_posix(): path.read_text() for path in tmp_path.rglob("*.wit")}
    assert sorted(files) == [
        "deps/shop-bill-0.1.0.wit", "deps/shop-rules-1.0.0.wit", "deps/shop-rules.wit",
        "deps/wippy-runtime-0.1.0.wit", "world.wit",
    ]  # fmt: skip
    made = "// Made by polycall wit app:bill; what is changed here is lost the next time.\n"
    assert files["world.wit"] == made + WORLD
    assert "interface tax {\n  record rate {\n    percent: u32,\n  }\n" in files["deps/shop-rules-1.0.0.wit"]
    assert "  tax-rate: func(country: string) -> rate;\n" in files["deps/shop-rules-1.0.0.wit"]
    again = run(capsys, "-C", str(tmp_path), "wit", "app:bill", "--output", str(tmp_path / "wit"))
    assert again.code == 0
    (tmp_path / "wit" / "world.wit").write_text("package mine;\n")
    refused = run(capsys, "-C", str(tmp_path), "wit", "app:bill", "--output", str(tmp_path / "wit"))
    assert (refused.code, (tmp_path / "wit" / "world.wit").read_text()) == (5, "package mine;\n")


WORLD = """\
package app:bill;

world bill {
  // It is granted wasi:cli: the toolchain has the WIT of that.
  import wippy:runtime/funcs@0.1.0;
  import shop:rules/tax@1.0.0;
  import shop:rules/other;
  import label: interface {
    use shop:rules/tax@1.0.0.{rate};
    is-open: func() -> bool;
    tax-rate: func(country: string) -> rate;
  }
  export shop:bill/sums@0.1.0;
  import plain: func() -> bool;
  export bill: func(country: string) -> result<u32, string>;
}
"""


def test_a_world_of_ones_own_stays_and_gets_what_it_may_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "package app:bill;\nworld bill {\n  export bill: func(country: string) -> result<u32, string>;\n}\n"
    (tmp_path / "wit").mkdir()
    (tmp_path / "wit" / "world.wit").write_text(text)
    index = LINKED.replace('"bill: func(country: string) -> result<u32, string>"', "file://wit/world.wit")
    write_project(tmp_path, index=index, rules_yaml=RULES)
    done = run(capsys, "-C", str(tmp_path), "wit", "app:bill", "--output", str(tmp_path / "wit"))
    assert done.code == 0, done.err
    assert (tmp_path / "wit" / "world.wit").read_text() == text
    assert (tmp_path / "wit" / "deps" / "shop-rules-1.0.0.wit").exists()
    done = run(capsys, "-C", str(tmp_path), "wit", "app:bill", "--output", str(tmp_path / "elsewhere"))
    assert done.code == 0, done.err
    assert (tmp_path / "elsewhere" / "world.wit").read_text().endswith(f"the next time.\n{text}")
    assert run(capsys, "-C", str(tmp_path), "wit", "app:bill").out.replace("\n\n", "\n") == text
    assert run(capsys, "-C", str(tmp_path), "wit", "app.rules:tax_rate").out == LUA


LUA = """\
package app-rules:tax-rate;

world tax-rate {
  record rate {
    percent: u32,
  }
  export tax-rate: func(country: string) -> rate;
}
"""


def test_what_has_no_types_is_named_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(tmp_path, index=LINKED, rules_yaml=RULES.replace(', wit: "f: func() -> bool"', ""))
    done = run(capsys, "-C", str(tmp_path), "wit", "app:bill", "--output", str(tmp_path / "wit"))
    assert done.code == 5
    assert "app.rules:is_open does not say what it takes and gives" in done.err
    assert 'give it a wit, such as "is-open: func(text: string) -> string"' in done.err
    assert not (tmp_path / "wit").exists()
    assert (
        "is function.lua; only WebAssembly has a world"
        in run(capsys, "-C", str(tmp_path), "wit", "app.rules:is_open", "-o", str(tmp_path / "wit")).err
    )
    shutil.copy(GUESTS / "bin" / "c-echo-core.wasm", tmp_path / "core.wasm")
    assert "is a core module" in run(capsys, "wit", str(tmp_path / "core.wasm")).err


def test_a_text_of_types_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polycall.wasm_runtime.worlds.text._MOST_CHARACTERS", 100)
    with pytest.raises(PreparationError, match="characters to write down"):
        package_texts(world_of(plan_of(QUOTE), "root:component", "root"))


def test_what_a_lua_function_says_of_itself_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index = (
        "namespace: app\nname: f\nkind: function.lua\nmethod: tax_of\nwit: {}\nsource: return {{ tax_of = print }}\n"
    )
    write_project(tmp_path, index=index.format('"tax-of: func(country: string) -> u32"'))
    assert run(capsys, "-C", str(tmp_path), "check").out == "no problems in 1 entry\n"
    write_project(tmp_path, index=index.format('"tax-of: func(country: text) -> u32"'))
    assert (
        '_index.yaml:5:6: error: wit: app:f: wit:1:23: unknown type "text"'
        in run(capsys, "-C", str(tmp_path), "check").out
    )
    write_project(tmp_path, index=index.format('"rate-of: func() -> u32"'))
    assert 'the wit does not declare "tax-of"' in run(capsys, "-C", str(tmp_path), "check").out


def test_what_a_lua_function_says_must_fit_what_is_linked_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = Path(shutil.copytree(REPOSITORY / "examples" / "06-typed-links", tmp_path / "links"))
    assert run(capsys, "-C", str(example), "check").code == 0
    rules = (example / "rules.yaml").read_text("utf-8")
    told = "wit: file://guests/rules.wit"
    assert rules.count(told) == 2
    (example / "rules.yaml").write_text(rules.replace(told, 'wit: "rate: func(country: string) -> u64"', 1), "utf-8")
    out = run(capsys, "-C", str(example), "check").out
    assert "shop:rules/tax@1.0.0#rate is imported as func(country: string) -> result<u32, " in out
    assert "shop.rules:rate is func(country: string) -> u64" in out


def test_so_is_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polycall.wasm_runtime.worlds.text._MOST_NAMES", 3)
    with pytest.raises(PreparationError, match="more than 3 types and functions"):
        world_text(world_of(plan_of(QUOTE), "root:component", "root"))
