"""Attempts to get out of an `fs.directory` through the Lua module `fs`, each with a control of the same shape.

Whatever an attempt returns must not hold the secret, and the secret must be unchanged afterwards.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from attacks import Attack, attacks, outcome
from fs_escapes import READS, SECRET, make_data
from lua_projects import run_lua
from polycall.interop.confined import ConfinedFolder
from polycall.interop.values import Value

OPEN = "local files = assert(fs.get('app:files'))\n"
FILES = "- {{name: files, kind: fs.directory, directory: {}}}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_data(tmp_path)


def run(data: Path, body: str, *arguments: Value) -> Value:
    # The folder lies outside of the project: a project with such links in it would not even load.
    return run_lua(data.parent / "project", OPEN + body, *arguments, entries=FILES.format(data))


class Case(NamedTuple):
    attempt: str
    control: str
    expected: Value


def _read(path: str) -> str:
    return f"return told(files:readfile({path!r}))"


CASES = {
    **{name: Case(_read(case.attempt), _read(case.control), case.expected) for name, case in READS.items()},
    ".. behind a slash": Case(_read("/../secret"), _read("/mine"), "mine"),
    "an absolute path": Case(_read("/etc/passwd"), _read("//inner//deep"), "deep"),
    "an absolute link": Case(_read("to-secret-absolutely"), _read("to-mine-absolutely"), "mine"),
    "writing through a link": Case(
        "return told(files:writefile('to-secret', 'x'))",
        "files:writefile('to-mine', 'x') return files:readfile('mine')",
        "x",
    ),
    "making a file through a link": Case(
        "return told(files:writefile('to-nowhere', 'x'))", "return files:writefile('to-new', 'x')", True
    ),
    "making a folder outside": Case("return told(files:mkdir('../made'))", "return files:mkdir('inner/made')", True),
    "making a folder through a link": Case(
        "return told(files:mkdir('to-parent/made'))", "return files:mkdir('to-inner/made')", True
    ),
    "removing outside": Case("return told(files:remove('../secret'))", "return files:remove('inner/deep')", True),
    "removing through a link": Case(
        "return told(files:remove('to-parent/secret'))", "return files:remove('to-inner/deep')", True
    ),
    "removing a link": Case(
        "files:remove('to-secret') return told(files:stat('../secret'))", "return files:remove('to-mine')", True
    ),
    "stat outside": Case("return told(files:stat('to-secret'))", "return files:stat('to-mine').size", 4),
    "exists outside": Case("return told(files:exists('../secret'))", "return files:exists('mine')", True),
    "listing the parent": Case(
        "return told(files:readdir('..'))", "for e in files:readdir('inner') do return e.name end", "chain"
    ),
    "listing through a link": Case(
        "return told(files:readdir('to-root'))", "for e in files:readdir('to-inner') do return e.name end", "chain"
    ),
    "chdir to the parent": Case(
        "return told(files:chdir('..')) or told(files:readfile('secret'))",
        "files:chdir('inner') return files:readfile('deep')",
        "deep",
    ),
    "chdir step by step": Case(
        "files:chdir('inner') files:chdir('..') files:chdir('..') return told(files:readfile('secret'))",
        "files:chdir('inner') files:chdir('..') return files:readfile('mine')",
        "mine",
    ),
    "chdir through a link": Case(
        "return told(files:chdir('to-parent'))", "files:chdir('to-inner') return files:readfile('deep')", "deep"
    ),
    "a name that is not UTF-8": Case(
        "return told(files:readfile('\\xc0\\xae\\xc0\\xae/secret'))",
        "files:writefile('\\xff', 'x') return files:readfile('\\xff')",
        "x",
    ),
    "writing to a pipe": Case("return told(files:writefile('pipe', 'x'))", "return files:writefile('mine', 'x')", True),
}


def rows() -> Iterator[Attack]:
    for attempt, case in CASES.items():
        control = case.control.removeprefix("return ")
        yield Attack(
            attempt, "Lua, module fs", "PermissionDenied, Invalid or NotFound", f"`{control}` {outcome(case.expected)}"
        )


@attacks(*rows())
@pytest.mark.parametrize("name", CASES)
def test_nothing_leads_out_of_the_folder(data: Path, name: str) -> None:
    case = CASES[name]
    before = sorted(path.name for path in data.parent.iterdir())
    answer = str(run(data, case.attempt)).removeprefix("b'")  # a message with a strange name in it is bytes
    assert answer.startswith(("PermissionDenied: ", "Invalid: ", "NotFound: "))
    assert SECRET not in answer
    assert "root:x:" not in answer
    assert (data.parent / "secret").read_text() == SECRET
    assert sorted(path.name for path in data.parent.iterdir()) == before
    assert run(data, case.control) == case.expected


@attacks(Attack("a device", "Lua, module fs", "PermissionDenied", "the file `mine` is read"))
def test_a_device_is_not_opened(data: Path) -> None:
    with pytest.raises(PermissionError, match="no regular file"):
        ConfinedFolder(Path("/dev")).open("zero", os.O_RDONLY)
    assert ConfinedFolder(data).read("mine", 10) == b"mine"


WAITING = {"r": "mine", "w": "mine", "a": "mine", "r+": "mine", "w+": "mine", "a+": "mine", "wx": "new", "wx+": "new"}


@attacks(*(
    Attack(f"opening a pipe with {mode} waits for nobody", "Lua, module fs", "an error at once", f"`{name}` is opened")
    for mode, name in WAITING.items()
))  # fmt: skip
@pytest.mark.parametrize(("mode", "name"), WAITING.items())
def test_no_open_waits_for_the_other_end_of_a_pipe(data: Path, mode: str, name: str) -> None:
    answers: list[Value] = []
    body = f"local file, err = files:open(..., '{mode}') return err and told(file, err) or 'open'"
    asking = threading.Thread(target=lambda: answers.append(run(data, body, "pipe")), daemon=True)
    asking.start()
    asking.join(20)
    assert answers in (["PermissionDenied: pipe: it is no regular file"], ["AlreadyExists: pipe: File exists"])
    assert run(data, body, name) == "open"


@attacks(Attack("a pipe put in a file's place while it is opened", "another process", "OSError at once", "the file"))
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_CREAT | os.O_TRUNC])
def test_a_pipe_that_takes_the_place_of_a_file_makes_nobody_wait(
    data: Path, flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ConfinedFolder(data)
    os.close(folder.open("mine", flags))
    honest = (data / "mine").stat()
    monkeypatch.setattr("polycall.interop.confined.os.stat", lambda *_arguments, **_more: honest)
    with pytest.raises(OSError, match=r"no regular file|No such device"):  # the check before the opening is passed
        folder.open("pipe", flags)


@attacks(Attack("links that lead through thousands of folders", "Lua, module fs", "Invalid", "a path of two folders"))
def test_a_walk_has_a_bounded_number_of_steps(data: Path) -> None:
    for number in range(30):
        (data / f"long{number}").symlink_to("inner/../" * 400 + (f"long{number + 1}" if number < 29 else "mine"))
    assert run(data, _read("long0")) == "Invalid: long0: the path has more than 4,096 steps"
    assert run(data, _read("long28")) == "mine"


def test_a_file_with_a_second_name_outside_is_read_and_written_as_any_other(data: Path) -> None:
    """Who put it there may do both as well; a guest of Lua cannot make such names."""
    os.link(data.parent / "secret", data / "hard")
    assert run(data, _read("hard")) == SECRET
    assert run(data, "files:writefile('hard', 'more', 'a') return files:readfile('hard')") == f"{SECRET}more"


@attacks(
    Attack(
        "the magic links of /proc",
        "Lua, module fs",
        "PermissionError",
        "a folder's ordinary links are followed: the cases above",
    )
)
def test_magic_links_of_proc_are_not_followed() -> None:
    with pytest.raises(PermissionError, match="leads out"):
        ConfinedFolder(Path("/proc/self")).status("root/etc")
    with pytest.raises(PermissionError, match="leads out"):
        ConfinedFolder(Path("/proc/self")).members("cwd", 1000)


@attacks(
    Attack(
        "a folder that is swapped for a link while the path is walked",
        "Lua, module fs",
        "PermissionError or not found",
        "the folder's own file is read in between",
    )
)
@pytest.mark.parametrize("swapped", ["door", "door/door"])
def test_a_link_that_changes_all_the_time_never_opens_a_way_out(data: Path, swapped: str) -> None:
    """A thread flips a name between a folder inside and a link to one outside while the name is walked through."""
    outside = data.parent / "outside"
    inside = data / "inside"
    for place, text in ((outside, SECRET), (inside, "inside")):
        (place / "door").mkdir(parents=True)
        (place / "file").write_text(text)
        (place / "door/file").write_text(text)
    (data / "link").symlink_to(outside)
    (data / "door").mkdir()
    (data / "door/file").write_text("inside")
    (data / "door/door").mkdir()
    (data / "door/door/file").write_text("inside")
    stop = threading.Event()
    flips = 0

    def flip() -> None:
        nonlocal flips
        name, parked, link = data / swapped, data / "parked", data / "swap"
        while not stop.is_set():
            name.rename(parked)
            link.symlink_to(outside)
            link.rename(name)
            stop.wait(random.random() / 5000)  # or the two threads may fall into step
            name.unlink()
            parked.rename(name)
            stop.wait(random.random() / 5000)
            flips += 1

    flipper = threading.Thread(target=flip)
    flipper.start()
    answers = {"inside": 0, "denied": 0, "missing": 0}
    folder, until = ConfinedFolder(data), time.monotonic() + 1.0
    try:
        while time.monotonic() < until and (min(answers.values()) < 5 or flips < 200):
            answers[_outcome(folder, f"{swapped}/file")] += 1
    finally:
        stop.set()
        flipper.join()
    assert answers["inside"]
    assert answers["denied"]
    assert flips


def _outcome(folder: ConfinedFolder, path: str) -> str:
    try:
        content = folder.read(path, 100)
    except PermissionError:
        return "denied"
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return "missing"
        raise
    assert content == b"inside"
    return "inside"


@attacks(
    Attack(
        "a folder that is moved out while the path is walked",
        "Lua, module fs",
        "PermissionError or not found",
        "the file inside is read in between",
    )
)
def test_a_folder_that_is_moved_out_during_a_walk_does_not_lead_its_dots_out(data: Path) -> None:
    """``..`` goes back to where the walk came from, whatever the file system says is above by then."""
    walked = threading.Event()
    folder = ConfinedFolder(data)

    def move() -> None:
        while not walked.is_set():
            with contextlib.suppress(OSError):
                (data / "inner").rename(data.parent / "taken")
                (data.parent / "taken").rename(data / "inner")

    mover = threading.Thread(target=move)
    mover.start()
    try:
        seen = set()
        for _ in range(2000):
            with contextlib.suppress(FileNotFoundError):
                seen.add(folder.read("inner/../mine", 100))
            with contextlib.suppress(FileNotFoundError), pytest.raises(PermissionError):
                folder.read("inner/../../secret", 100)
    finally:
        walked.set()
        mover.join()
    assert seen == {b"mine"}
