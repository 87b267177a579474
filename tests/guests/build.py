"""Rebuilds the committed WebAssembly guests from their sources.

The examples and tests run components written in several languages whose binaries are committed, so that nobody needs
a compiler to use or to test polycall. This script is how those binaries come about: `make guests` runs it. It needs
network access, Node.js and npm, for Rust two packages of Debian's, and installs the pinned tools (`requirements.txt`,
`package-lock.json`) into the folder `.guests-tools` of the project, which keeps itself out of version control.

    python tests/guests/build.py                  rebuild every committed guest
    python tests/guests/build.py pricing caller   rebuild some
    python tests/guests/build.py --check          compare binaries and sources with hashes.json

`hashes.json` holds the SHA-256 of every binary and of the sources that it was built from. `--check` needs no tools;
where they are installed it rebuilds as well, and says whether the result is byte-identical. Guests in C, Go and Rust
are. JavaScript guests are not: the tool stores a snapshot of the started QuickJS engine, with the random seeds of that
moment.

The WAT files beside this script need no build: wasmtime reads them as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOOLS = ROOT / ".guests-tools"
HASHES = HERE / "hashes.json"

FUNCS_WIT = "wasm_runtime/wit/funcs.wit"
EXAMPLE = "examples/04-orchestration"
LINKS = "examples/06-typed-links"
WASI = "tests/guests/wasi"
BIN = "tests/guests/bin"
C_INCLUDE = "registry/templates/include"
C_HEADERS = (f"{C_INCLUDE}/component.h", f"{C_INCLUDE}/funcs.h")

C_FLAGS = (
    "-target", "wasm32-freestanding",
    "-mcpu=mvp+bulk_memory",  # bulk_memory: memcpy is one instruction, no libc
    "-std=c17", "-Os", "-Wall", "-Wextra", "-Werror",
    "-g1",  # without it the linker drops the names of functions; all else of it is stripped later
    "-nostdlib", "-Wl,--no-entry", "-Wl,-z,stack-size=8192", f"-I{C_INCLUDE}",
)  # fmt: skip
LIBC_FLAGS = ("-target", "wasm32-wasi", "-std=gnu17", "-Os", "-Wall", "-Wextra", "-Werror")
# Lua's own source, of the very version that runs outside of the sandbox. Its jump table would be none on WebAssembly.
LUA_VERSION, LUA_SHA256 = "2.8", "d8022641b9ec8ecf2c5ecbe9f47e5a70e0b87c4b5ae921b92cb02a638e0acd08"
SANDBOX = "lua_runtime/sandbox"
LUA_SOURCES = tuple(f"{SANDBOX}/c/{name}" for name in (
    "buffers.h", "copies.h", "embedding.h", "heap.h", "host.h", "jumps.c", "platform.h", "runs.h", "texts.h",
))  # fmt: skip
LUA_FLAGS = (
    "-target", "wasm32-wasi", "-mexec-model=reactor", "-std=gnu17", "-O2", "-DNDEBUG", "-DLUA_USE_JUMPTABLE=0",
    "-mcpu=generic+exception_handling+bulk_memory+nontrapping_fptoint+sign_ext",
    "-mllvm", "-wasm-enable-sjlj", "-mllvm", "-wasm-use-legacy-eh=false",
    "-Wall", "-Wextra", "-Wno-unused-function", "-g1",
    "-Wl,--import-memory", "-Wl,-z,stack-size=524288",  # first in memory: below its end is nothing
    "-Wl,--initial-memory=1048576",  # what the host's own Lua code takes at least
)  # fmt: skip
GO_FLAGS = ("-trimpath", "-ldflags=-s -w")
RUST_FLAGS = (
    "--edition",
    "2021",
    "--target",
    "wasm32-wasi",
    "-C",
    "opt-level=s",
    "-C",
    "panic=abort",
    "-C",
    "strip=debuginfo",
)
# Debian's packages rustc and libstd-rust-dev-wasm32: no registry has the standard library of Rust for WASI otherwise.
RUSTC = Path("/usr/bin/rustc")
NO_RUST = "Rust guests need Debian's packages rustc, libstd-rust-dev-wasm32 and lld"
JS_FLAGS = ("--backend", "quickjs")
SYNC_ONLY = "--backend-qjs-disable-async"  # smaller, and without the canonical functions of asynchronous calls
# The tool starts the engine in a runtime that has a wasi:io of its own but makes up wasi:http, whose streams are then
# of another type, and gives up. So wasi:http gets a wasi:io by another name there, which the finished component loses.
JS_STAND_IN = "xasi:"
# What the world of a guest, or the preview1 adapter of a libc, may name of WASI: the files come with jco.
WASI_WIT = "node_modules/@bytecodealliance/jco/lib/wit/builtin/0.2.12"
ADAPTER = "node_modules/@bytecodealliance/jco/lib/wasi_snapshot_preview1.{}.wasm"


class Hashes(TypedDict):
    """What hashes.json says about one binary."""

    sha256: str
    sources: NotRequired[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Guest:
    """One committed binary and where it comes from.

    Attributes:
        name: What to call it on the command line.
        language: The toolchain that builds it; `libc` is C with a libc over preview1, `starling` is JavaScript in
            StarlingMonkey.
        source: Its source file, relative to the project.
        output: The committed binary, relative to the project.
        wit: The file that declares its world, relative to the project; empty for a command of a libc.
        world: The name of that world.
        flags: Further flags of the toolchain.
        packages: The WIT files of other packages that its world names.
        core: Whether it stays a core module that imports preview1.
        wasi: Whether its world names interfaces of WASI.
        committed: Whether its binary is in the repository; it is not where it takes ten megabytes and more.
    """

    name: str
    language: Literal["c", "libc", "js", "starling", "python", "go", "rust", "lua"]
    source: str
    output: str
    wit: str = ""
    world: str = ""
    flags: tuple[str, ...] = ()
    packages: tuple[str, ...] = (FUNCS_WIT,)
    core: bool = False
    wasi: bool = False
    committed: bool = True

    def hash_sources(self) -> dict[str, str]:
        """Returns the SHA-256 of every file that the binary depends on, by path."""
        headers = {"c": C_HEADERS, "libc": (f"{WASI}/abi.h",), "lua": LUA_SOURCES}.get(self.language, ())
        paths = (self.source, *headers, *((self.wit,) if self.wit else ()), *self.packages)
        # As text, so that a checkout with other line ends has the same hashes.
        return {path: sha256((ROOT / path).read_text("utf-8").encode()) for path in sorted(paths)}


BIG: tuple[tuple[str, Literal["starling", "python"], str, str, str], ...] = (
    ("js-web", "starling", "web.js", "web.wit", "web"),
    ("py-tour", "python", "tour.py", "tour.wit", "tour"),
)

GUESTS = (
    Guest(
        name="lua",
        language="lua",
        source=f"{SANDBOX}/c/lua.c",
        output=f"{SANDBOX}/lua.wasm",
        packages=(),
    ),
    Guest(
        name="pricing",
        language="c",
        source=f"{EXAMPLE}/guests/pricing/pricing.c",
        wit=f"{EXAMPLE}/guests/pricing/world.wit",
        world="pricing",
        output=f"{EXAMPLE}/assets/pricing.wasm",
    ),
    Guest(
        name="receipt",
        language="js",
        source=f"{EXAMPLE}/guests/receipt/receipt.js",
        wit=f"{EXAMPLE}/guests/receipt/world.wit",
        world="receipt",
        output=f"{EXAMPLE}/assets/receipt.wasm",
        # It needs no WASI; without this flag it would import all of it.
        flags=(SYNC_ONLY, "--backend-qjs-stub-wasi"),
    ),
    Guest(
        name="quote",
        language="c",
        source=f"{LINKS}/guests/quote/quote.c",
        wit=f"{LINKS}/guests/quote/world.wit",
        world="quote",
        output=f"{LINKS}/assets/quote.wasm",
        packages=(f"{LINKS}/guests/rules.wit",),
    ),
    Guest(
        name="mask",
        language="libc",
        source="examples/07-filter/guests/mask.c",
        output="examples/07-filter/assets/mask.wasm",
        packages=(),
    ),
    Guest(
        name="fetch",
        language="js",
        source="examples/08-fetch/guests/fetch.js",
        wit="examples/08-fetch/guests/world.wit",
        world="fetch",
        output="examples/08-fetch/assets/fetch.wasm",
        flags=(SYNC_ONLY,),
        wasi=True,
    ),
    Guest(
        name="report",
        language="python",
        source="examples/09-folder/guests/report.py",
        wit="examples/09-folder/guests/world.wit",
        world="report",
        output="examples/09-folder/assets/report.wasm",
        packages=(),
        wasi=True,
        committed=False,
    ),
    Guest(
        name="caller",
        language="c",
        source="tests/guests/caller/caller.c",
        wit="tests/guests/wit/world.wit",
        world="caller",
        output="tests/guests/bin/caller.wasm",
    ),
    Guest(
        name="js-caller",
        language="js",
        source="tests/guests/js-caller/js-caller.js",
        wit="tests/guests/wit/world.wit",
        world="js-caller",
        output="tests/guests/bin/js-caller.wasm",
        # With its WASI imports: what the toolchain makes of any program.
        flags=(SYNC_ONLY,),
    ),
    *(
        Guest(
            name=f"{name}-core" if core else name,
            language="libc",
            source=f"{WASI}/{name.removeprefix('c-')}.c",
            wit=f"{WASI}/world.wit" if world else "",
            world=world,
            output=f"{BIN}/{name}-core.wasm" if core else f"{BIN}/{name}.wasm",
            packages=(),
            core=core,
        )
        for name, world in (("c-libc", "libc"), ("c-echo", ""), ("c-filter", ""))
        for core in (False, True)
    ),
    Guest(
        name="c-calls",
        language="libc",
        source=f"{WASI}/calls.c",
        wit=f"{WASI}/calls.wit",
        world="calls",
        output=f"{BIN}/c-calls.wasm",
        packages=(),
        wasi=True,
    ),
    Guest(
        name="go-tour",
        language="go",
        source=f"{WASI}/tour.go",
        output=f"{BIN}/go-tour.wasm",
        packages=(),
    ),
    *(
        Guest(
            name=f"rust-tour{suffix}",
            language="rust",
            source=f"{WASI}/tour.rs",
            wit=f"{WASI}/tour.wit" if world else "",
            world=world,
            output=f"{BIN}/rust-tour{suffix}.wasm",
            packages=(),
            core=suffix == "-core",
        )
        for suffix, world in (("", ""), ("-reactor", "tour"), ("-core", ""))
    ),
    *(
        Guest(
            name=name,
            language=language,
            source=f"{WASI}/{source}",
            wit=f"{WASI}/{wit}",
            world=world,
            output=f".guests-tools/built/{name}.wasm",
            packages=(),
            committed=False,
        )
        for name, language, source, wit, world in BIG
    ),
    Guest(
        name="js-script",
        language="js",
        source=f"{WASI}/script.js",
        wit=f"{WASI}/script.wit",
        world="script",
        output=f"{BIN}/js-script.wasm",
        packages=(),
        wasi=True,
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments, without the program name; those of the process if None.

    Returns:
        The exit code: 1 if `--check` found a difference, else 0.
    """
    parser = argparse.ArgumentParser(description="Rebuild the committed WebAssembly guests from their sources.")
    parser.add_argument("names", nargs="*", metavar="guest", help=", ".join(guest.name for guest in GUESTS))
    parser.add_argument("--check", action="store_true", help="compare with hashes.json instead of rebuilding")
    options = parser.parse_args(arguments)
    guests = [guest for guest in GUESTS if (guest.name in options.names if options.names else guest.committed)]
    if unknown := set(options.names) - {guest.name for guest in guests}:
        parser.error(f"no such guest: {', '.join(sorted(unknown))}")
    return check(guests) if options.check else rebuild(guests)


