"""A web application whose tenants upload functions in Lua and call them: one registry for all of them.

Serve it with any ASGI server: uvicorn host:app
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, HTTPException, Path, Request
from fastapi.responses import JSONResponse

import polycall

MIB = 1024 * 1024
PRICES = {"tea": 450, "pot": 7900}
PLANS: dict[str, dict[str, Any]] = {  # who a tenant is, your own authentication says
    "acme": {
        "calls": ["tenant.acme:*", "host:price", "host:discount"],
        "limits": {"max_execution_ms": 5000, "max_memory_bytes": 16 * MIB},
    },
    "globex": {
        "calls": ["tenant.globex:*", "host:price"],
        "limits": {"max_execution_ms": 200, "max_memory_bytes": 2 * MIB},
    },
}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Opens the registry, with what the application offers to its tenants."""
    async with polycall.Registry(settings={"limits": {"max_output_bytes": 4096}}) as registry:

        @registry.function("host:price")
        async def price(sku: str) -> int:
            await asyncio.sleep(0.01)  # asks a database
            return PRICES[sku]

        @registry.function("host:discount")
        def discount(cents: int) -> int:
            return cents // 10

        app.state.registry = registry
        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(polycall.PolycallError)
async def failed(_request: Request, error: polycall.PolycallError) -> JSONResponse:
    """Answers with the status that belongs to an error."""
    return JSONResponse({"code": error.code, "error": error.message}, error.http_status)


def function_id(tenant: str, name: Annotated[str, Path(pattern="^[a-z_]{1,40}$")]) -> str:
    """Returns the id of a tenant's function: each has a namespace of its own."""
    if tenant not in PLANS:
        raise HTTPException(404, "no such tenant")
    return f"tenant.{tenant}:{name}"


FunctionId = Annotated[str, Depends(function_id)]


@app.put("/{tenant}/{name}", status_code=204)
async def upload(tenant: str, entry_id: FunctionId, request: Request) -> None:
    """Takes a function in, or a new version of it; one that does not compile leaves the old one where it is."""
    source = (await request.body()).decode(errors="replace")
    modules = ["funcs", "json", "time"]  # nothing of the host's: no env, no fs, no registry
    entry = {"id": entry_id, "kind": "function.lua", "method": "main", "source": source, "modules": modules}
    try:
        await asyncio.to_thread(request.app.state.registry.replace, {**entry, **PLANS[tenant]}, prepare=True)
    except (polycall.PreparationError, polycall.LimitError) as error:
        raise HTTPException(400, str(error)) from error


@app.post("/{tenant}/{name}")
async def call(entry_id: FunctionId, request: Request, arguments: Annotated[list[Any], Body()]) -> Any:
    """Calls a function."""
    return await request.app.state.registry.call_async(entry_id, *arguments, timeout=10.0)


@app.delete("/{tenant}/{name}", status_code=204)
async def remove(entry_id: FunctionId, request: Request) -> None:
    """Takes a function away."""
    request.app.state.registry.remove(entry_id)
