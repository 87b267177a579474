"""``async def`` functions: they run on the event loop that registered them, whoever calls."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import polycall

LUA = {
    "kind": "function.lua", "method": "f", "modules": ["funcs"],
    "source": "return { f = function(target, ...) return require('funcs').call(target, ...) end }",
}  # fmt: skip


@pytest.fixture
def registry() -> Iterator[polycall.Registry]:
    with polycall.Registry() as made:
        made.add({"id": "app:ask", **LUA})
        yield made


def in_thread(work: Any) -> asyncio.Future[Any]:
    """Begins a synchronous call in a thread of its own."""
    return asyncio.ensure_future(asyncio.to_thread(work))


def test_it_runs_on_the_loop_whoever_calls(registry: polycall.Registry) -> None:
    async def main() -> tuple[Any, ...]:
        here = asyncio.get_running_loop()

        @registry.function("py:double")
        async def double(number: int) -> int:
            await asyncio.sleep(0)
            assert asyncio.get_running_loop() is here
            return 2 * number

        assert registry.get("py:double").kind == "function.python"
        return await asyncio.gather(
            registry.call_async("py:double", 1),
            registry.call_async("app:ask", "py:double", 2),
            registry.call_async("app:ask", "app:ask", "py:double", 3),
            in_thread(lambda: registry.call("py:double", 4)),
            in_thread(lambda: registry.call("app:ask", "py:double", 5)),
        )

    assert list(asyncio.run(main())) == [2, 4, 6, 8, 10]


def test_hundreds_wait_at_the_same_time_without_waiting_for_each_other(registry: polycall.Registry) -> None:
    registry.replace({"id": "app:ask", **LUA, "pool": {"max_size": 200}})

    async def main() -> list[Any]:
        all_here, waiting = asyncio.Event(), 0

        @registry.function("py:wait")
        async def wait() -> str:
            nonlocal waiting
            waiting += 1
            if waiting == 200:
                all_here.set()
            await all_here.wait()
            return "all"

        return await asyncio.gather(*(registry.call_async("app:ask", "py:wait", timeout=30) for _ in range(200)))

    assert asyncio.run(main()) == ["all"] * 200


def test_what_it_calls_goes_on_with_the_chain(registry: polycall.Registry) -> None:
    registry.add(
        {
            "id": "app:who",
            **LUA,
            "modules": ["ctx"],
            "source": "return { f = function() return require('ctx').get('user') end }",
        }
    )

    async def main() -> tuple[Any, list[str]]:
        @registry.function("py:on")
        async def on(target: str) -> polycall.Value:
            return await registry.call_async(target)

        who = await registry.call_async("app:ask", "py:on", "app:who", values={"user": "ana"})
        with pytest.raises(polycall.NotFoundError) as caught:
            await registry.call_async("app:ask", "py:on", "app:none")
        return who, [frame.entry_id for frame in caught.value.frames]

    assert asyncio.run(main()) == ("ana", ["app:ask", "py:on"])


def test_its_deadline_and_its_cancellation_end_the_task(registry: polycall.Registry) -> None:
    async def main() -> list[str]:
        ended: list[str] = []
        begun = asyncio.Event()

        @registry.function("py:never")
        async def never() -> None:
            begun.set()
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        with pytest.raises(polycall.DeadlineError, match="while it waited for its event loop"):
            await registry.call_async("app:ask", "py:never", timeout=0.05)
        begun.clear()
        task = asyncio.create_task(registry.call_async("app:ask", "py:never"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        switch = polycall.Cancellation()
        begun.clear()
        call = in_thread(lambda: registry.call("py:never", cancellation=switch))
        await begun.wait()
        switch.cancel()
        with pytest.raises(polycall.CancelledError):
            await call
        while len(ended) < 3:
            await asyncio.sleep(0.001)
        return ended

    assert asyncio.run(asyncio.wait_for(main(), 30)) == ["cancelled"] * 3


def test_what_it_raises_is_an_error_of_the_call(registry: polycall.Registry) -> None:
    async def main() -> None:
        @registry.function("py:fail")
        async def fail() -> None:
            raise KeyError("XX")

        @registry.function("py:odd")
        async def odd() -> object:
            return object()

        with pytest.raises(polycall.GuestError, match=r"app:ask \(lua\) -> py:fail \(python\): KeyError: 'XX'"):
            await registry.call_async("app:ask", "py:fail")
        with pytest.raises(polycall.ConversionError):
            await registry.call_async("py:odd")
        with pytest.raises(polycall.GuestError, match="TypeError"):
            await registry.call_async("py:fail", 1)

    asyncio.run(main())


def test_a_call_that_would_wait_for_its_own_thread_is_refused(registry: polycall.Registry) -> None:
    async def main() -> None:
        @registry.function("py:here")
        async def here() -> int:
            return 1

        for call in (["py:here"], ["app:ask", "py:here"], ["app:ask"] * 12 + ["py:here"]):
            with pytest.raises(polycall.CallError, match="which would wait for itself") as caught:
                registry.call(*call)
            assert caught.value.hint == "await registry.call_async(...) there"

    asyncio.run(main())


def test_a_loop_that_has_ended_is_told_of(registry: polycall.Registry) -> None:
    async def register() -> None:
        @registry.function("py:gone")
        async def gone() -> None:
            """Nobody can run it any more."""

    asyncio.run(register())
    with pytest.raises(polycall.CallError, match="the event loop that it runs on has ended"):
        registry.call("app:ask", "py:gone")


@pytest.mark.parametrize("closes", [False, True])
def test_a_loop_that_ends_while_calls_wait_lets_them_go(registry: polycall.Registry, closes: bool) -> None:
    errors: list[polycall.PolycallError] = []
    begun = threading.Event()

    def call() -> None:
        try:
            registry.call("py:never")
        except polycall.PolycallError as error:
            errors.append(error)

    async def main() -> threading.Thread:
        @registry.function("py:never")
        async def never() -> None:
            begun.set()
            await asyncio.sleep(600)

        thread = threading.Thread(target=call)
        thread.start()
        await asyncio.to_thread(begun.wait)
        return thread

    with asyncio.Runner() as runner:
        thread = runner.run(main())
        if not closes:
            thread.join(30)
    thread.join(30)
    assert [type(error) for error in errors] == [polycall.CallError]


def test_without_a_loop_nothing_async_is_registered(registry: polycall.Registry) -> None:
    async def lonely() -> None:
        """Is refused before it could run."""

    with pytest.raises(RuntimeError, match="py:lonely: an async function runs on the event loop that registers it"):
        registry.function("py:lonely")(lonely)
    assert "py:lonely" not in registry


def test_all_that_gives_a_coroutine_is_async(registry: polycall.Registry) -> None:
    class Adds:
        async def __call__(self, number: int) -> int:
            return number + 1

        async def more(self, number: int, by: int) -> int:
            return number + by

    async def main() -> list[Any]:
        registry.function("py:object")(Adds())
        registry.function("py:method")(Adds().more)
        registry.function("py:partial")(functools.partial(Adds().more, by=10))
        return [
            await registry.call_async("py:object", 1),
            await registry.call_async("py:method", 1, 2),
            await registry.call_async("py:partial", 1),
        ]

    assert asyncio.run(main()) == [2, 3, 11]


def test_closing_lets_go_of_calls_that_wait_for_the_very_loop_that_closes() -> None:
    async def main() -> list[Any]:
        begun = asyncio.Event()
        async with polycall.Registry() as registry:

            @registry.function("py:never")
            async def never() -> None:
                begun.set()
                await asyncio.sleep(600)

            calls = [asyncio.ensure_future(registry.call_async("py:never"))]
            await begun.wait()
            registry.close()  # on the loop: what waits for it must not be waited for
        return await asyncio.gather(*calls, return_exceptions=True)

    started = time.monotonic()
    (error,) = asyncio.run(main())
    assert isinstance(error, polycall.PoolClosedError)
    assert time.monotonic() - started < 20


def test_async_with_closes_the_registry_without_standing_in_its_loops_way() -> None:
    async def main() -> polycall.Registry:
        async with polycall.Registry() as registry:
            registry.add({"id": "app:ask", **LUA})

            @registry.function("py:one")
            async def one() -> int:
                return 1

            assert await registry.call_async("app:ask", "py:one") == 1
        return registry

    registry = asyncio.run(main())
    with pytest.raises(polycall.PoolClosedError):
        registry.call("app:ask")