def rebuild(guests: list[Guest]) -> int:
    """Builds `guests`, writes the binaries, and brings hashes.json and the declared hashes up to date."""
    install_tools()
    hashes = read_hashes()
    built = [(guest, build(guest)) for guest in guests]  # all or, if one fails, none
    for guest, binary in built:
        output = ROOT / guest.output
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(binary)
        if not guest.committed:
            print(f"{guest.output}: {len(binary)} bytes, not committed")
            continue
        old = hashes.get(guest.output)
        hashes[guest.output] = {"sha256": sha256(binary), "sources": guest.hash_sources()}
        print(f"{guest.output}: {len(binary)} bytes, sha256:{sha256(binary)}")
        if old is not None:
            redeclare(old["sha256"], sha256(binary))
    HASHES.write_text(json.dumps(hashes, indent=2, sort_keys=True) + "\n", "utf-8")
    return 0


def check(guests: list[Guest]) -> int:
    """Compares binaries and sources with hashes.json; where tools are installed, rebuilds and compares the bytes."""
    guests = [guest for guest in guests if guest.committed]
    hashes = read_hashes()
    problems = [problem for guest in guests for problem in find_problems(guest, hashes.get(guest.output))]
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{len(guests)} guests match hashes.json")
    if tools_are_current():
        for guest in guests:
            print(compare_with_rebuild(guest))
    return 1 if problems else 0


