"""What a guest imports: granted, denied, unknown, of types alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polycall.interop.errors import ImportDeniedError, PreparationError
from polycall.interop.protocols import ImportNeed
from polycall.wasm_runtime.component.host import Interfaces
from polycall.wasm_runtime.hosts.funcs import Funcs
from polycall.wasm_runtime.runtime import WasmRuntime
from wasm_guests import FUNCS_CALLER, FakeInvoker, call, open_runtime, prepare

GUESTS = Path(__file__).parents[2] / "guests" / "wat"


def importing(interface: str) -> str:
    """Returns a component that calls `f` of an interface in `call-it`, and does not in `safe`."""
    return f"""(component
      (import "{interface}" (instance $host (export "f" (func))))
      (core func $f (canon lower (func $host "f")))
      (core module $m (import "host" "f" (func $f))
        (func $calling (export "call-it") (call $f)) (func (export "safe") (result i32) (i32.const 7)))
      (core instance $i (instantiate $m (with "host" (instance (export "f" (func $f))))))
      (func (export "call-it") (canon lift (core func $i "call-it")))
      (func (export "safe") (result u32) (canon lift (core func $i "safe"))))"""


EXPORTS_F = """(core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f")))"""
CORE = """(module (import "env" "f" (func $f (param i32) (result i64))) (import "wasi_snapshot_preview1" "g" (func $g))
  (func (export "safe") (result i32) (i32.const 7))
  (func (export "env") (drop (call $f (i32.const 1))))
  (func (export "wasi") (call $g)))"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmRuntime]:
    with open_runtime(Path(tmp_path_factory.mktemp("cache"))) as runtime:
        yield runtime


@pytest.mark.parametrize(
    ("interface", "grants", "message"),
    [
        (
            "wasi:clocks/monotonic-clock@0.2.3",
            (),
            "the guest called wasi:clocks/monotonic-clock@0.2.3#f, which its entry does not grant "
            '(add "wasi:clocks" to its imports)',
        ),
        (
            "wasi:clocks/monotonic-clock@0.3.0",
            ("wasi:clocks",),
            "the guest called wasi:clocks/monotonic-clock@0.3.0#f; this version of polycall offers "
            "wasi:clocks/monotonic-clock@0.2.12",
        ),
        (
            "wasi:cli/environment@0.2.3",
            (),
            'the guest called wasi:cli/environment@0.2.3#f, which its entry does not grant (add "wasi:cli" to its '
            "imports; if that is how its toolchain reports an uncaught exception, it has failed: "
            "then the message is in its log, or in the err of an export that returns a result)",
        ),
        ("test:host/x", ("funcs",), "the guest called test:host/x#f, which polycall does not offer"),
        (
            "wasi:clocks/monotonic-clocks@0.2.3",
            (),
            "the guest called wasi:clocks/monotonic-clocks@0.2.3#f, which polycall does not offer "
            '(did you mean "wasi:clocks/monotonic-clock"',
        ),
        (
            "wippy:runtime/funcs@0.2.0",
            ("funcs",),
            "the guest called wippy:runtime/funcs@0.2.0#f; this version of polycall offers wippy:runtime/funcs@0.1.0",
        ),
    ],
)
def test_a_call_to_an_import_nothing_stands_behind_traps_and_names_it(
    runtime: WasmRuntime, interface: str, grants: tuple[str, ...], message: str
) -> None:
    instance = prepare(runtime, importing(interface), "call-it", grants=grants).instantiate()
    with pytest.raises(ImportDeniedError) as caught:
        call(instance)
    assert str(caught.value).startswith(message)
    assert caught.value.entry_id == "app:guest"
    assert "m!calling" in (caught.value.guest_traceback or "")
    assert instance.poisoned


@pytest.mark.parametrize("interface", ["wasi:clocks/monotonic-clock@0.2.3", "test:host/x"])
def test_a_denied_import_does_not_keep_a_component_from_running(runtime: WasmRuntime, interface: str) -> None:
    assert call(prepare(runtime, importing(interface), "safe").instantiate()) == 7


def test_what_is_needed_and_what_is_denied_can_be_asked(runtime: WasmRuntime) -> None:
    function = prepare(runtime, importing("wasi:io/poll@0.2.8"), "safe", grants=("wasi:clocks",))
    assert function.imports == (ImportNeed("wasi:io/poll@0.2.8", "wasi:io", False, True),)
    granted = prepare(runtime, importing("wasi:io/poll@0.2.8"), "safe", grants=("wasi:io",))
    assert granted.imports == (ImportNeed("wasi:io/poll@0.2.8", "wasi:io", True, True),)
    assert prepare(runtime, importing("test:host/x"), "safe").imports == (
        ImportNeed("test:host/x", None, False, False),
    )


def test_strict_imports_refuse_a_component_that_needs_more(runtime: WasmRuntime) -> None:
    with pytest.raises(ImportDeniedError) as caught:
        prepare(runtime, importing("wasi:io/poll@0.2.8"), "safe", strict_imports=True)
    assert str(caught.value) == (
        "the guest imports what its entry does not grant: wasi:io/poll@0.2.8 (add wasi:io to its imports)"
    )
    with pytest.raises(ImportDeniedError, match="polycall does not offer test:host/x"):
        prepare(runtime, importing("test:host/x"), "safe", strict_imports=True)


def test_strict_imports_take_a_component_that_needs_what_is_granted(runtime: WasmRuntime) -> None:
    guest = importing("wasi:io/poll@0.2.8")
    assert call(prepare(runtime, guest, "safe", grants=("wasi:io",), strict_imports=True).instantiate()) == 7


def test_an_import_of_types_alone_asks_for_nothing(runtime: WasmRuntime) -> None:
    guest = """(component
      (import "test:host/types" (instance $types (type $r (record (field "a" u32))) (export "r" (type (eq $r)))))
      (core module $m (func (export "f") (result i32) (i32.const 1)))
      (core instance $i (instantiate $m))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    function = prepare(runtime, guest, "f", strict_imports=True)
    assert function.imports == ()
    assert call(function.instantiate()) == 1


def test_imported_resources_and_their_functions_do_not_stop_a_component(runtime: WasmRuntime) -> None:
    guest = """(component
      (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
      (alias export $error "error" (type $e))
      (import "wasi:io/streams@0.2.0" (instance $streams
        (alias outer 1 $e (type $e')) (export "error" (type $error (eq $e')))
        (export "input-stream" (type $in (sub resource)))
        (export "[method]input-stream.fail" (func (param "self" (borrow $in)) (result (own $error))))))
      (core module $m (func (export "f") (result i32) (i32.const 1)))
      (core instance $i (instantiate $m))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    function = prepare(runtime, guest, "f")
    assert [need.name for need in function.imports] == ["wasi:io/error@0.2.0", "wasi:io/streams@0.2.0"]
    assert call(function.instantiate()) == 1


def test_a_function_imported_on_its_own_is_named_by_its_name(runtime: WasmRuntime) -> None:
    guest = """(component
      (import "ring-bell" (func $f))
      (core func $f (canon lower (func $f)))
      (core module $m (import "host" "f" (func $f)) (func (export "f") (call $f)))
      (core instance $i (instantiate $m (with "host" (instance (export "f" (func $f))))))
      (func (export "f") (canon lift (core func $i "f"))))"""
    with pytest.raises(ImportDeniedError, match="the guest called ring-bell, which polycall does not offer"):
        call(prepare(runtime, guest, "f").instantiate())


def test_a_component_that_imports_a_module_is_refused(runtime: WasmRuntime) -> None:
    with pytest.raises(PreparationError, match='imports "part", a whole module or component'):
        prepare(runtime, f'(component (import "part" (core module)) {EXPORTS_F})', "f")


def test_funcs_imported_with_other_types_is_refused_when_granted(runtime: WasmRuntime) -> None:
    wrong = '(import "wippy:runtime/funcs@0.1.0" (instance (export "call-string" (func (param "x" u32)))))'
    with pytest.raises(PreparationError, match=r"imports wippy:runtime/funcs@0.1.0#call-string as func\(x: u32\)"):
        prepare(runtime, f"(component {wrong} {EXPORTS_F})", "f", grants=("funcs",))


def test_a_component_without_the_grant_cannot_call_others(tmp_path: Path) -> None:
    invoker = FakeInvoker(echo=lambda payload, _caller: payload)
    with open_runtime(tmp_path, invoker) as runtime:
        denied = prepare(runtime, FUNCS_CALLER, "relay-string").instantiate()
        with pytest.raises(ImportDeniedError, match=r'funcs@0\.1\.0#call-string, .* \(add "funcs" to its imports\)'):
            call(denied, "app:echo", "x")
        assert invoker.calls == []
        granted = prepare(runtime, FUNCS_CALLER, "relay-string", grants=("funcs",)).instantiate()
        assert call(granted, "app:echo", "x") == {"ok": "x"}


def test_core_modules_run_with_imports_nobody_gives_until_they_call_them(runtime: WasmRuntime) -> None:
    function = prepare(runtime, CORE, "safe", "safe: func() -> u32")
    assert function.imports == (
        ImportNeed("env", None, False, False),
        ImportNeed("wasi_snapshot_preview1", "wasi1", False, True),
    )
    assert call(function.instantiate()) == 7


@pytest.mark.parametrize(
    ("method", "grants", "message"),
    [
        ("env", (), "the guest called env#f, which polycall does not offer"),
        ("wasi", (), "the guest called wasi_snapshot_preview1#g, which its entry does not grant"),
        ("wasi", ("wasi1",), "the guest called wasi_snapshot_preview1#g, which is not in wasi_snapshot_preview1"),
    ],
)
def test_a_core_module_that_calls_such_an_import_is_told_its_name(
    runtime: WasmRuntime, method: str, grants: tuple[str, ...], message: str
) -> None:
    instance = prepare(runtime, CORE, method, f"{method}: func()", grants=grants).instantiate()
    with pytest.raises(ImportDeniedError) as caught:
        call(instance)
    assert message in str(caught.value)


def test_funcs_is_for_components(runtime: WasmRuntime) -> None:
    guest = '(module (import "wippy:runtime/funcs@0.1.0" "call-string" (func $f)) (func (export "f") (call $f)))'
    with pytest.raises(ImportDeniedError, match="which is for components; this is a core module"):
        call(prepare(runtime, guest, "f", "f: func()", grants=("funcs",)).instantiate())


@pytest.mark.parametrize(
    "item",
    ['"memory" (memory 1)', '"table" (table 1 funcref)', '"global" (global i32)'],
    ids=["memory", "table", "global"],
)
def test_a_core_module_that_imports_more_than_functions_is_refused(runtime: WasmRuntime, item: str) -> None:
    guest = f'(module (import "env" {item}) (func (export "f")))'
    kind = item.partition(" ")[0].strip('"')
    with pytest.raises(PreparationError, match=f"the module imports the {kind} env#{kind}, which nobody gives it"):
        prepare(runtime, guest, "f", "f: func()")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("wippy:runtime/funcs@0.1.0", True),
        ("wippy:runtime/funcs", True),
        ("wippy:runtime/funcs@0.1.1", True),
        ("wippy:runtime/funcs@0.2.0", False),
        ("wippy:runtime/funcs@1.0.0", False),
        ("wippy:runtime/funcs@0.1.0-rc.1", True),
        ("wippy:runtime/other@0.1.0", False),
    ],
)
def test_a_version_of_funcs_is_ours_if_ours_can_stand_in_for_it(name: str, ours: bool) -> None:
    assert (Interfaces([Funcs(FakeInvoker())]).find(name) is not None) is ours
