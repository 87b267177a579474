"""``wasi:cli``: environment, exit, the standard streams; as classes, and through the engine."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import polycall
from polycall.interop.errors import CallError, ConversionError, ExitError, NotFoundError, TrapError
from polycall.interop.ids import EntryId
from polycall.wasm_runtime.function import WasmFunction, WasmInstance
from polycall.wasm_runtime.runtime import WasmRuntime
from polycall.wasm_runtime.spec import WasiEnvSpec
from polycall.wasm_runtime.wasi.cli.environment import Environment
from polycall.wasm_runtime.wasi.cli.exit import Exit
from polycall.wasm_runtime.wasi.cli.stderr import Stderr
from polycall.wasm_runtime.wasi.cli.stdin import Stdin
from polycall.wasm_runtime.wasi.cli.stdout import Stdout
from polycall.wasm_runtime.wasi.cli.terminal_input import TerminalInput
from polycall.wasm_runtime.wasi.cli.terminal_output import TerminalOutput
from polycall.wasm_runtime.wasi.cli.terminal_stderr import TerminalStderr
from polycall.wasm_runtime.wasi.cli.terminal_stdin import TerminalStdin
from polycall.wasm_runtime.wasi.cli.terminal_stdout import TerminalStdout
from polycall.wasm_runtime.wasi.console import Console
from projects import GUESTS, hash_of
from wasi_sessions import STORE, new_session, store_of
from wasi_shell import SHELL, START_EXIT
from wasm_guests import context, open_runtime, prepare

GROUPS = ("wasi:cli", "wasi:io", "wasi:clocks", "wasi:random")


# --- the classes ---


class Variables:
    """Variables by id, as services; one may fail."""

    def __init__(self, **values: str) -> None:
        self.values = {f"app:{name}": value for name, value in values.items()}

    @property
    def environment(self) -> Variables:
        return self

    def get(self, name: str, namespace: str | None = None) -> str:
        if name == "app:broken":
            raise CallError("the storage cannot be read")
        if name not in self.values:
            raise NotFoundError(f"{name} has no value", hint="set it")
        return self.values[name]


def environment_of(services: Any, *names: str, required: bool = False, console: Console | None = None) -> Any:
    env = tuple(WasiEnvSpec(EntryId("app", name), f" {name.upper()} ", required) for name in names)
    session = new_session(services=services, env=env, console=console)
    return Environment().get_environment(store_of(session))


def test_variables_have_the_names_that_the_guest_is_to_see_and_the_order_of_the_declaration() -> None:
    assert environment_of(Variables(b="2", a="1"), "b", "a") == [["B", "2"], ["A", "1"]]
    assert environment_of(None) == []


def test_a_variable_without_a_value_is_left_out_unless_it_is_required() -> None:
    assert environment_of(Variables(a="1"), "a", "missing") == [["A", "1"]]
    with pytest.raises(CallError, match=r"wasi\.env: the variable app:missing is required and has no value") as caught:
        environment_of(Variables(a="1"), "a", "missing", required=True)
    assert (caught.value.kind, caught.value.hint) == ("NotFound", "set it")


@pytest.mark.parametrize("required", [False, True])
def test_a_storage_that_cannot_be_read_is_no_variable_without_a_value(required: bool) -> None:
    with pytest.raises(CallError, match="the storage cannot be read"):
        environment_of(Variables(), "broken", required=required)


def test_without_services_there_are_no_variables_to_be_had() -> None:
    with pytest.raises(CallError, match="the host offers no environment variables here"):
        environment_of(None, "a")


def test_a_command_has_the_variables_of_its_run_before_those_of_its_entry() -> None:
    console = Console(None, None, None, variables=(("RUN", "x"),))
    assert environment_of(Variables(a="1"), "a", console=console) == [["RUN", "x"], ["A", "1"]]


@pytest.mark.parametrize("required", [False, True])
def test_a_variable_of_the_run_stands_for_that_of_the_entry_whether_it_has_a_value_or_not(required: bool) -> None:
    console = Console(None, None, None, variables=(("A", "x"), ("MISSING", "y")))
    values = environment_of(Variables(a="1", b="2"), "a", "b", "missing", required=required, console=console)
    assert values == [["A", "x"], ["MISSING", "y"], ["B", "2"]]


def test_what_is_no_text_is_told_by_its_place() -> None:
    console = Console(None, None, None, ("tool", "\udcff"), (("A\n", "\udcff"),))
    with pytest.raises(ConversionError) as caught:
        Environment().get_arguments(store_of(new_session(console=console)))
    assert caught.value.message == "argument 1: expected text in UTF-8, got other bytes"
    with pytest.raises(ConversionError) as caught:
        environment_of(None, console=console)
    assert caught.value.message == r"variable A\n: expected text in UTF-8, got other bytes"


def test_arguments_and_folder_are_those_of_the_entry_or_of_the_run() -> None:
    plain = store_of(new_session())
    assert Environment().get_arguments(plain) == []
    assert Environment().initial_cwd(plain) == "/"
    declared = store_of(new_session(args=("guest", "-v"), cwd="/data"))
    assert Environment().get_arguments(declared) == ["guest", "-v"]
    assert Environment().initial_cwd(declared) == "/data"
    run = store_of(new_session(args=("guest",), console=Console(None, None, None, ("tool", "x"))))
    assert Environment().get_arguments(run) == ["tool", "x"]


def test_exit_is_an_error_with_a_status() -> None:
    for status, given in (({"ok": None}, 0), ({"err": None}, 1)):
        with pytest.raises(ExitError, match=f"^the guest exited with status {given}$") as caught:
            Exit().exit(STORE, status)
        assert caught.value.exit_status == given
    for code in (0, 1, 255):
        with pytest.raises(ExitError, match=f"the guest exited with status {code}$"):
            Exit().exit_with_code(STORE, code)


def test_the_standard_streams_of_a_function_are_an_empty_input_and_its_log(caplog: pytest.LogCaptureFixture) -> None:
    store = store_of(new_session())
    assert Stdin().get_stdin(store).read(STORE, 1) == {"err": {"closed": True}}
    with caplog.at_level(logging.INFO, "polycall.entry.app:guest"):
        Stdout().get_stdout(store).blocking_write_and_flush(STORE, b"out\n")
        Stderr().get_stderr(store).blocking_write_and_flush(STORE, b"err\n")
    assert [(record.levelname, record.message) for record in caplog.records] == [("INFO", "out"), ("WARNING", "err")]


def test_a_terminal_is_there_only_where_there_is_one() -> None:
    import pty

    master, terminal = pty.openpty()
    try:
        ask = (TerminalStdin().get_terminal_stdin, TerminalStdout().get_terminal_stdout)
        ask_error = TerminalStderr().get_terminal_stderr
        store = store_of(new_session(console=Console(terminal, terminal, terminal)))
        assert isinstance(ask[0](store), TerminalInput)
        assert isinstance(ask[1](store), TerminalOutput)
        assert isinstance(ask_error(store), TerminalOutput)
        for store in (store_of(new_session()), store_of(new_session(console=Console(0, None, None)))):
            assert ask[1](store) is None
            assert ask_error(store) is None
        assert TerminalStdin().get_terminal_stdin(store_of(new_session())) is None
    finally:
        os.close(master)
        os.close(terminal)


# --- through the engine ---


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[WasmRuntime]:
    with open_runtime(tmp_path / "cache") as runtime:
        yield runtime


@pytest.fixture
def shell(runtime: WasmRuntime) -> WasmFunction:
    return prepare(runtime, SHELL, "keep", grants=GROUPS)


class Shell:
    """One instance, whose exports are called one after the other, each in a call of its own."""

    def __init__(self, function: WasmFunction) -> None:
        self.instance: WasmInstance = function.instantiate()
        self._function = function

    def call(self, export: str, *arguments: Any) -> Any:
        found = self._function.exports.functions[export]
        return self.instance.call(arguments, context(), found)  # type: ignore[arg-type]  # none of them is refused


def test_a_stream_that_lasts_serves_the_next_call_and_a_pollable_does_not(shell: WasmFunction) -> None:
    guest = Shell(shell)
    guest.call("keep")
    guest.call("kept-stream")
    with pytest.raises(
        TrapError, match="the guest used a resource that is gone: it was closed when the call that opened it ended"
    ):
        guest.call("kept-pollable")
    assert guest.instance.poisoned
    guest.instance.close()
    again = Shell(shell)
    again.call("keep")
    again.call("drop-kept")  # to let go of it is no use
    again.call("kept-stream")
    again.instance.close()


def test_a_guest_that_never_drops_what_it_is_given_costs_a_constant(shell: WasmFunction) -> None:
    guest = Shell(shell)
    guest.call("leak", 50_000)
    session = guest.instance._store.session
    assert session is not None
    assert not session._lasting  # type: ignore[attr-defined]  # a Session
    with pytest.raises(polycall.LimitError, match="the guest has 100000 resource handles"):
        guest.call("leak", 50_001)
    guest.instance.close()


def test_pollables_are_bounded_in_each_call_and_free_again_in_the_next(shell: WasmFunction) -> None:
    guest = Shell(shell)
    for _ in range(3):
        guest.call("subscribe", 16_384)
    with pytest.raises(polycall.LimitError, match="the guest has 16384 pollables"):
        guest.call("subscribe", 16_385)
    guest.instance.close()


def test_an_empty_poll_and_a_write_without_a_permit_trap(shell: WasmFunction) -> None:
    for export, message in (
        ("poll-none", "poll was called with an empty list"),
        ("too-much", "the guest wrote 1 byte"),
    ):
        guest = Shell(shell)
        with pytest.raises(TrapError, match=message):
            guest.call(export)
        assert guest.instance.poisoned
        guest.instance.close()


def test_random_numbers_and_the_time_of_day_arrive(shell: WasmFunction) -> None:
    guest = Shell(shell)
    assert len({guest.call("bytes", 16), guest.call("bytes", 16), guest.call("insecure-bytes", 16)}) == 3
    assert guest.call("bytes", 0) == b""
    assert guest.call("u64") != guest.call("insecure-u64")
    assert len(set(guest.call("seed"))) == 2
    assert guest.call("wall-now")["seconds"] > 1_700_000_000
    assert guest.call("wall-resolution")["seconds"] == 0
    with pytest.raises(polycall.LimitError, match="random bytes; one call gives at most 1048576"):
        guest.call("bytes", 2**64 - 1)
    guest.instance.close()


def test_the_descriptors_of_the_host_stay_flat(shell: WasmFunction) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("nobody says which descriptors are open here")
    guest = Shell(shell)  # with the first instance, the engine opens what its memory is copied from
    before = len(list(folder.iterdir()))
    for _ in range(2_000):
        guest.call("subscribe", 1)
    for _ in range(100):
        Shell(shell).instance.close()
    assert len(list(folder.iterdir())) == before
    guest.instance.close()


@pytest.mark.parametrize(
    ("export", "group"),
    [("arguments", "wasi:cli"), ("print", "wasi:cli"), ("u64", "wasi:random"), ("wall-now", "wasi:clocks")],
)
def test_what_is_granted_works_and_what_is_not_is_refused_by_name(
    runtime: WasmRuntime, export: str, group: str
) -> None:
    arguments = (1,) if export == "print" else ()
    granted = prepare(runtime, SHELL, export, grants=GROUPS).instantiate()
    granted.call(arguments, context())
    granted.close()
    denied = prepare(runtime, SHELL, export, grants=[each for each in GROUPS if each != group]).instantiate()
    with pytest.raises(polycall.ImportDeniedError, match=rf'{group}/.*add "{group}" to its imports'):
        denied.call(arguments, context())
    denied.close()


def test_streams_that_are_granted_without_their_group_can_be_had_but_not_used(runtime: WasmRuntime) -> None:
    denied = prepare(runtime, SHELL, "print", grants=["wasi:cli"]).instantiate()
    with pytest.raises(polycall.ImportDeniedError, match=r'wasi:io/streams.*add "wasi:io" to its imports'):
        denied.call((1,), context())
    denied.close()


# --- exit ---


@pytest.mark.parametrize(
    ("export", "argument", "status"),
    [("exit", {"ok": None}, 0), ("exit", {"err": None}, 1), ("exit-with-code", 0, 0), ("exit-with-code", 255, 255)],
)
def test_exit_ends_the_call_and_the_instance(shell: WasmFunction, export: str, argument: Any, status: int) -> None:
    guest = Shell(shell)
    if status:
        with pytest.raises(ExitError, match=f"the guest exited with status {status}$") as caught:
            guest.call(export, argument)
        assert (caught.value.exit_status, caught.value.entry_id, caught.value.code) == (status, "app:guest", "exit")
    else:
        assert guest.call(export, argument) is None
    assert guest.instance.poisoned
    guest.instance.close()


@pytest.mark.parametrize("status", [0, 3])
def test_a_guest_that_exits_while_it_starts_cannot_be_called(runtime: WasmRuntime, status: int) -> None:
    function = prepare(runtime, START_EXIT.replace("STATUS", str(status)), grants=["wasi:cli"])
    with pytest.raises(ExitError, match=f"its start-up code has ended it: the guest exited with status {status}$"):
        function.instantiate()


CALLER = """(component
  (import "app:others/exits" (instance $others (export "run" (func))))
  (core func $run (canon lower (func $others "run")))
  (core module $m (import "h" "run" (func $run)) (func (export "run") (call $run)))
  (core instance $i (instantiate $m (with "h" (instance (export "run" (func $run))))))
  (func (export "run") (canon lift (core func $i "run"))))
