"""The Dockerfile of docs/deploy.md, as far as that goes without Docker: each of its lines is done in a folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from projects import REPOSITORY

_BLOCK = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HOME = "/home/app"


class Container:
    """A folder in which the lines are done, as the user of the tests, with the Python of the tests."""

    def __init__(self, context: Path, root: Path) -> None:
        self.context = context
        self.root = root
        self.folder = root
        self.environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PORT": "0"}
        self.users: list[str] = []
        self.command: list[str] = []
        self.ran: list[str] = []

    def inside(self, path: str) -> Path:
        return self.root / path.lstrip("/") if path.startswith("/") else self.folder / path

    def do(self, line: str) -> None:
        word, rest = line.split(maxsplit=1)
        getattr(self, f"do_{word.lower()}")(rest)

    def do_from(self, image: str) -> None:
        version = re.fullmatch(r"python:3\.(\d+)-slim", image)
        assert version
        assert int(version[1]) >= 11

    def do_run(self, command: str) -> None:
        self.ran.append(command)
        if command.startswith("useradd"):
            assert shlex.split(command) == ["useradd", "--create-home", "app"]
            self.inside(_HOME).mkdir(parents=True)
        elif command.startswith("pip install"):  # tests/packaging does it, of the wheel
            assert shlex.split(command)[-1] == "polycall"
        else:
            subprocess.run(["sh", "-c", command], cwd=self.folder, env=self.environment, check=True)

    def do_user(self, name: str) -> None:
        assert any(command.startswith("useradd") and command.endswith(name) for command in self.ran)
        self.users.append(name)

    def do_workdir(self, path: str) -> None:
        self.folder = self.inside(path)
        assert self.folder.is_dir()

    def do_env(self, pairs: str) -> None:
        for pair in shlex.split(pairs):
            name, value = pair.split("=", 1)
            self.environment[name] = str(self.inside(value)) if value.startswith("/") else value

    def do_copy(self, arguments: str) -> None:
        owner, source, target = shlex.split(arguments)
        assert owner == f"--chown={self.users[-1]}"
        from_, to = self.context / source, self.inside(target)
        if from_.is_dir():
            shutil.copytree(from_, to)
        else:
            shutil.copy(from_, to)

    def do_expose(self, port: str) -> None:
        assert f'os.environ.get("PORT", "{port}")' in (self.context / "main.py").read_text()

    def do_cmd(self, command: str) -> None:
        self.command = json.loads(command)


@pytest.fixture
def container(tmp_path: Path) -> Container:
    context, root = tmp_path / "context", tmp_path / "root"
    shutil.copytree(REPOSITORY / "registry" / "templates" / "project", context / "shop")
    for name, text in _BLOCK.findall((REPOSITORY / "docs" / "deploy.md").read_text("utf-8")):
        (context / name).write_text(text)
    root.mkdir()
    made = Container(context, root)
    for line in (context / "Dockerfile").read_text().splitlines():
        made.do(line)
    return made


def test_the_image_can_be_built_and_what_it_starts_answers_and_ends(container: Container) -> None:
    assert container.users == ["app"]
    cache = Path(container.environment["POLYCALL_CACHE_DIR"])
    compiled = set(cache.iterdir())
    assert compiled, "check has filled the cache"
    process = subprocess.Popen(
        container.command, cwd=container.folder, env=container.environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        port = process.stdout.readline().removeprefix("listening on ").strip()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/welcome", data=b'["World"]', method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer) == {"greeting": "Hello, World!", "vowels": 3}
        assert set(cache.iterdir()) == compiled, "no start compiles again"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        process.stdout.close()
