"""Each finding points to the key at which it is mended, in this process and in a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

import polycall
from polycall.interop.errors import PreparationError
from polycall.registry.isolation.error_data import decode_error, encode_error
from projects import write_project

INDEX = """namespace: app
entries:
  - name: missing
    kind: function.wat
    source: '(module (func (export "f")))'
    method: f
  - name: other
    kind: function.wat
    source: '(module (func (export "f")))'
    wit: "f: func() -> u32"
    method: f
  - name: unread
    kind: function.wat
    source: '(module (func (export "f")))'
    wit: "f: funk()"
    method: f
  - name: unexported
    kind: function.wat
    source: '(module (func (export "f")))'
    wit: "g: func()"
    method: g
  - name: absent
    kind: function.wasm
    fs: files
    path: absent.wasm
    hash: "sha256:0000000000000000000000000000000000000000000000000000000000000000"
    method: f
  - {name: files, kind: fs.directory, directory: .}
  - name: moduleless
    kind: function.lua
    ISOLATION
    source: "return {}"
    method: f
    modules: [jsn]
"""


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_finding_points_to_the_key_that_mends_it(tmp_path: Path, isolation: str) -> None:
    write_project(tmp_path, index=INDEX.replace("ISOLATION", f"isolation: {isolation}"))
    with polycall.load(tmp_path) as registry:
        found = {finding.problem.message.partition(":")[2].split(":")[0]: finding for finding in registry.check()}
    keys = {name.split(" ")[0]: finding.problem.path.rpartition(".")[2] for name, finding in found.items()}
    assert keys == {
        "missing": "wit",
        "other": "wit",
        "unread": "wit",
        "unexported": "method",
        "absent": "path",
        "moduleless": "modules",
    }


def test_the_key_travels_with_the_error() -> None:
    error = decode_error(encode_error(PreparationError("no").at("wit")))
    assert isinstance(error, PreparationError)
    assert error.key == "wit"