def find_problems(guest: Guest, recorded: Hashes | None) -> list[str]:
    """Lists, one line each, where a binary or its sources differ from what hashes.json has recorded."""
    output = ROOT / guest.output
    if recorded is None:
        return [f"{guest.output}: not in hashes.json; run make guests"]
    if not output.is_file():
        return [f"{guest.output}: missing; run make guests"]
    problems = []
    if (actual := sha256(output.read_bytes())) != recorded["sha256"]:
        problems.append(f"{guest.output}: expected sha256:{recorded['sha256']}, got sha256:{actual}")
    then, now = recorded.get("sources", {}), guest.hash_sources()
    changed = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    problems += [f"{guest.output}: {path} changed since it was built; run make guests" for path in changed]
    return problems


def compare_with_rebuild(guest: Guest) -> str:
    """Rebuilds one guest in a temporary folder and says how it differs from the committed binary."""
    if guest.language == "rust" and not has_rust():
        return f"{guest.output}: not rebuilt: {NO_RUST}"
    committed, rebuilt = (ROOT / guest.output).read_bytes(), build(guest)
    if committed == rebuilt:
        return f"{guest.output}: a rebuild is byte-identical"
    different = sum(a != b for a, b in zip(committed, rebuilt, strict=False)) + abs(len(committed) - len(rebuilt))
    why = " (expected: QuickJS's random seeds are part of it)" if guest.language == "js" else ""
    return f"{guest.output}: a rebuild differs in {different} of {len(committed)} bytes{why}"


