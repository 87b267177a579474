"""What a guest gives the functions of the host has bounds, as the table in docs/lua-modules.md tells them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from lua_guests import run
from lua_projects import run_lua


class Bound(NamedTuple):
    """A call with something of the size `n` in it, and the largest that is taken."""

    call: str
    most: int


UUID = "'6ba7b810-9dad-11d1-80b4-00c04fd430c8'"
TEXT = "('x'):rep(n - 1) .. 'x'"  # rep alone makes no more than 64 MiB
FILTERS = "(function() local f = {} for i = 1, n do f['k' .. i] = 1 end return f end)()"
KIB, MIB = 1 << 10, 1 << 20

BOUNDS = {
    "a key of ctx": Bound(f"require('ctx').get({TEXT})", 4096),
    "an id": Bound("require('funcs').call('a:' .. ('x'):rep(n - 2))", 4096),
    "a UUID": Bound(f"require('uuid').version({TEXT})", 4096),
    "a logger's name": Bound(f"require('logger'):named({TEXT})", 256),
    "a logger's name with what stands before it": Bound(
        "require('logger'):named('a'):named('b'):named(('x'):rep(n - 4))", 256
    ),
    "a time zone": Bound(f"require('time').load_location({TEXT})", 100),
    "a duration": Bound("require('time').parse_duration(('0'):rep(n - 1) .. 's')", 200),
    "a duration to add": Bound("require('time').now():add(('0'):rep(n - 1) .. 's')", 200),
    "a layout": Bound(f"require('time').now():format({TEXT})", KIB),
    "a layout to read by": Bound(f"require('time').parse({TEXT}, 'x')", KIB),
    "a time as text": Bound(f"require('time').parse('x', {TEXT})", KIB),
    "data for base64": Bound(f"require('base64').encode({TEXT})", 64 * MIB),
    "data for hash": Bound(f"require('hash').md5({TEXT})", 64 * MIB),
    "data for hmac": Bound(f"require('crypto').hmac.sha256('k', {TEXT})", 64 * MIB),
    "data for uuid.v5": Bound(f"require('uuid').v5({UUID}, {TEXT})", 64 * MIB),
    "data for the ciphers": Bound(f"require('crypto').encrypt.aes({TEXT}, ('k'):rep(16))", 16 * MIB),
    "data to compare": Bound(f"require('crypto').constant_time_compare({TEXT}, 'x')", 16 * MIB),
    "a salt": Bound(f"require('crypto').pbkdf2('p', {TEXT}, 1, 1)", 64 * KIB),
    "a token": Bound(f"require('crypto').jwt.verify({TEXT}, 'k')", 256 * KIB),
}
OF_A_PROJECT = {
    "the name of a variable": Bound(f"env.get({TEXT})", 4096),
    "an entry": Bound("registry.get('a:' .. ('x'):rep(n - 2))", 4096),
    "a folder": Bound("fs.get('a:' .. ('x'):rep(n - 2))", 4096),
    "the names of a filter": Bound(f"registry.find({FILTERS})", 32),
    "a name of a filter": Bound(f"registry.find({{ [{TEXT}] = 1 }})", 256),
    "data to write": Bound(f"fs.get('app:files'):writefile('x', {TEXT})", 64 * MIB),
}


def _asked(bound: Bound) -> str:
    """Returns a body that gives what the call says to the largest that it takes, and to one more."""
    call = f"function(n) local value, err = {bound.call} return err and err:message() or 'done' end"
    return f"local call = {call} return {{ call({bound.most}), call({bound.most + 1}) }}"


def _refused_for_its_size(answer: object, most: int) -> None:
    assert isinstance(answer, list)
    taken, refused = answer
    assert f"at most {most} " not in taken
    assert f" {most} " in refused.replace(",", "")


@pytest.mark.alike_in_the_sandbox
@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_what_is_larger_is_an_error_that_names_the_bound(bound: Bound) -> None:
    _refused_for_its_size(run(_asked(bound)), bound.most)


@pytest.mark.alike_in_the_sandbox
@pytest.mark.parametrize("bound", OF_A_PROJECT.values(), ids=OF_A_PROJECT)
def test_what_is_larger_is_refused_by_what_a_project_offers(bound: Bound, tmp_path: Path) -> None:
    entries = "- {name: files, kind: fs.directory, directory: data, auto_init: true}"
    _refused_for_its_size(run_lua(tmp_path, _asked(bound), entries=entries), bound.most)
