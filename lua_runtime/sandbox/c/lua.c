/*
 * Lua 5.4 as one WebAssembly module: its own source, unchanged, and the embedding. Built by tests/guests/build.py.
 */
#include "lprefix.h"
#include "copies.h"
#include "heap.h"
#include "platform.h"

#define LUA_CORE
#define LUA_LIB
#define ltable_c
#define lvm_c
#include "luaconf.h"
#undef LUAI_FUNC
#undef LUAI_DDEC
#undef LUAI_DDEF
#undef LUA_API
#undef LUALIB_API
#undef LUAMOD_API
#define LUAI_FUNC static
#define LUAI_DDEC(def)
#define LUAI_DDEF static
#define LUA_API static
#define LUALIB_API static
#define LUAMOD_API static

#include "lzio.c"
#include "lctype.c"
#include "lopcodes.c"
#include "lmem.c"
#include "lundump.c"
#include "ldump.c"
#include "lstate.c"
#include "lgc.c"
#include "llex.c"
#include "lcode.c"
#include "lparser.c"
#include "ldebug.c"
#include "lfunc.c"
#include "lobject.c"
#include "ltm.c"
#include "lstring.c"
#include "ltable.c"
#include "ldo.c"
#include "lvm.c"
#include "lapi.c"

#include "buffers.h"
#include "lauxlib.c"
#undef lua_getallocf

#define luaL_loadfilex(L, name, mode) ((void)(name), (void)(mode), lua_pushliteral(L, "no files"), LUA_ERRFILE)
#include "lbaselib.c"
#include "lcorolib.c"
#include "ldblib.c"
#include "lmathlib.c"
#include "loslib.c"
#include "texts.h"
#include "lstrlib.c"
#undef luaL_checklstring
#include "ltablib.c"
#include "lutf8lib.c"

#include "embedding.h"
