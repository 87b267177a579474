/* The exports, and what the host's own Lua code gets of C. One state; one call at a time. */
#include "runs.h"

#define EXPORT(name) __attribute__((export_name(#name)))

static lua_State *state;
static char *parcel;
static int method, on_error, finish; /* references: the entry's function, and the host's code around it */
static int run_chunk, reseed; /* references */

/* run_chunk(text, name, ...): code of the host's own, without lines, for errors of guests must not point into it. */
static const char CHUNK_RUNNER[] =
    "local assert, load, dump = assert, load, string.dump "
    "return function(text, name, ...) return load(dump(assert(load(text, name, 't')), true), '=?', 'b')(...) end";

static int64_t answer(size_t size) { return (int64_t)(uint32_t)out << 32 | size; }

static void drop_parcel(void) {
  if (parcel) large_free(parcel);
  parcel = NULL;
}

static char *new_parcel(size_t size) {
  drop_parcel();
  return parcel = large_new(size);
}

static int read_in(lua_State *L, const char *data, size_t size) {
  int count = read_all(L, data, size);
  drop_parcel();
  return count;
}

/* Pieces ----------------------------------------------------------------------------------------------------------- */

/* Values of a guest as a part of a run: a userdata, which the host's Lua code hands on. */
typedef struct {
  uint32_t size, values;
  int64_t bytes; /* of text */
  char run[];
} Piece;

static const char PIECE; /* key of their metatable */

static Piece *piece_at(lua_State *L, int at) {
  if (lua_type(L, at) != LUA_TUSERDATA || !lua_getmetatable(L, at)) return NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &PIECE);
  int same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? lua_touserdata(L, at) : NULL;
}

static void begin_writing(lua_State *L, int flags, int64_t most, const char *base) {
  begin_run(L);
  out_size = 0;
  writing.L = L;
  writing.flags = flags;
  writing.room = writing.most = most;
  writing.base = base;
  writing.values = writing.text_bytes = 0;
}

/* flatten(flags, most, base, ...): true, piece, 1; or false, path, expected, got. */
static int flatten(lua_State *L) {
  int first = 4, last = lua_gettop(L);
  begin_writing(L, lua_tointeger(L, 1), lua_tointeger(L, 2), lua_tostring(L, 3));
  for (int at = first; at <= last; at++) {
    writing.trail[0].index = at - first + 1;
    if (!write_value(at, 0)) {
      end_run(L);
      lua_pushboolean(L, 0);
      lua_insert(L, -4);
      return 4;
    }
  }
  Piece *piece = lua_newuserdatauv(L, sizeof(Piece) + out_size, 1);
  piece->size = out_size;
  piece->values = writing.values;
  piece->bytes = writing.text_bytes;
  memcpy(piece->run, out, out_size);
  end_run(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &PIECE);
  lua_setmetatable(L, -2);
  if (last == first) { /* it refers to strings of these where they lie */
    lua_pushvalue(L, first);
  } else {
    lua_createtable(L, last - first + 1, 0);
    for (int at = first; at <= last; at++) {
      lua_pushvalue(L, at);
      lua_rawseti(L, -2, at - first + 1);
    }
  }
  lua_setiuservalue(L, -2, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, -2);
  lua_pushinteger(L, 1);
  return 3;
}

/* measure(piece): how many values, and how many bytes of text. */
static int measure(lua_State *L) {
  Piece *piece = piece_at(L, 1);
  lua_pushinteger(L, piece ? piece->values : 1);
  lua_pushinteger(L, piece ? piece->bytes : lua_type(L, 1) == LUA_TSTRING ? (lua_Integer)lua_rawlen(L, 1) : 0);
  return 2;
}

/* Writes what the host's own Lua code gives: scalars, pieces, and references to the rest. */
static void put_own(lua_State *L, int at) {
  Piece *piece;
  if (put_scalar(L, at)) return;
  if ((piece = piece_at(L, at))) {
    memcpy(put(piece->size), piece->run, piece->size);
    return;
  }
  lua_pushvalue(L, at);
  put_small(REFERENCE, luaL_ref(L, LUA_REGISTRYINDEX));
}

/* Calls ------------------------------------------------------------------------------------------------------------ */

static int call_host(lua_State *L) {
  int count = lua_gettop(L);
  out_size = 0;
  for (int at = 1; at <= count; at++) put_own(L, at);
  uint32_t size = out_size;
  int64_t given = host(lua_tointeger(L, lua_upvalueindex(1)), out, size);
  lua_settop(L, 0);
  if (given >= 0) return read_in(L, shared.inbox, given);
  char *whole = new_parcel(-given);
  if (!whole) out_of_memory();
  host(HOST_TAKE, whole, -given);
  return read_in(L, whole, -given);
}

static int64_t give_all(lua_State *L, int status) {
  out_size = 0;
  if (status) put_tag(FAILED);
  for (int at = 1; at <= lua_gettop(L); at++) put_own(L, at);
  return answer(out_size);
}

/* Calls a function of ours by its reference with a run; gives a run. */
static int64_t invoke(lua_State *L, uint32_t reference, const char *data, size_t size) {
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
  int count = read_in(L, data, size);
  return give_all(L, lua_pcall(L, count, LUA_MULTRET, 0));
}

enum { MOST_BYTES = 128 << 20 }; /* of a run, as in interop.budget */

/* Writes what the entry's function returned, and says whether it fits; what stood in the way is on the stack then. */
static int write_result(lua_State *L, int at) {
  begin_writing(L, RESOURCES_PASS, MOST_BYTES, "$.result");
  int fits = write_value(at, 0);
  end_run(L);
  return fits;
}

