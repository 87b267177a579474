"""A web application whose tenants upload functions in Lua and call them; serve it with `uvicorn host:app`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Path, Request
from fastapi.responses import JSONResponse

import polycall

PRICES = {"tea": 450, "pot": 7900}
FREE = {"max_execution_ms": 200, "max_memory_bytes": 2_000_000}
PAID = {"max_execution_ms": 5000, "max_memory_bytes": 16_000_000}
PLANS: dict[str, dict[str, Any]] = {  # who a tenant is, your own authentication says
    "acme": {"limits": PAID, "calls": ["tenant.acme:*", "host:*"]},
    "globex": {"limits": FREE, "calls": ["tenant.globex:*", "host:price"]},
}
PLUGIN = {"kind": "function.lua", "method": "main", "modules": ["funcs", "json", "time"], "isolation": "sandbox"}
Name = Annotated[str, Path(pattern="^[a-z_]{1,40}$")]
registry = polycall.Registry(settings={"limits": {"max_output_bytes": 4096}})


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Offers the tenants what the application has; closes the registry at the end."""
    async with registry:
        registry.function("host:discount")(lambda cents: cents // 10)

        @registry.function("host:price")
        async def price(sku: str) -> int:
            await asyncio.sleep(0.01)  # asks a database
            return PRICES[sku]

        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(polycall.PolycallError)
async def failed(_request: Request, error: polycall.PolycallError) -> JSONResponse:
    """Answers with the status that belongs to an error; what does not compile is its tenant's."""
    status = 400 if isinstance(error, polycall.PreparationError) else error.http_status
    return JSONResponse({"error": error.code, "message": error.message}, status)


@app.put("/{tenant}/{name}", status_code=204)
async def upload(tenant: Name, name: Name, request: Request) -> None:
    """Takes a function in, or a new version of it; one that does not compile leaves the old one where it is."""
    if tenant not in PLANS:
        raise HTTPException(404, "no such tenant")
    source = (await request.body()).decode(errors="replace")
    entry = {"id": f"tenant.{tenant}:{name}", "source": source, **PLUGIN, **PLANS[tenant]}
    await asyncio.to_thread(registry.replace, entry, prepare=True)


@app.post("/{tenant}/{name}")
async def call(tenant: Name, name: Name, arguments: Annotated[list[Any], Body()]) -> Any:
    """Calls a function."""
    return await registry.call_async(f"tenant.{tenant}:{name}", *arguments, timeout=10.0)


@app.delete("/{tenant}/{name}", status_code=204)
async def remove(tenant: Name, name: Name) -> None:
    """Takes a function away."""
    registry.remove(f"tenant.{tenant}:{name}")