def build(guest: Guest) -> bytes:
    """Builds one guest in a temporary folder with the installed tools.

    Every path that a tool gets to see is relative to that folder, so none ends up in the binary.
    """
    with tempfile.TemporaryDirectory(prefix="guest-") as folder:
        work = Path(folder)
        dependencies = work / "wit" / "deps"
        dependencies.mkdir(parents=True)
        if guest.wit:
            shutil.copy(ROOT / guest.wit, work / "wit" / "world.wit")
        for package in guest.packages:
            shutil.copy(ROOT / package, dependencies)
        if guest.wasi:
            add_wasi(dependencies)
        builders = {
            "c": build_c,
            "libc": build_libc,
            "js": build_js,
            "starling": build_starling,
            "python": build_python,
            "go": build_go,
            "rust": build_rust,
            "lua": build_lua,
        }
        return builders[guest.language](guest, work).read_bytes()


def add_wasi(dependencies: Path) -> None:
    """Puts the WIT of WASI 0.2.12 beside the world of a guest, and of wasi:http 0.2.10 as `JS_STAND_IN` explains."""
    for package in (TOOLS / WASI_WIT).iterdir():
        text = (package / "package.wit").read_text("utf-8")
        (dependencies / f"{package.name}.wit").write_text(text, "utf-8")
        if package.name in {"wasi-io", "wasi-http"}:
            older = text.replace(f"package wasi:{package.name[5:]}@0.2.12", f"package wasi:{package.name[5:]}@0.2.10")
            older = re.sub(r"wasi:io(\S*)@0\.2\.1[02]", JS_STAND_IN + r"io\1@0.2.10", older)
            (dependencies / f"{package.name}-older.wit").write_text(older, "utf-8")


