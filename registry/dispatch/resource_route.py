"""The route of a function that takes or gives resources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polycall.interop.callees import Callees
from polycall.interop.context import CallContext
from polycall.interop.pool import Pool
from polycall.interop.pool_spec import PoolPolicy
from polycall.interop.protocols import Function, Instance
from polycall.interop.stack import StackRoom
from polycall.interop.values import Value
from polycall.registry.dispatch.kept_call import KeptCall
from polycall.registry.dispatch.routes import Route, Taken

if TYPE_CHECKING:
    from polycall.registry.dispatch.dispatcher import Dispatcher

__all__ = ["ResourceRoute"]


class ResourceRoute(Route):
    """A route whose function takes or gives resources."""

    __slots__ = ("_dispatcher",)

    def __init__(
        self,
        function: Function,
        pool: Pool[Instance],
        policy: PoolPolicy,
        stack: StackRoom,
        callees: Callees | None,
        *,
        dispatcher: Dispatcher,
    ) -> None:
        super().__init__(function, pool, policy, stack, callees)
        self._dispatcher = dispatcher

    def run(
        self,
        arguments: Sequence[Value],
        context: CallContext,
        max_depth: int,
        told: bool = False,
        taken: Taken | None = None,
    ) -> Value:
        """Like `Route.run`, on the instance of the resources among the arguments; resources in the result keep it."""
        taken = taken or KeptCall(self, self._dispatcher, arguments)
        return super().run(arguments, context, max_depth, told, taken)
