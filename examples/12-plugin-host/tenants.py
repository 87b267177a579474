"""Two tenants of the host, and what becomes of what they upload."""

from __future__ import annotations

import asyncio

import httpx
from host import app, lifespan

TOTAL = """
local funcs = require("funcs")
return { main = function(sku, count)
    local cents, err = funcs.call("host:price", sku)
    if err then return nil, err end
    return cents * count
end }
"""
OFFER = """
local funcs = require("funcs")
return { main = function(sku, count)
    local total = funcs.call("tenant.acme:total", sku, count)
    return total - funcs.call("host:discount", total)
end }
"""
PRY = 'return { main = function() return require("funcs").call("tenant.acme:offer", "tea", 1) end }'
SPIN = "return { main = function() while true do end end }"
HOARD = 'return { main = function() local all = {}; for i = 1, 1e9 do all[i] = ("x"):rep(1000) .. i end end }'
BROKEN = "return { main = function( }"
FILE = "file:///etc/passwd"


async def main() -> None:
    """Uploads, calls, and prints what came of it."""
    transport = httpx.ASGITransport(app)
    async with lifespan(app), httpx.AsyncClient(transport=transport, base_url="http://host") as client:

        async def upload(path: str, source: str) -> None:
            answer = await client.put(path, content=source)
            print(f"PUT {path}:", answer.status_code, answer.text)

        async def call(path: str, *arguments: object) -> httpx.Response:
            return await client.post(path, json=arguments)

        async def show(path: str, *arguments: object) -> None:
            answer = await call(path, *arguments)
            print(f"POST {path}:", answer.status_code, answer.text)

        await upload("/acme/total", TOTAL)
        await upload("/acme/offer", OFFER)
        await show("/acme/offer", "pot", 2)

        calls = [call("/acme/offer", ("tea", "pot")[n % 2], n) for n in range(200)]
        answers = await asyncio.gather(*calls)
        totals = [(450, 7900)[n % 2] * n for n in range(200)]
        right = sum(answer.json() == total - total // 10 for total, answer in zip(totals, answers, strict=True))
        print(f"200 calls at the same time: {right} right")

        await upload("/acme/offer", BROKEN)
        await show("/acme/offer", "pot", 2)
        await upload("/globex/file", FILE)
        await upload("/nobody/total", TOTAL)
        await upload("/globex/pry", PRY)
        await show("/globex/pry")
        await upload("/globex/spin", SPIN)
        await show("/globex/spin")
        await upload("/globex/hoard", HOARD)
        await show("/globex/hoard")
        await show("/globex/total", "tea", 1)

        answer = await client.delete("/globex/spin")
        print("DELETE /globex/spin:", answer.status_code)
        await show("/globex/spin")


asyncio.run(main())