def build_c(guest: Guest, work: Path) -> Path:
    """Compiles C to a core module, adds its world, and wraps it into a component."""
    core = work / "core.wasm"
    run(tool("python"), "-m", "ziglang", "cc", *C_FLAGS, *guest.flags, guest.source, "-o", core, cwd=ROOT)
    return strip(link(guest, core, work), work)


def declare_imports(guest: Guest, work: Path) -> None:
    """Writes `imports.h`, which declares what the world of a guest imports.

    `wasi:io/streams`' `[method]input-stream.read` becomes `input_stream_read`, a function of an interface gets the name
    of that in front (`wall_clock_now`), and a resource is let go by `drop_input_stream`.
    """
    names = ("--dummy-names", "legacy", "--wat")
    run(tool("wasm-tools"), "component", "embed", *names, "wit", "--world", guest.world, "-o", "imports.wat", cwd=work)
    text = (work / "imports.wat").read_text("utf-8")
    types = dict(re.findall(r"\(type \(;(\d+);\) \(func(.*)\)\)", text))
    lines = ["#include <stdint.h>"]
    for module, name, of in re.findall(r'\(import "(\S+)" "(\S+)" \(func \(;\d+;\) \(type (\d+)\)', text):
        interface = re.sub(r".*/|@.*", "", module)
        kind, _, bare = name.rpartition("]")
        prefix = {"[resource-drop": "drop-", "[constructor": "new-", "": f"{interface}-"}.get(kind, "")
        called = re.sub(r"[-.]", "_", prefix + bare)
        parameters = re.findall(r"[if]\d+", types[of].partition("(result")[0])
        result = re.findall(r"\(result (\w+)\)", types[of])
        c_types = {"i32": "int32_t", "i64": "int64_t", "f32": "float", "f64": "double"}
        lines.append(f'__attribute__((import_module("{module}"), import_name("{name}")))')
        takes = ", ".join(c_types[each] for each in parameters) or "void"
        lines.append(f"{c_types[result[0]] if result else 'void'} {called}({takes});")
    (work / "imports.h").write_text("\n".join(lines) + "\n", "utf-8")


def build_libc(guest: Guest, work: Path) -> Path:
    """Compiles C with a libc; with a world it is a reactor, without one a command."""
    core, model = work / "core.wasm", "reactor" if guest.world else "command"
    flags = (*LIBC_FLAGS, f"-mexec-model={model}", f"-I{work}", *guest.flags)
    if guest.wasi:
        declare_imports(guest, work)
    run(tool("python"), "-m", "ziglang", "cc", *flags, guest.source, "-o", core, cwd=ROOT)
    return strip(core if guest.core else link(guest, core, work, model), work)


def link(guest: Guest, core: Path, work: Path, adapter: str = "") -> Path:
    """Wraps a core module into a component, with the preview1 adapter for commands or reactors where one is named."""
    typed, linked = work / "typed.wasm", work / "linked.wasm"
    if guest.world:
        run(tool("wasm-tools"), "component", "embed", "wit", core, "--world", guest.world, "-o", typed, cwd=work)
        core = typed
    adapt = ("--adapt", f"wasi_snapshot_preview1={TOOLS / ADAPTER.format(adapter)}") if adapter else ()
    run(tool("wasm-tools"), "component", "new", core, *adapt, "-o", linked, cwd=work)
    return linked