/* Calls the entry's function with a run of arguments; gives a value, or a word of lua/guard/calls.lua and what it says. */
static int64_t enter(lua_State *L, const char *data, size_t size) {
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, on_error);
  lua_rawgeti(L, LUA_REGISTRYINDEX, method);
  int count = read_in(L, data, size);
  int status = lua_pcall(L, count, 2, 1);
  if (status == LUA_OK && lua_isnil(L, 3)) {
    if (write_result(L, 2)) return answer(out_size);
    lua_settop(L, 3);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, finish); /* which says as well what does not fit */
  lua_replace(L, 1);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 2);
  return give_all(L, lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0));
}

/* set(name, value): which functions of the host's Lua code C calls. */
static int set_reference(lua_State *L) {
  static const char *const names[] = {
      "method", "on_error", "finish", "special", "shape", "resource", "empty_record", NULL};
  int *const references[] = {&method, &on_error, &finish, &special, &shape_of, &make_resource, &empty_record};
  int *reference = references[luaL_checkoption(L, 1, NULL, names)];
  lua_settop(L, 2);
  if (*reference) luaL_unref(L, LUA_REGISTRYINDEX, *reference);
  *reference = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

/* rawset as Lua has it, but for what nobody may change: `special` knows it. */
static int guarded_rawset(lua_State *L) {
  if (lua_gettop(L) > 2 && lua_getmetatable(L, 1)) {
    lua_settop(L, 3);
    lua_rawgeti(L, LUA_REGISTRYINDEX, special);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 3);
    if (lua_toboolean(L, -1)) return luaL_error(L, "rawset: this table cannot be changed");
  }
  return luaB_rawset(L);
}

/* getmetatable as Lua has it, but that a table's memory of nones is none to guests. */
static int guarded_getmetatable(lua_State *L) {
  if (!lua_getmetatable(L, 1) || lua_rawgetp(L, -1, &MEMORY) == LUA_TNIL) return luaB_getmetatable(L);
  lua_pushnil(L);
  return 1;
}

static int on_panic(lua_State *L) {
  const char *message = lua_tostring(L, -1);
  fault(message ? message : "no message");
}

static const luaL_Reg natives[] = {
    {"flatten", flatten}, {"measure", measure}, {"set", set_reference}, {"rawset", guarded_rawset},
    {"getmetatable", guarded_getmetatable}, {NULL, NULL},
};

static const luaL_Reg libraries[] = {
    {LUA_GNAME, luaopen_base}, {LUA_COLIBNAME, luaopen_coroutine}, {LUA_DBLIBNAME, luaopen_debug},
    {LUA_MATHLIBNAME, luaopen_math}, {LUA_OSLIBNAME, luaopen_os}, {LUA_STRLIBNAME, luaopen_string},
    {LUA_TABLIBNAME, luaopen_table}, {LUA_UTF8LIBNAME, luaopen_utf8}, {NULL, NULL},
};

static int make_state(lua_State *L) {
  for (const luaL_Reg *each = libraries; each->func; each++) luaL_requiref(L, each->name, each->func, 1);
  lua_settop(L, 0);
  lua_newtable(L);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &PIECE);
  if (luaL_dostring(L, CHUNK_RUNNER)) lua_error(L);
  run_chunk = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_getglobal(L, LUA_MATHLIBNAME);
  lua_getfield(L, -1, "randomseed");
  reseed = luaL_ref(L, LUA_REGISTRYINDEX);
  luaL_newlib(L, natives);
  lua_pushlightuserdata(L, (void *)&ERROR_KEY);
  lua_setfield(L, -2, "error_key");
  lua_pushlightuserdata(L, (void *)&MEMORY);
  lua_setfield(L, -2, "memory_key");
  lua_setglobal(L, "native");
  return 0;
}

/* Gives where runs go in, and how long they may be. */
EXPORT(inbox) int64_t inbox(void) { return (int64_t)(uint32_t)shared.inbox << 32 | sizeof shared.inbox; }

/* Makes the state, once. */
EXPORT(boot) void boot(uint64_t seed) {
  if (state) fault("booted twice");
  seed_of_state = seed;
  state = lua_newstate(allocate, NULL);
  if (!state) out_of_memory();
  lua_atpanic(state, on_panic);
  lua_pushcfunction(state, make_state);
  lua_call(state, 0, 0);
}

static void begin_instance(void) {
  shared.begins = 0;
  find_end();
  lua_settop(state, 0);
  lua_rawgeti(state, LUA_REGISTRYINDEX, reseed);
  lua_pushinteger(state, shared.seeds[0]);
  lua_pushinteger(state, shared.seeds[1]);
  lua_call(state, 2, 0);
  uint64_t most = (uint64_t)held_bytes + shared.most_bytes;
  limit_bytes = shared.most_bytes && most < SIZE_MAX ? most : SIZE_MAX;
}

enum { RUN_CHUNK = 0, ENTER = -1 }; /* what is called without a reference */

/* Calls a function of ours, or the entry's, with a run; gives a run. One export, for to look one up takes its time. */
EXPORT(call) int64_t call(int32_t function, const char *data, size_t size) {
  if (shared.begins) begin_instance();
  if (function == ENTER) return enter(state, data, size);
  return invoke(state, function == RUN_CHUNK ? run_chunk : function, data, size);
}

/* Makes room for a run that is too large for the inbox: gives its address, or 0. */
EXPORT(reserve) int64_t reserve(size_t size) { return (uint32_t)new_parcel(size); }

/* Lets go of what nobody needs, before the memory is taken for an image. */
EXPORT(settle) void settle(void) {
  lua_settop(state, 0);
  lua_gc(state, LUA_GCCOLLECT);
}
