from __future__ import annotations

import hashlib
import sys
import time
from contextlib import closing
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from lua_guests import body, context, prepare, program, refusal, run
from polycall.interop.context import Cancellation
from polycall.interop.errors import CancelledError, DeadlineError
from polycall.interop.values import Value

# RFC 7515, A.1: the token, and its key (there base64url).
RFC_7515_TOKEN = (
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
RFC_7515_KEY = bytes.fromhex(
    "0323354b2b0fa5bc837e0665777ba68f5ab328e6f054c928a90f84b2d2502ebf"
    "d3fb5a92d20647ef968ab4c377623d223d2e2172052e4f08c0cd9af567d080a3"
)


def raw(value: Value) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)  # type: ignore[arg-type]  # bytes, else


class TestRandom:
    def test_bytes_have_their_length_and_differ(self) -> None:
        text = (
            "local r = require('crypto').random return { #r.bytes(1), #r.bytes(1048576), r.bytes(32) ~= r.bytes(32) }"
        )
        assert run(text) == [1, 1048576, True]

    def test_strings_are_of_their_alphabet_and_use_all_of_it(self) -> None:
        assert set(str(run("return require('crypto').random.string(2000, 'abc')"))) == set("abc")
        text = str(run("return require('crypto').random.string(5000)"))
        assert len(text) == 5000
        assert text.isalnum()
        assert len(set(text)) == 62

    def test_letters_are_equally_likely(self) -> None:
        # 256 is no multiple of 100: with a plain remainder the first 56 letters would come 1.5 times as often.
        alphabet = "".join(map(chr, range(27, 127)))
        text = str(run("return require('crypto').random.string(200000, ...)", alphabet))
        early = sum(char in alphabet[:56] for char in text)
        assert 0.54 < early / 200000 < 0.58

    def test_uuid(self) -> None:
        assert run("return require('uuid').version(require('crypto').random.uuid())") == 4

    @pytest.mark.parametrize(
        "call",
        [
            "bytes(0)",
            "bytes(-1)",
            "bytes(1048577)",
            "bytes(2.5)",
            "bytes('x')",
            "bytes()",
            "string(0)",
            "string(5, '')",
            "string(5, 'é')",
            "string(5, 5)",
        ],
    )
    def test_wrong_arguments_are_invalid(self, call: str) -> None:
        assert refusal(f"require('crypto').random.{call}") == "Invalid"


class TestHmac:
    def test_rfc_4231_case_2(self) -> None:
        text = "local h = require('crypto').hmac return { h.sha256('Jefe', ...), h.sha512('Jefe', ...) }"
        assert run(text, "what do ya want for nothing?") == [
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ]

    @pytest.mark.parametrize("call", ["sha256()", "sha256('k')", "sha512('', 'x')", "sha256(5, 'x')"])
    def test_wrong_arguments_are_invalid(self, call: str) -> None:
        assert refusal(f"require('crypto').hmac.{call}") == "Invalid"


class TestConstantTimeCompare:
    @pytest.mark.parametrize(("left", "right", "same"), [("a", "a", True), ("a", "b", False), ("a", "ab", False)])
    def test_answers(self, left: str, right: str, same: bool) -> None:
        assert run("return require('crypto').constant_time_compare(...)", left, right) is same

    def test_wrong_types_are_invalid(self) -> None:
        assert refusal("require('crypto').constant_time_compare('a', 5)") == "Invalid"


