"""The files in `locks/` hold what pyproject.toml asks for, on every platform that is tested."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, cast

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
LOCKS = REPOSITORY / "locks"
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
PLATFORMS = [
    {
        "python_version": python, "python_full_version": f"{python}.0", "implementation_name": "cpython",
        "platform_python_implementation": "CPython", "os_name": "posix", "sys_platform": system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system], "platform_machine": machine,
    }
    for python in ("3.11", "3.12", "3.13", "3.14")
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64"))
]  # fmt: skip


def locked(name: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Each pin of a lock file, with its hashes."""
    text = re.sub(r"^\s*#.*\n", "", (LOCKS / name).read_text("utf-8"), flags=re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        requirement, *hashes = line.split(" --hash=")
        yield Requirement(requirement), [each.strip() for each in hashes]


def pins(name: str, platform: dict[str, str]) -> dict[str, str]:
    """The versions that a lock file gives this platform."""
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin, _ in locked(name)
        if pin.marker is None or pin.marker.evaluate(platform)
    }


def group(name: str) -> Iterator[str]:
    for item in PROJECT["dependency-groups"][name]:
        if isinstance(item, str):
            yield item
        else:
            yield from group(item["include-group"])


def asked(name: str) -> list[str]:
    """What pyproject.toml asks of a lock file."""
    project = cast("dict[str, Any]", PROJECT["project"])
    runtime = [*project["dependencies"], *PROJECT["build-system"]["requires"], *group("build")]
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    return {
        "runtime.txt": runtime,
        "dev.txt": [*runtime, *extras, *group("dev")],
        "docs.txt": [*group("docs")],
        "fuzz.txt": [*group("fuzz")],
        "relock.txt": [*group("relock")],
    }[name]


NAMES = ("dev.txt", "docs.txt", "fuzz.txt", "relock.txt", "runtime.txt")


def test_each_lock_file_is_known() -> None:
    assert sorted(path.name for path in LOCKS.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_package_is_pinned_by_version_and_hash_and_by_no_address(name: str) -> None:
    for pin, hashes in locked(name):
        assert re.fullmatch(r"==[^,*]+", str(pin.specifier)), pin
        assert pin.url is None
        assert hashes, pin
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes), pin
    assert "://" not in (LOCKS / name).read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_range_of_the_project_holds_its_pin(name: str) -> None:
    for platform in PLATFORMS:
        versions = pins(name, platform)
        for requirement in map(Requirement, asked(name)):
            if requirement.marker is None or requirement.marker.evaluate(platform):
                version = versions.get(canonicalize_name(requirement.name))
                assert version, f"{requirement} is not in locks/{name}: make relock RELOCK_ARGS="
                assert requirement.specifier.contains(version), f"{requirement} is {version} in locks/{name}"


@pytest.mark.parametrize("name", ["runtime.txt", "docs.txt", "fuzz.txt", "relock.txt"])
def test_what_two_lock_files_share_is_one_version(name: str) -> None:
    for platform in PLATFORMS:
        everything = pins("dev.txt", platform)
        versions = pins(name, platform)
        assert {package: everything.get(package, version) for package, version in versions.items()} == versions


@pytest.mark.parametrize("name", ["dev.txt", "runtime.txt"])
def test_a_lock_file_holds_what_its_packages_want_themselves(name: str) -> None:
    """Each is installed without its dependencies: who is not pinned is not there. Told by what is installed here."""
    versions = pins(name, {key: str(value) for key, value in default_environment().items()})
    waiting, seen = [(Requirement(each), {""}) for each in asked(name)], set[str]()
    while waiting:
        wanted, extras = waiting.pop()
        here = wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras)
        if not here or str(wanted) in seen:
            continue
        seen.add(str(wanted))
        version = versions.get(canonicalize_name(wanted.name))
        assert version, f"{wanted} is wanted, and not in locks/{name}"
        assert wanted.specifier.contains(version), f"{wanted} is {version} in locks/{name}"
        installed = distribution(wanted.name)
        if installed.version != version:
            pytest.skip("this environment is not what the lock file makes")
        waiting += [(Requirement(need), wanted.extras or {""}) for need in installed.requires or ()]
    assert {canonicalize_name(Requirement(each).name) for each in seen} == versions.keys()


def test_nothing_is_installed_from_a_lock_file_but_the_lock_file() -> None:
    """Nor does pip ask what a package wants: it would take the newest `coverage[toml]` before it comes to our pin."""
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    assert re.findall(r"^LOCKED := .*$", makefile, re.MULTILINE) == [
        "LOCKED := $(PIP) install --no-deps --require-hashes --requirement"
    ]