def strip(binary: Path, work: Path) -> Path:
    """Takes out what no run needs, but leaves the names of functions, which make the backtrace of a trap readable."""
    stripped = work / "stripped.wasm"
    run(tool("wasm-tools"), "strip", binary, "-o", stripped, cwd=work)
    return stripped


def build_js(guest: Guest, work: Path) -> Path:
    """Bundles JavaScript, its world and the QuickJS engine into a component."""
    source = shutil.copy(ROOT / guest.source, work)
    linked, component = work / "linked.wasm", work / "component.wasm"
    jco = (tool("jco"), "componentize", Path(source).name, "--wit", "wit", "--world-name", guest.world)
    run(*jco, *JS_FLAGS, *guest.flags, "-o", linked.name, cwd=work)
    linked.write_bytes(linked.read_bytes().replace(JS_STAND_IN.encode(), b"wasi:"))
    run(tool("wasm-tools"), "strip", "--all", linked, "-o", component, cwd=work)
    return component


def build_starling(guest: Guest, work: Path) -> Path:
    """Bundles JavaScript, its world and the StarlingMonkey engine into a component, with all that the tool does."""
    source = shutil.copy(ROOT / guest.source, work)
    files = (Path(source).name, work / "wit", guest.world, "linked.wasm")
    run(find_node(), HERE / "starling.mjs", TOOLS / "node_modules", *files, cwd=work)
    return work / "linked.wasm"


def find_node() -> str:
    """Returns the path of Node.js.

    Raises:
        SystemExit: It is not installed.
    """
    if (node := shutil.which("node")) is None:
        raise SystemExit("building the JavaScript guests needs Node.js 20 or later and npm on the PATH")
    return node


def build_python(guest: Guest, work: Path) -> Path:
    """Bundles Python, its world and CPython into a component."""
    source = shutil.copy(ROOT / guest.source, work / "app.py")
    command = (tool("componentize-py"), "-d", "wit", "-w", guest.world, "componentize", Path(source).stem)
    run(*command, *guest.flags, "-o", "linked.wasm", cwd=work)
    return work / "linked.wasm"


def build_go(guest: Guest, work: Path) -> Path:
    """Compiles Go to a command."""
    core = work / "core.wasm"
    source = shutil.copy(ROOT / guest.source, work / "main.go")
    run(tool("go"), "build", *GO_FLAGS, *guest.flags, "-o", core, Path(source).name, cwd=work)
    return strip(core if guest.core else link(guest, core, work, "command"), work)


def build_rust(guest: Guest, work: Path) -> Path:
    """Compiles Rust; with a world it is a reactor, without one a command."""
    if not has_rust():
        raise SystemExit(NO_RUST)
    core, model = work / "core.wasm", "reactor" if guest.world else "command"
    flags = (*RUST_FLAGS, "-Z", f"wasi-exec-model={model}", f"--remap-path-prefix={work}=", *guest.flags)
    source = shutil.copy(ROOT / guest.source, work / "main.rs")
    run(RUSTC, *flags, "-o", core, Path(source).name, cwd=work)
    return strip(core if guest.core else link(guest, core, work, model), work)


