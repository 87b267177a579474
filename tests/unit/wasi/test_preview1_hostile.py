"""Preview 1, called with numbers that mean harm: it answers with an error number or a trap, soon, and nothing else."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from polycall.interop.context import deadline_in
from polycall.interop.errors import DeadlineError, ExitError, TrapError
from polycall.wasm_runtime.wasi.preview1.interface import PREVIEW1
from wasip1_guests import Host, Steps, imports
from wasm_guests import context

SIZES = (0, 1, 3, 8, 65_535, 65_536, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF8, 0xFFFF_FFFF)
WIDE = (0, 2**63 - 1, 2**63, 2**64 - 1)
WIT = {"i32": "u32", "i64": "u64"}
SECONDS = 5


def guest(name: str) -> tuple[str, str]:
    """Returns a module that exports what it imports, and the signature of that."""
    parameters, results = PREVIEW1[name].core_type
    exported = name.replace("_", "-")
    source = f'(module {imports([name])} (memory (export "memory") 1) (export "{exported}" (func ${name})))'
    taken = ", ".join(f"{chr(97 + place)}: {WIT[each]}" for place, each in enumerate(parameters))
    return source, f"{exported}: func({taken}){' -> u32' if results else ''}"


def judge(host: Host, name: str, lists: Iterable[Sequence[int]]) -> None:
    source, wit = guest(name)
    with host.function(source, name.replace("_", "-"), wit) as function:
        for arguments in lists:
            begin = time.monotonic()
            with closing(function.instantiate()) as instance:
                try:
                    errno = instance.call(arguments, context(deadline=deadline_in(SECONDS)))
                except (TrapError, ExitError):
                    errno = 0
            assert errno is None or (isinstance(errno, int) and 0 <= errno <= 76)
            assert time.monotonic() - begin < SECONDS


@pytest.mark.parametrize("name", PREVIEW1)
def test_every_argument_alike(name: str, tmp_path: Path) -> None:
    parameters, _ = PREVIEW1[name].core_type
    pairs = itertools.product(SIZES, WIDE if "i64" in parameters else (0,))
    judge(Host({"/": tmp_path}), name, [[s if each == "i32" else w for each in parameters] for s, w in pairs])


@pytest.mark.parametrize("name", PREVIEW1)
@pytest.mark.parametrize("fd", [0, 1, 3, 99])
def test_each_argument_for_itself(name: str, fd: int, tmp_path: Path) -> None:
    """The first is a descriptor, mostly; one of the others means harm."""
    parameters, _ = PREVIEW1[name].core_type
    lists = [
        [*usual[:place], value, *usual[place + 1 :]]
        for usual in ([fd, *range(8, 8 * len(parameters), 8)], [fd, *([0] * (len(parameters) - 1))])
        for place, kind in enumerate(parameters)
        if place or not fd  # where the descriptor itself means harm, all four are alike
        for value in (SIZES if kind == "i32" else WIDE)
    ]
    judge(Host({"/": tmp_path}), name, lists)


ALL = """
    args_get args_sizes_get clock_res_get clock_time_get environ_get environ_sizes_get fd_advise fd_allocate fd_close
    fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size
    fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get fd_pwrite fd_read fd_readdir fd_renumber fd_seek
    fd_sync fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times path_link path_open
    path_readlink path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise
    random_get sched_yield sock_accept sock_recv sock_send sock_shutdown
"""
"""The functions of the specification."""


def test_all_functions_are_there() -> None:
    assert sorted(PREVIEW1) == sorted(ALL.split())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("clock_time_get", (1, 0, 65_532)),
        ("clock_time_get", (1, 0, 4)),  # inside, and no multiple of 8
        ("args_sizes_get", (65_534, 0)),
        ("args_sizes_get", (2, 0)),
        ("random_get", (1, 65_536)),
        ("random_get", (0, 2**32 - 1)),
        ("fd_write", (1, 65_532, 1, 0)),
        ("fd_write", (1, 0, 2**29, 0)),
        ("fd_fdstat_get", (1, 65_520)),
        ("poll_oneoff", (0, 0, 2**32 - 1, 0)),
        ("poll_oneoff", (4, 0, 1, 0)),
        ("path_create_directory", (3, 65_000, 537)),
        ("fd_prestat_dir_name", (3, 65_536, 9)),
    ],
)
def test_a_pointer_that_leads_astray_traps(name: str, arguments: tuple[int, ...], tmp_path: Path) -> None:
    source, wit = guest(name)
    with (
        Host({"/": tmp_path}).instance(source, name.replace("_", "-"), wit) as instance,
        pytest.raises(TrapError, match=r"outside of the guest's memory|is not aligned"),
    ):
        instance.call(arguments, context())


def test_a_buffer_that_leads_astray_traps_before_anything_is_written(tmp_path: Path) -> None:
    steps = Steps(Host({"/": tmp_path}))
    steps.open("file", how=1, rights=1 << 6)
    good = steps.text("good")
    steps.call("fd_write", 4, steps.buffers(good, (65_536, 1)), 2, 2048)
    with pytest.raises(TrapError, match="a buffer is outside"):
        steps.run()
    assert (tmp_path / "file").read_bytes() == b""


def test_a_long_path_is_none(tmp_path: Path) -> None:
    steps = Steps(Host({"/": tmp_path}))
    for path in ("x" * 4096, "x" * 4097, "x" * 300):
        steps.call("path_create_directory", 3, *steps.text(path))
    steps.call("path_create_directory", 3, steps.put(b"\xff"), 1).call("path_create_directory", 3, *steps.text("a\0b"))
    assert steps.run().errnos == [37, 37, 37, 25, 28]


def test_endless_writes_end_with_the_deadline(tmp_path: Path) -> None:
    """A thousand buffers, each the whole memory, a thousand times: 64 GiB into a log."""
    steps = Steps()
    listed = steps.buffers(*[(0, 65_536)] * 1024)
    steps.call("fd_write", 1, listed, 1024, 2048)
    for _ in range(1000):
        steps.call("fd_write", 1, listed, 1024, 2048)
    begin = time.monotonic()
    with pytest.raises(DeadlineError):
        steps.run(0.2)
    assert time.monotonic() - begin < 3
