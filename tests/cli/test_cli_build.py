from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from commands import run
from polycall.registry.cli.build import bring_up_to_date
from polycall.registry.cli.session import Session
from projects import GUESTS, REPOSITORY, hash_of, write_project
from watched import Watch

ADD = GUESTS / "bin" / "caller.wasm"
INDEX = """\
namespace: app
entries:
  - {name: out, kind: fs.directory, directory: out}   # what is built
  - name: one
    kind: function.wasm
    fs: out
    path: one.wasm
    method: relay-string
    build:
      command: |
        echo run >> ../log
        cp source.wasm ../out/one.wasm
      workdir: src
      watch: ["*.wasm", "lib/**"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src" / "lib").mkdir(parents=True)
    shutil.copy(ADD, tmp_path / "src" / "source.wasm")
    (tmp_path / "src" / "lib" / "a.h").write_text("a")
    return write_project(tmp_path, index=INDEX)


def runs(project: Path) -> int:
    log = project / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def test_a_javascript_without_its_tools_says_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "init", "--template", "js", str(tmp_path))
    done = run(capsys, "-C", str(tmp_path), "build")
    said = f"jco is not there yet: npm install, in {tmp_path.resolve() / 'guests' / 'slug'}"
    assert (done.code, said in done.out + done.err) == (1, True), done


def test_what_is_built_is_compiled(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = project / "cache"
    monkeypatch.setenv("POLYCALL_CACHE_DIR", str(cache))
    assert run(capsys, "-C", str(project), "build").code == 0
    compiled = sorted(cache.iterdir())
    assert compiled
    run(capsys, "-C", str(project), "show", "app:one")
    assert sorted(cache.iterdir()) == compiled


def test_a_build_makes_the_file_and_its_hash_is_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run(capsys, "-C", str(project), "build")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("built      app:one  ")
    assert "wrote hashes in _index.yaml\n" in done.out
    index = (project / "_index.yaml").read_text()
    assert "# what is built" in index
    assert "    hash: sha256:" in index
    assert run(capsys, "-C", str(project), "show", "app:one").code == 0


def test_it_runs_again_when_what_it_reads_or_made_has_changed_and_only_then(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = ("-C", str(project), "build")
    run(capsys, *build)
    assert run(capsys, *build).out == "unchanged  app:one\n"
    (project / "src" / "source.wasm").touch()  # the same content
    (project / "src" / "other.txt").write_text("not watched")
    assert run(capsys, *build).out == "unchanged  app:one\n"
    assert runs(project) == 1
    changes = (
        ("src/lib/a.h", "b"),
        ("src/lib/b.h", "new"),
        ("out/one.wasm", "spoilt"),
        ("out/one.wasm", None),
        ("_index.yaml", INDEX.replace("echo run", "echo  run")),
    )
    for count, (name, content) in enumerate(changes, 2):
        (project / name).unlink() if content is None else (project / name).write_text(content)
        assert run(capsys, *build).out.startswith("built"), count
        assert runs(project) == count
    run(capsys, *build, "--force")
    assert runs(project) == len(changes) + 2


def test_what_does_not_say_what_it_reads_runs_each_time(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(project, index=INDEX.replace('      watch: ["*.wasm", "lib/**"]\n', ""))
    for _ in range(2):
        assert run(capsys, "-C", str(project), "build").code == 0
    assert runs(project) == 2


@pytest.mark.parametrize("watch", [True, False])
def test_a_hash_is_written_of_what_a_build_has_made_and_of_nothing_else(
    project: Path, capsys: pytest.CaptureFixture[str], watch: bool
) -> None:
    if not watch:
        write_project(project, index=INDEX.replace('      watch: ["*.wasm", "lib/**"]\n', ""))
    run(capsys, "-C", str(project), "build")
    index = (project / "_index.yaml").read_text()
    (project / "_index.yaml").write_text(index.replace(hash_of(ADD), "sha256:" + 64 * "0"))
    session = Session(project, debug=False)
    assert bring_up_to_date(session, first=False).files == ["_index.yaml"]
    assert (project / "_index.yaml").read_text() == index
    shutil.copy(GUESTS / "bin" / "c-filter.wasm", project / "out" / "one.wasm")  # as a guest might
    bring_up_to_date(session, first=False)
    assert (project / "_index.yaml").read_text() == index
    assert hash_of(project / "out" / "one.wasm") == hash_of(ADD if watch else GUESTS / "bin" / "c-filter.wasm")


def test_a_failure_is_shown_with_what_it_said_and_the_others_are_built(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = """\
  - {name: bad, kind: function.wasm, fs: out, path: bad.wasm, method: f,
     build: {command: "echo 'bad.c:1: no \\e[2J'; false; echo never"}}
  - {name: none, kind: function.wasm, fs: out, path: none.wasm, method: f, build: {command: "true"}}
