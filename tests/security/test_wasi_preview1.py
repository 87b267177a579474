"""Core modules that try to get out by WASI preview 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from attacks import Attack, attacks
from polycall.interop.errors import ImportDeniedError, TrapError
from wasip1_guests import OUT, Host, Steps, at

BADF, PERM, ROFS, NOTCAPABLE = 8, 63, 69, 76
READ, WRITE = 1 << 1, 1 << 6
CREATE = 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder beside a secret."""
    (tmp_path / "secret").write_text("s3cret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file").write_text("open")
    (inside / "way-out").symlink_to("../secret")
    (inside / "absolute").symlink_to(tmp_path / "secret")
    (inside / "way-in").symlink_to("file")
    return inside


ROW = "the error number PERM"


@attacks(
    Attack("opening a file beside the folder by `..`", "core module (preview 1)", ROW, "`x/../file` opens"),
    Attack("opening by an absolute path", "core module (preview 1)", ROW, "the path inside opens"),
    Attack("opening by a link that leads out", "core module (preview 1)", ROW, "a link inside is followed"),
)
@pytest.mark.parametrize("path", ["../secret", "inner/../../secret", "/secret", "/etc/passwd", "way-out", "absolute"])
def test_nothing_outside_of_a_folder_opens(folder: Path, path: str) -> None:
    (folder / "inner").mkdir()
    steps = Steps(Host({"/": folder}))
    steps.open(path, lookup=1).open(path, lookup=1, how=CREATE, rights=WRITE)
    steps.call("path_filestat_get", 3, 1, *steps.text(path), 2048)
    for good in ("inner/../file", "file", "way-in"):
        steps.open(good, lookup=1)
    assert steps.run().errnos == [PERM, PERM, PERM, 0, 0, 0]
    assert (folder.parent / "secret").read_text() == "s3cret"


@attacks(
    Attack(
        "making a link that leads out, and moving files out",
        "core module (preview 1)",
        ROW,
        "inside of the folder both are done",
    )
)
def test_nothing_leads_or_goes_out(folder: Path) -> None:
    steps = Steps(Host({"/": folder}))
    file, out = steps.text("file"), steps.text("../stolen")
    steps.call("path_symlink", *steps.text("/etc"), 3, *steps.text("link"))
    steps.call("path_rename", 3, *file, 3, *out).call("path_link", 3, 0, *file, 3, *out)
    steps.call("path_create_directory", 3, *out).call("path_unlink_file", 3, *steps.text("../secret"))
    steps.call("path_symlink", *file, 3, *steps.text("link")).call("path_rename", 3, *file, 3, *steps.text("moved"))
    assert steps.run().errnos == [*[PERM] * 5, 0, 0]
    assert sorted(each.name for each in folder.parent.iterdir()) == ["inside", "secret"]


@attacks(
    Attack(
        "using descriptors of the host by their numbers",
        "core module (preview 1)",
        "the error number BADF",
        "the folder that it was given is number 3",
    )
)
def test_numbers_of_descriptors_are_the_guests_own(folder: Path) -> None:
    with (folder.parent / "secret").open() as held:
        steps = Steps(Host({"/": folder}))
        numbers = sorted({*range(4, 40), held.fileno(), 2**31, 2**32 - 1} - {3})
        for number in numbers:
            steps.call("fd_filestat_get", number, 2048)
        steps.call("fd_filestat_get", 3, 2048)
        assert steps.run().errnos == [*[BADF] * len(numbers), 0]


@attacks(
    Attack("writing in a read-only mount", "core module (preview 1)", "the error number ROFS", "it is read"),
    Attack(
        "taking rights back that were given away",
        "core module (preview 1)",
        "the error number NOTCAPABLE",
        "what is left of them is used",
    ),
)
def test_what_may_not_be_changed_is_not(folder: Path) -> None:
    steps = Steps(Host({"/:ro": folder}))
    steps.open("file", rights=WRITE).open("new", how=CREATE).open("file")
    steps.call("fd_fdstat_set_rights", 3, 1 << 13, READ).call("fd_fdstat_set_rights", 3, 2**30 - 1, 2**30 - 1)
    steps.call("path_unlink_file", 3, *steps.text("file")).open("file", rights=READ | WRITE).open("file")
    assert steps.run().errnos == [ROFS, ROFS, 0, 0, NOTCAPABLE, NOTCAPABLE, ROFS, 0]


@attacks(
    Attack(
        "having the host write outside of the memory",
        "core module (preview 1)",
        TrapError.__name__,
        "at the memory's very end it writes",
    )
)
@pytest.mark.parametrize("size", [9, 2**16, 2**31, 2**32 - 1])
def test_the_host_writes_into_the_guests_memory_alone(size: int) -> None:
    at_the_end = 65_536 - 8
    with pytest.raises(TrapError, match="outside of the guest's memory"):
        Steps().call("random_get", at_the_end, size).run()
    assert any(Steps().call("random_get", at_the_end, 8).run().memory[-8:])


@attacks(
    Attack(
        "calling preview 1 without its grant", "core module", ImportDeniedError.__name__, "with the grant it answers"
    )
)
def test_nothing_is_there_without_the_grant() -> None:
    with pytest.raises(ImportDeniedError):
        Steps(Host(granted=False)).call("clock_time_get", 1, 0, OUT).run()
    assert Steps().call("clock_time_get", 1, 0, OUT).run().errnos == [0]


@attacks(
    Attack(
        "keeping a file open for the next call",
        "core module (preview 1)",
        "the error number BADF",
        "within the call it is read",
    )
)
def test_what_is_open_ends_with_the_call(folder: Path) -> None:
    steps = Steps(Host({"/": folder}))
    steps.call("fd_filestat_get", 4, 2048).open("file").call("fd_filestat_get", at(), 2048)
    with steps.host.instance(steps.source(), wit="run: func() -> list<u8>") as instance:
        for _ in range(2):
            assert steps.run_in(instance).errnos == [BADF, 0, 0]