"""


@pytest.mark.parametrize("status", [0, 3])
def test_the_exit_of_another_entry_is_no_success_of_its_caller(tmp_path: Path, status: int) -> None:
    (tmp_path / "caller.wat").write_text(CALLER)
    (tmp_path / "starting.wat").write_text(START_EXIT.replace("STATUS", str(status)))
    (tmp_path / "_index.yaml").write_text("""
namespace: app
entries:
  - {name: caller, kind: function.wat, source: file://caller.wat, method: run,
     links: {"app:others/exits#run": "app:starting"}}
  - {name: starting, kind: function.wat, source: file://starting.wat, method: run, imports: ["wasi:cli"]}
""")
    with polycall.load(tmp_path) as registry, pytest.raises(ExitError, match=f"exited with status {status}$") as caught:
        registry.call("app:caller")
    assert caught.value.entry_id == "app:starting"


PROGRAMS = (("c-echo.wasm", "wasi:cli/run#run"), ("c-echo-core.wasm", "_start"), ("rust-tour.wasm", "wasi:cli/run#run"))


@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize(("path", "method"), PROGRAMS)
def test_a_program_that_is_called_as_a_function_has_an_instance_for_each_call(
    tmp_path: Path, path: str, method: str, isolation: str
) -> None:
    """What toolchains make of a ``main`` runs once: a C library traps when it is begun a second time."""
    (tmp_path / "data").mkdir()
    (tmp_path / "_index.yaml").write_text(f"""
namespace: app
entries:
  - {{name: bin, kind: fs.directory, directory: {json.dumps(str(GUESTS / "bin"))}}}
  - {{name: data, kind: fs.directory, directory: data}}
  - {{name: program, kind: function.wasm, fs: bin, path: {path}, hash: "{hash_of(GUESTS / "bin" / path)}",
     method: "{method}", imports: ["wasi:cli", "wasi:io", "wasi:clocks", "wasi:random", "wasi:filesystem", wasi1],
     wasi: {{args: [program, /data], mounts: [{{fs: data, guest: /data}}]}},
     isolation: {isolation}, pool: {{type: static, size: 1}}}}
""")
    with polycall.load(tmp_path) as registry:
        first = registry.call("app:program")
        assert [registry.call("app:program") for _ in range(3)] == [first] * 3


# --- in a project ---

INDEX = f"""
version: "1.0"
namespace: app
entries:
  - {{name: memory, kind: env.storage.memory}}
  - {{name: color, kind: env.variable, variable: COLOR, storage: memory, default: blue}}
  - {{name: other, kind: env.variable, variable: OTHER, storage: memory}}
  - {{name: must, kind: env.variable, variable: MUST, storage: memory}}
  - name: lua
    kind: function.lua
    method: f
    modules: [funcs, env]
    source: |
      return {{ f = function(word, ...)
        if word == "set" then return require("env").set(...) end
        local value, err = require("funcs").call(...)
        if err then return {{ kind = err:kind(), text = tostring(err) }} end
        return {{ value = value, nothing = value == nil }}
      end }}
  - name: guests
    kind: fs.directory
    directory: {json.dumps(str(GUESTS / "bin"))}
  - name: js
    kind: function.wasm
    fs: guests
    path: js-caller.wasm
    hash: {hash_of(GUESTS / "bin" / "js-caller.wasm")}
    method: boom
    imports: [funcs, "wasi:cli", "wasi:io", "wasi:clocks", "wasi:random"]
"""
ENTRY = """
  - name: NAME
    kind: function.wat
    source: file://shell.wat
    method: METHOD
    imports: ["wasi:cli", "wasi:io", "wasi:clocks", "wasi:random"]
    isolation: ISOLATION
    wasi:
      args: [guest, "--color"]
      cwd: /home
      env:
        - {id: color, name: COLOR}
        - {id: other, name: OTHER}
        MORE
"""
ISOLATIONS = ("none", "process")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[polycall.Registry]:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "shell.wat").write_text(SHELL)
    entries = [INDEX]
    for isolation in ISOLATIONS:
        for method in ("environment", "arguments", "cwd", "exit-with-code", "print"):
            entry = ENTRY.replace("NAME", f"{method}-{isolation}").replace("METHOD", method)
            entries.append(entry.replace("ISOLATION", isolation).replace("MORE", ""))
        entry = ENTRY.replace("NAME", f"must-{isolation}").replace("METHOD", "environment")
        entries.append(
            entry.replace("ISOLATION", isolation).replace("MORE", "- {id: must, name: MUST, required: true}")
        )
    (folder / "_index.yaml").write_text("".join(entries))
    with polycall.load(folder) as registry:
        yield registry


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_variables_have_the_values_of_the_moment_and_their_defaults(
    registry: polycall.Registry, isolation: str
) -> None:
    environment = f"app:environment-{isolation}"
    registry.call("app:lua", "set", "app:other", "")
    assert registry.call(environment) == [["COLOR", "blue"]]
    registry.call("app:lua", "set", "app:other", "now ä")
    assert registry.call(environment) == [["COLOR", "blue"], ["OTHER", "now ä"]]
    assert registry.call(f"app:arguments-{isolation}") == ["guest", "--color"]
    assert registry.call(f"app:cwd-{isolation}") == "/home"


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_required_variable_without_a_value_fails_the_call(registry: polycall.Registry, isolation: str) -> None:
    registry.call("app:lua", "set", "app:must", "")
    with pytest.raises(CallError, match=r"wasi\.env: the variable app:must is required and has no value"):
        registry.call(f"app:must-{isolation}")
    registry.call("app:lua", "set", "app:must", "here")
    variables = registry.call(f"app:must-{isolation}")
    assert isinstance(variables, list)
    assert ["MUST", "here"] in variables


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_exit_of_an_entry_is_success_or_an_error_with_its_status(registry: polycall.Registry, isolation: str) -> None:
    target = f"app:exit-with-code-{isolation}"
    assert registry.call(target, 0) is None
    with pytest.raises(ExitError, match=r"the guest exited with status 7$") as caught:
        registry.call(target, 7)
    assert caught.value.exit_status == 7
    assert registry.call(target, 0) is None  # there is another instance
    assert registry.call("app:lua", "call", target, 0) == {"nothing": True}
    told = registry.call("app:lua", "call", target, 9)
    assert isinstance(told, dict)
    assert str(told["text"]).endswith("the guest exited with status 9")


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_what_a_guest_prints_is_in_its_log(
    registry: polycall.Registry, isolation: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, f"polycall.entry.app:print-{isolation}"):
        registry.call(f"app:print-{isolation}", 3)
    assert [record.message for record in caplog.records] == ["line of the guest"] * 3


def test_an_exception_that_a_javascript_guest_does_not_catch_is_in_its_log(
    registry: polycall.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "polycall.entry.app:js"), pytest.raises(polycall.PolycallError):
        registry.call("app:js")
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert any("boom" in line for line in warnings), warnings
