from __future__ import annotations

import subprocess
import sys


def output_of(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_log_is_set_up_when_something_is_first_said_and_not_before() -> None:
    script = """
import sys
from polycall.interop.logs import DEBUG, is_wanted, logger, once_loaded

def set_up(level):
    import logging
    logging.basicConfig(level=level, format="%(name)s: %(message)s", stream=sys.stdout, force=True)

once_loaded(lambda: set_up("DEBUG"))
once_loaded(lambda: set_up("WARNING"))
print(is_wanted("polycall.call", DEBUG), "logging" in sys.modules)
logger("polycall.call").debug("hidden")
logger("polycall.call").warning("shown")
once_loaded(lambda: set_up("DEBUG"))
print(is_wanted("polycall.call", DEBUG))
"""
    assert output_of(script) == "False False\npolycall.call: shown\nTrue\n"


def test_a_program_that_has_loaded_the_log_itself_is_asked_what_it_wants() -> None:
    script = """
import logging
from polycall.interop.logs import DEBUG, INFO, is_wanted
logging.getLogger("polycall").setLevel(logging.INFO)
print(is_wanted("polycall.call", INFO), is_wanted("polycall.call", DEBUG))
"""
    assert output_of(script) == "True False\n"
