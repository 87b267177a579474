from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lua_guests import body, context, prepare, program, refusal, run
from polycall.interop.errors import DeadlineError
from polycall.lua_runtime.instance import LuaInstance

pytestmark = pytest.mark.under_every_limit

# RFC 1321, A.5; FIPS 180-4 examples.
DIGESTS = [
    ("md5", "", "d41d8cd98f00b204e9800998ecf8427e"),
    ("md5", "message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
    ("sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        "sha256",
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    (
        "sha512",
        "abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
]
# RFC 4231, cases 1, 2 and 6 (a key longer than a block); RFC 2202, case 2 of MD5 and SHA-1.
MACS = [
    (
        "sha256",
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        "sha256",
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        "sha256",
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        "sha512",
        b"Jefe",
        b"what do ya want for nothing?",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ),
    ("md5", b"Jefe", b"what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
    ("sha1", b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
]
# The test vectors of the FNV reference code, for FNV-1.
FNV = [
    ("", 0x811C9DC5, 0xCBF29CE484222325),
    ("a", 0x050C5D7E, 0xAF63BD4C8601B7BE),
    ("foobar", 0x31F0B262, 0x340D8765A4DDA9C2),
]


@pytest.mark.parametrize(("name", "text", "digest"), DIGESTS)
def test_published_digests(name: str, text: str, digest: str) -> None:
    call = f"require('hash').{name}"
    assert run(f"return {call}(...)", text) == digest
    assert run(f"return {call}(..., false)", text) == digest
    assert run(f"return {call}(..., true) == ({call}(...):gsub('%x%x', hex))".replace("hex", HEX), text) is True


HEX = "function(pair) return string.char(tonumber(pair, 16)) end"


@pytest.mark.parametrize(("name", "key", "data", "mac"), MACS)
def test_published_macs(name: str, key: bytes, data: bytes, mac: str) -> None:
    assert run(f"local key, data = ... return require('hash').hmac_{name}(data, key)", key, data) == mac
    assert run(f"local key, data = ... return #require('hash').hmac_{name}(data, key, true)", key, data) == len(mac) / 2


@pytest.mark.parametrize(("text", "narrow", "wide"), FNV)
def test_published_fnv(text: str, narrow: int, wide: int) -> None:
    assert run("return require('hash').fnv32(...)", text) == narrow
    signed = wide - 2**64 if wide >= 2**63 else wide
    assert run("return require('hash').fnv64(...)", text) == signed


@pytest.fixture(scope="module")
def all_digests(conditions: None) -> Iterator[LuaInstance]:
    text = "local h = require('hash') return { h.md5(...), h.sha1(...), h.sha256(...), h.sha512(...) }"
    with closing(prepare(program(body(text))).instantiate()) as instance:
        yield instance


@given(data=st.binary(max_size=300))
def test_every_digest_is_that_of_the_bytes(data: bytes, all_digests: LuaInstance) -> None:
    wanted = [hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")]
    assert all_digests.call([data], context()) == wanted


def test_data_of_several_pieces_are_one() -> None:
    # FIPS 180-4: a million times "a".
    text = "local s = string.rep('a', 1000000) return require('hash').sha256(s)"
    assert run(text) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    long = "local s = string.rep('a', 3000001) return require('hash').sha1(s)"
    assert run(long) == hashlib.sha1(b"a" * 3000001).hexdigest()


@pytest.mark.parametrize(
    "call",
    [
        "md5()",
        "sha1(5)",
        "sha256({})",
        "sha512('x', 'yes')",
        "hmac_md5('x')",
        "hmac_sha256(1, 'k')",
        "hmac_sha512('x', {})",
        "fnv32()",
        "fnv64(5)",
    ],
)
def test_wrong_types_are_invalid(call: str) -> None:
    assert refusal(f"require('hash').{call}") == "Invalid"


@pytest.mark.parametrize("call", ["sha512(s)", "hmac_sha256(s, s)", "hmac_sha256('x', s)", "fnv64(s)"])
def test_a_large_input_ends_with_its_deadline(call: str) -> None:
    text = f"local s = string.rep('x', 16000000) while true do require('hash').{call} end"
    started = time.monotonic()
    with pytest.raises(DeadlineError):
        run(text, frame=context(deadline=started + 0.2))
    assert time.monotonic() - started < 1.5