class TestPbkdf2:
    # RFC 7914, section 11 (SHA-256).
    @pytest.mark.parametrize(
        ("password", "salt", "iterations", "key"),
        [
            (
                "passwd",
                "salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
                "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
            ),
            (
                "Password",
                "NaCl",
                80000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
                "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
            ),
        ],
    )
    @pytest.mark.parametrize("guarded", [False, True])
    def test_rfc_7914(self, password: str, salt: str, iterations: int, key: str, guarded: bool) -> None:
        frame = context(deadline=time.monotonic() + 60 if guarded else None)
        text = "return require('crypto').pbkdf2(...)"
        assert raw(run(text, password, salt, iterations, 64, frame=frame)).hex() == key

    @pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
    def test_the_interruptible_way_gives_the_same_for_every_length_and_hash(self, length: int) -> None:
        frame = context(cancellation=Cancellation())
        text = "return require('crypto').pbkdf2(...)"
        found = raw(run(text, "p" * 200, "s", 60000 // (length // 64 + 1), length, "sha512", frame=frame))
        assert found == hashlib.pbkdf2_hmac("sha512", b"p" * 200, b"s", 60000 // (length // 64 + 1), length)

    def test_a_long_derivation_ends_with_its_deadline(self) -> None:
        started = time.monotonic()
        with pytest.raises(DeadlineError):
            run(
                "return require('crypto').pbkdf2('p', 's', 10000000, 1024)",
                frame=context(deadline=started + 0.2),
            )
        assert time.monotonic() - started < 1.5

    @pytest.mark.parametrize(
        "arguments",
        [
            "",
            "'', 's', 1, 1",
            "'p', '', 1, 1",
            "'p', 's', 0, 1",
            "'p', 's', 10000001, 1",
            "'p', 's', 1, 0",
            "'p', 's', 1, 1025",
            "'p', 's', 1.5, 1",
            "'p', 's', '1', 1",
            "'p', 's', 1, 1, 'md5'",
            "'p', 's', 1, 1, 5",
        ],
    )
    def test_wrong_arguments_are_invalid(self, arguments: str) -> None:
        assert refusal(f"require('crypto').pbkdf2({arguments})") == "Invalid"


class TestEncryption:
    @given(
        data=st.binary(max_size=100), associated=st.none() | st.binary(max_size=20), size=st.sampled_from([16, 24, 32])
    )
    def test_decrypting_what_was_encrypted_gives_it_back(
        self, data: bytes, associated: bytes | None, size: int
    ) -> None:
        text = """
          local crypto, data, key, long, aad = require('crypto'), ...
          local a, c = crypto.encrypt.aes(data, key, aad), crypto.encrypt.chacha20(data, long, aad)
          return { crypto.decrypt.aes(a, key, aad) == data, crypto.decrypt.chacha20(c, long, aad) == data,
            #a - #data, #c - #data }"""
        assert run(text, data, bytes(size), bytes(range(32)), associated) == [True, True, 28, 28]

    def test_the_nonce_stands_in_front_and_is_new_each_time(self) -> None:
        key = bytes(range(32))
        text = "return require('crypto').encrypt.{}(...)"
        first, second = (raw(run(text.format("aes"), "text", key, "aad")) for _ in range(2))
        assert first[:12] != second[:12]
        assert AESGCM(key).decrypt(first[:12], first[12:], b"aad") == b"text"
        sealed = raw(run(text.format("chacha20"), "text", key))
        assert ChaCha20Poly1305(key).decrypt(sealed[:12], sealed[12:], None) == b"text"

    def test_the_vector_of_rfc_8439_decrypts(self) -> None:
        # RFC 8439, section 2.8.2.
        key, nonce = bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647")
        sealed = bytes.fromhex(
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
            "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
            "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"
        )
        aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
        assert run("return require('crypto').decrypt.chacha20(...)", nonce + sealed, key, aad) == (
            "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            "sunscreen would be it."
        )

    @pytest.mark.parametrize("name", ["aes", "chacha20"])
    @pytest.mark.parametrize("change", ["sealed:sub(1, -2) .. '\\0\\0'", "sealed .. 'x'", "sealed:sub(2)", "sealed"])
    def test_what_was_changed_is_not_decrypted(self, name: str, change: str) -> None:
        text = f"""(function(key)
          local sealed = require('crypto').encrypt.{name}('text', key, 'aad')
          return require('crypto').decrypt.{name}({change}, key, 'other')
        end)(...)"""
        assert refusal(text, bytes(32)) == "Internal"

    @pytest.mark.parametrize(
        "call",
        [
            "encrypt.aes('x', 'short')",
            "encrypt.aes('x', string.rep('k', 20))",
            "encrypt.chacha20('x', string.rep('k', 16))",
            "decrypt.aes('x', string.rep('k', 16))",
            "decrypt.chacha20(5, string.rep('k', 32))",
            "encrypt.aes('x')",
            "encrypt.aes('x', string.rep('k', 16), 5)",
            "encrypt.aes(string.rep('x', 40000000), string.rep('k', 16))",
        ],
    )
    def test_wrong_arguments_are_invalid(self, call: str) -> None:
        assert refusal(f"require('crypto').{call}") == "Invalid"


@pytest.mark.parametrize(
    "call",
    [
        "encrypt.aes('x', string.rep('k', 32))",
        "decrypt.aes('x', string.rep('k', 32))",
        "encrypt.chacha20('x', string.rep('k', 32))",
        "decrypt.chacha20('x', string.rep('k', 32))",
        "jwt.encode({}, 'pem', 'RS256')",
    ],
)
def test_without_cryptography_the_error_says_what_to_install(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert refusal(f"require('crypto').{call}") == "Unavailable"
    message = run(f"return select(2, require('crypto').{call}):message()")
    assert 'pip install "polycall[crypto]"' in str(message)
    assert run("return require('crypto').jwt.encode({}, 'key')") is not None


def pem_of(key: Any) -> tuple[str, str]:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.fixture(scope="module")
def rsa_pem() -> tuple[str, str]:
    return pem_of(rsa.generate_private_key(65537, 2048))


class TestJwt:
    @pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
    def test_verifying_what_was_signed_gives_the_claims(self, algorithm: str) -> None:
        text = """
          local jwt, claims, algorithm = require('crypto').jwt, ...
          return jwt.verify(jwt.encode(claims, 'key', algorithm), 'key', algorithm)"""
        claims: dict[str, Value] = {"exp": int(time.time()) + 60, "roles": ["a", "b"], "sub": "é"}
        assert run(text, claims, algorithm) == claims

    def test_the_token_of_the_rfc_is_verified(self) -> None:
        # It expired in 2011: that is found out only after the signature was found to be right.
        text = "return select(2, require('crypto').jwt.verify(...)):message()"
        assert "expired" in str(run(text, RFC_7515_TOKEN, RFC_7515_KEY))
        assert "signature" in str(run(text, RFC_7515_TOKEN, "another"))

    def test_rs256(self, rsa_pem: tuple[str, str]) -> None:
        text = """
          local jwt, private, public = require('crypto').jwt, ...
          return jwt.verify(jwt.encode({ sub = 'ann' }, private, 'RS256'), public, 'RS256', false)"""
        assert run(text, *rsa_pem) == {"sub": "ann"}

    def test_a_public_key_is_never_taken_for_a_secret(self, rsa_pem: tuple[str, str]) -> None:
        text = """(function(public)
          local jwt = require('crypto').jwt
          return jwt.verify(jwt.encode({}, public, 'HS256'), public, 'RS256', false)
        end)(...)"""
        assert refusal(text, rsa_pem[1]) == "Internal"

    def test_the_header_can_be_added_to_but_not_its_algorithm(self) -> None:
        text = """
          local token = require('crypto').jwt.encode({ _header = { kid = 'k1', alg = 'none' }, sub = 'a' }, 'key')
          local header = token:match('^[^.]+')
          return require('base64').decode(header .. string.rep('=', -#header % 4))"""
        assert run(text) == '{"typ":"JWT","alg":"HS256","kid":"k1"}'

    @pytest.mark.parametrize(
        ("claims", "why"),
        [
            ("{ exp = os.time() - 1 }", "expired"),
            ("{ exp = 'soon' }", "no number"),
            ("{}", "missing"),
            ("{ exp = os.time() + 60, nbf = os.time() + 60 }", "not valid yet"),
        ],
    )
    def test_times_are_checked(self, claims: str, why: str) -> None:
        text = f"""
          local jwt = require('crypto').jwt
          return select(2, jwt.verify(jwt.encode({claims}, 'k'), 'k')):message()"""
        assert why in str(run(text))

    @pytest.mark.parametrize("flag", ["true", "false"])
    def test_an_expiry_that_is_there_is_always_checked(self, flag: str) -> None:
        text = f"""(function(jwt)
          return jwt.verify(jwt.encode({{ exp = 1 }}, 'k'), 'k', 'HS256', {flag})
        end)(require('crypto').jwt)"""
        assert refusal(text) == "Internal"

    @pytest.mark.parametrize(
        "token",
        [
            "",
            "a.b",
            "a.b.c.d",
            "!.!.!",
            "eyJhbGciOiJub25lIn0.e30.",  # {"alg":"none"}
            "eyJhbGciOiJIUzI1NiJ9.e30.AAAA",
            "W10.e30.AAAA",  # a header that is a list
            "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiYiJdfQ.e30.AAAA",  # "crit"
            "x" * 300000,
        ],
    )
    def test_a_bad_token_is_an_internal_error(self, token: str) -> None:
        assert refusal("require('crypto').jwt.verify(..., 'k', 'HS256', false)", token) == "Internal"

    @pytest.mark.parametrize(
        "call",
        [
            "encode()",
            "encode('x', 'k')",
            "encode({ 1, 2 }, 'k')",
            "encode({ print = print }, 'k')",
            "encode({}, '')",
            "encode({}, 5)",
            "encode({}, 'k', 'none')",
            "encode({}, 'k', 5)",
            "encode({}, 'not a pem', 'RS256')",
            "verify('a.b.c', 'k', 'none')",
            "verify(5, 'k')",
            "verify('a.b.c')",
            "verify('a.b.c', 'k', 'HS256', 'yes')",
            "encode({ x = string.rep('x', 300000) }, 'k')",
        ],
    )
    def test_wrong_arguments_are_invalid(self, call: str) -> None:
        assert refusal(f"require('crypto').jwt.{call}") == "Invalid"

    def test_other_keys_are_invalid(self, rsa_pem: tuple[str, str]) -> None:
        other, _ = pem_of(ec.generate_private_key(ec.SECP256R1()))
        for key in (other, rsa_pem[1]):
            assert refusal("require('crypto').jwt.encode({}, ..., 'RS256')", key) == "Invalid"


def test_cancelling_ends_a_derivation() -> None:
    cancellation = Cancellation()
    text = "require('funcs').call('app:cancel') return require('crypto').pbkdf2('p', 's', 10000000, 64)"

    def cancel(*_: object) -> Value:
        cancellation.cancel()
        return None

    with closing(prepare(program(body(text)), {"app:cancel": cancel}).instantiate()) as instance:
        with pytest.raises(CancelledError):
            instance.call([], context(cancellation=cancellation))
        assert instance.poisoned