def build_lua(guest: Guest, work: Path) -> Path:
    """Compiles Lua's source, as lupa ships it, and the embedding to a core module."""
    name = f"lupa-{LUA_VERSION}"
    pip = ("-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:")
    run(tool("python"), *pip, f"lupa=={LUA_VERSION}", "-d", work, cwd=TOOLS)
    archive = work / f"{name}.tar.gz"
    if sha256(archive.read_bytes()) != LUA_SHA256:
        raise SystemExit(f"{archive.name} is not what it was: expected sha256:{LUA_SHA256}")
    with tarfile.open(archive) as files:
        files.extractall(work, filter="data")
    core, source = work / "core.wasm", (ROOT / guest.source).parent
    shutil.copytree(source, work / "c")
    lua = f"{name}/third-party/lua54"
    flags = (*LUA_FLAGS, "-Ic", f"-I{lua}", "c/lua.c", "c/jumps.c", "-o", core.name)
    run(tool("python"), "-m", "ziglang", "cc", *flags, cwd=work)
    return strip(core, work)


def has_rust() -> bool:
    """Whether Debian's Rust is installed, with its standard library for WASI."""
    return RUSTC.exists() and (RUSTC.parent.parent / "lib/rustlib/wasm32-wasi").exists()


def install_tools() -> None:
    """Installs the pinned tools into `.guests-tools`, unless they are there already.

    Raises:
        SystemExit: npm is not installed.
    """
    if tools_are_current():
        return
    find_node()
    npm = shutil.which("npm") or "npm"
    shutil.rmtree(TOOLS, ignore_errors=True)
    TOOLS.mkdir()
    (TOOLS / ".gitignore").write_text("*\n", "utf-8")
    venv.create(TOOLS / "venv", with_pip=True)
    run(tool("python"), "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt", cwd=TOOLS)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, TOOLS)
    # Not `npm ci`: it insists on a lock entry for the optional binaries of every other platform.
    run(npm, "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", cwd=TOOLS)
    (TOOLS / "stamp").write_text(pins(), "utf-8")


def tools_are_current() -> bool:
    """Whether `.guests-tools` is complete and holds the versions that are pinned now."""
    stamp = TOOLS / "stamp"
    return stamp.is_file() and stamp.read_text("utf-8") == pins()


def pins() -> str:
    """Returns a digest of the files that pin the tools."""
    names = ("requirements.txt", "package-lock.json")
    return sha256("".join((HERE / name).read_text("utf-8") for name in names).encode())


def tool(name: str) -> Path:
    """Returns the path of an installed tool: `python`, `wasm-tools`, `jco`, `go` or `componentize-py`."""
    scripts, suffix = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
    if name == "jco":
        return TOOLS / "node_modules" / ".bin" / ("jco.cmd" if os.name == "nt" else "jco")
    return TOOLS / "venv" / scripts / f"{name}{suffix}"


def run(*command: str | Path, cwd: Path) -> None:
    """Runs a tool, and shows what it wrote only if it fails.

    Raises:
        SystemExit: The tool failed.
    """
    cache = str(TOOLS / "zig-cache")
    environment = os.environ | {
        "ZIG_GLOBAL_CACHE_DIR": cache,
        "ZIG_LOCAL_CACHE_DIR": cache,
        "GOCACHE": str(TOOLS / "go-cache"),
        "GOOS": "wasip1",
        "GOARCH": "wasm",
        "RUSTC_BOOTSTRAP": "1",  # -Z wasi-exec-model
    }
    done = subprocess.run(
        command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}\nfailed with exit code {done.returncode}")


def redeclare(old: str, new: str) -> None:
    """Replaces `old` by `new` in the entry files and pages that declare the hash of a rebuilt binary."""
    if old == new:
        return
    for folder in ("examples", "tests", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            # As bytes: some test files are not text on purpose.
            if not path.is_file() or path.suffix not in {".yaml", ".yml", ".md"}:
                continue
            if old.encode() in (content := path.read_bytes()):
                path.write_bytes(content.replace(old.encode(), new.encode()))
                print(f"{path.relative_to(ROOT)}: hash updated")


def read_hashes() -> dict[str, Hashes]:
    """Returns what hashes.json has recorded, by the path of the binary."""
    if not HASHES.is_file():
        return {}
    recorded: dict[str, Hashes] = json.loads(HASHES.read_text("utf-8"))
    return recorded


def sha256(data: bytes) -> str:
    """Returns the SHA-256 of `data` in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