"""
    write_project(project, index=INDEX + more)
    done = run(capsys, "-C", str(project), "build")
    assert done.code == 1
    assert "FAILED     app:bad" in done.out
    assert "built      app:one" in done.out
    assert "bad.c:1: no \\x1b[2J" in done.err
    assert "exit code 1" in done.err
    assert "never" not in done.err
    assert f"it made no {project / 'out' / 'none.wasm'}" in done.err
    index = (project / "_index.yaml").read_text()
    assert index.count("hash: sha256:") == 1
    assert run(capsys, "-C", str(project), "build", "app:one").out == "unchanged  app:one\n"


def test_entries_that_share_a_command_share_its_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = INDEX.replace("build:\n", "build: &build\n")
    more = "  - {name: two, kind: function.wasm, fs: out, path: one.wasm, method: relay-bytes, build: *build}\n"
    write_project(project, index=shared + more)
    done = run(capsys, "-C", str(project), "build")
    assert done.out.startswith("built      app:one, app:two  ")
    assert runs(project) == 1
    assert (project / "_index.yaml").read_text().count("sha256:") == 2


def test_builds_run_at_the_same_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meet = "mkfifo {0} 2>/dev/null || true; echo > {0} & read line < {1}; cp source.wasm out/{0}.wasm"
    entries = "".join(
        f"  - {{name: {name}, kind: function.wasm, fs: out, path: {name}.wasm, method: f,\n"
        f'     build: {{command: "{command}"}}}}\n'
        for name, command in (("left", meet.format("left", "right")), ("right", meet.format("right", "left")))
    )
    for pipe in ("left", "right"):
        subprocess.run(["mkfifo", str(tmp_path / pipe)], check=True)
    shutil.copy(ADD, tmp_path / "source.wasm")
    write_project(tmp_path, index=INDEX.partition("  - name: one")[0] + entries)
    done = run(capsys, "-C", str(tmp_path), "build", "--jobs", "2")  # each waits for the other
    assert done.code == 0, done.err


@pytest.mark.parametrize("command", [("check",), ("list",), ("show", "app:one"), ("call", "app:one", '"a"', '"b"')])
def test_nothing_else_runs_a_build(project: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    run(capsys, "-C", str(project), "build")
    (project / "src" / "lib" / "a.h").write_text("changed")
    run(capsys, "-C", str(project), *command)
    assert runs(project) == 1


def test_a_build_never_runs_where_guests_may_write(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(project, index=INDEX + "  - {name: uploads, kind: fs.directory, directory: src}\n")
    done = run(capsys, "-C", str(project), "build")
    assert done.code == 5
    assert "_index.yaml:4:5: entries[1]" in done.err or "build.workdir" in done.err
    assert "which app:uploads hands out to guests as data: a guest could write what is run" in done.err
    assert runs(project) == 0


def test_what_cannot_run_or_be_read_is_named(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polycall.registry.building.record._MOST_INPUTS", 1)
    done = run(capsys, "-C", str(project), "build")
    assert (done.code, runs(project)) == (5, 0)
    assert "app:one: build.watch fits more than 1 files" in done.err
    monkeypatch.undo()
    write_project(project, index=INDEX.replace("workdir: src", "workdir: scr"))
    done = run(capsys, "-C", str(project), "build")
    assert done.code == 5
    assert f"app:one: the build cannot run in {project / 'scr'}: No such file or directory" in done.err
    write_project(project, index=INDEX.replace("echo run >> ../log", "kill -9 $$"))
    assert "ended by signal 9" in run(capsys, "-C", str(project), "build").err


def test_of_much_that_a_build_says_the_end_is_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = "yes line | head -c 300000; echo the end; exit 3"
    write_project(project, index=INDEX.replace("echo run >> ../log", talk))
    err = run(capsys, "-C", str(project), "build").err
    assert err.startswith("  ...\n")
    assert err.endswith("  the end\n  exit code 3\n")
    assert len(err) < 200_000


def test_what_is_built_stays_in_its_folder(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_project(project, index=INDEX.replace("path: one.wasm", "path: ../../elsewhere/one.wasm"))
    done = run(capsys, "-C", str(project), "build")
    assert (done.code, runs(project), (project.parent / "elsewhere").exists()) == (5, 0, False)
    assert "_index.yaml:7:11: entries[1].path: ../../elsewhere/one.wasm leads out of app:out" in done.err


def test_what_is_not_built_yet_is_told_with_what_builds_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "-C", str(project), "build")
    (project / "out" / "one.wasm").unlink()
    assert "the file one.wasm is not there (polycall build makes it)" in run(capsys, "-C", str(project), "check").out


@pytest.mark.parametrize(
    ("key", "value"), [("workdir", "../src"), ("workdir", "/tmp"), ("watch", '["../*"]'), ("watch", '["/etc/*"]')]
)
def test_a_build_stays_below_its_entry_file(
    project: Path, capsys: pytest.CaptureFixture[str], key: str, value: str
) -> None:
    other = f'      workdir: {value}\n      watch: ["*.wasm"]\n' if key == "workdir" else f"      watch: {value}\n"
    write_project(project, index=INDEX.partition("      workdir")[0] + other)
    done = run(capsys, "-C", str(project), "build")
    assert done.code == 3
    assert "expected a path below, relative and without .." in done.err
    assert runs(project) == 0


def test_an_entry_that_has_no_build_is_told_apart_from_one_that_is_not_there(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 'app:out has no "build"' in run(capsys, "-C", str(project), "build", "app:out").err
    assert 'did you mean "app:one"' in run(capsys, "-C", str(project), "build", "app:on").err
    write_project(project, index="namespace: app\nentries: []\n")
    done = run(capsys, "-C", str(project), "build")
    assert (done.code, done.out, done.err) == (0, "", 'nothing to build: no entry has a "build"\n')


def test_a_record_that_cannot_be_read_means_to_build(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "-C", str(project), "build")
    for text in ("{", "[]", '{"out/one.wasm": 1}'):
        (project / ".polycall" / "builds.json").write_text(text)
        assert run(capsys, "-C", str(project), "build").out.startswith("built")
    assert (project / ".polycall" / ".gitignore").read_text() == "*\n"
    assert json.loads((project / ".polycall" / "builds.json").read_text()).keys() == {"out/one.wasm"}


def test_ctrl_c_ends_what_a_build_has_started(tmp_path: Path) -> None:
    command = "echo $$ > pid; sleep 600 & echo $! > child; echo up > up; wait"
    subprocess.run(["mkfifo", str(tmp_path / "up")], check=True)
    build = (
        f"  - {{name: one, kind: function.wasm, fs: out, path: one.wasm, method: f, build: {{command: '{command}'}}}}"
    )
    write_project(tmp_path, index=INDEX.partition("  - name: one")[0] + build)
    process = subprocess.Popen(
        [sys.executable, "-m", "polycall", "-C", str(tmp_path), "build"], stderr=subprocess.PIPE, cwd=REPOSITORY
    )
    assert (tmp_path / "up").read_text() == "up\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, b"interrupted\n")
    for name in ("pid", "child"):
        pid = int((tmp_path / name).read_text())
        assert any(ended(pid) for _ in range(500)), name  # one that was killed takes a moment


def ended(pid: int) -> bool:
    """Whether a process has ended, or nobody has asked how yet."""
    status = Path("/proc", str(pid), "status")
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True, check=False).stdout
    return not status.exists() or state.strip().startswith("Z")


def test_a_watch_builds_what_changed_before_it_runs(project: Path) -> None:
    lua = """\
  - name: hash
    kind: function.lua
    modules: [registry]
    method: hash
    source: return { hash = function() return require("registry").get("app:one").data.hash end }
"""
    write_project(project, index=INDEX + lua)
    (project / "tests.yaml").write_text(
        "namespace: app.tests\nentries:\n"
        "  - {name: t, kind: function.lua, meta: {type: test}, method: t, source: 'return {t = function() end}'}\n"
    )
    testing = Watch(project, "test", "--watch")
    first = testing.run()
    testing.kill()
    assert first[0].startswith("built      app:one")
    assert "1 passed" in first[-1]
    watch = Watch(project, "call", "app:hash", "--watch")
    try:
        before = watch.run()
        assert not built(before)
        shutil.copy(GUESTS / "bin" / "c-filter.wasm", project / "src" / "new")
        (project / "src" / "new").replace(project / "src" / "source.wasm")
        while not built(again := watch.run()):
            pass
        assert again[-1].startswith("sha256:")
        assert again[-1] != before[-1]
        (project / "src" / "source.wasm").unlink()
        while "error: app:one could not be built" not in watch.run():
            pass
        assert watch.interrupt() == 0
    finally:
        watch.kill()


def built(lines: list[str]) -> bool:
    return any(line.startswith("built") for line in lines)
