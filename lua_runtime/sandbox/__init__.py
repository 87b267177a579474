"""Lua 5.4 inside of WebAssembly: the second engine. What runs there reaches nothing but one function of the host's.

``lua.wasm`` is Lua's own source with the embedding of ``c/``; ``tests/guests/build.py lua`` builds it. A guest may take
over all that is in its memory, the host's own Lua code included: so whatever comes out is read as coming from a guest.
"""
