/* Where the library `string` takes a text, it takes an error object for its text: see lua/values/errors.lua. */
static const char ERROR_KEY; /* its address is the key by which the metatable of an error object holds what it is */

static const char *text_argument(lua_State *L, int arg, size_t *size) {
  if (arg == 1 && lua_type(L, 1) == LUA_TTABLE && lua_getmetatable(L, 1)) {
    int top = lua_gettop(L) - 1;
    if (lua_rawgetp(L, -1, &ERROR_KEY) == LUA_TTABLE) {
      if (lua_getfield(L, -1, "text") != LUA_TSTRING) lua_getfield(L, -2, "message");
      if (lua_type(L, -1) == LUA_TSTRING) lua_replace(L, 1);
    }
    lua_settop(L, top);
  }
  return luaL_checklstring(L, arg, size);
}

#define luaL_checklstring text_argument
