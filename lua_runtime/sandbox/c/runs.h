/*
 * Values as one run of bytes: what goes in and comes out. The other half is lua_runtime/sandbox/runs.py. A tag, and what
 * it says; numbers are little-endian, at any address.
 */
enum {
  NIL = 0, FALSE_ = 1, TRUE_ = 2,
  INTEGER = 3, /* 8 bytes */
  FLOAT = 4, /* 8 bytes */
  STRING = 5, /* size: 4 bytes; its bytes */
  FAR = 6, /* size, address: 4 bytes each. A string that comes out, where it lies */
  LIST = 7, /* count: 4 bytes; so many values */
  RECORD = 8, /* count: 4 bytes; so many strings, each followed by a value */
  RESOURCE = 9, /* number: 8 bytes; on the way in a string as well */
  INTEGERS = 10, /* count: 4 bytes; a list of integers, 8 bytes each; out only */
  FLOATS = 11,
  HOST_FUNCTION = 12, /* number: 4 bytes; in only */
  REFERENCE = 13, /* number: 4 bytes; a table or function of ours */
  FAILED = 14, /* nothing, then a string: code of ours raised an error */
};

enum {
  MOST_NESTING = 128, /* as in interop.values */
  VALUE_BYTES = 128, /* what a value costs as an object of the host's, as in interop.budget */
  MOST_STRING = 64 << 20,
  MOST_KEY = 64 << 10,
  SHOWN_KEY = 100, /* bytes of a key in a path */
  FAR_BYTES = 1024, /* strings from here on stay where they are */
  LEAST_FLAT = 4, /* numbers that are worth being told together */
};

/* Key of the metatable that remembers what of a table is none: the length of a list, or keys of a record. Beside it is of
 * how many items of a list there was a value. */
static const char MEMORY;

/* Writing ---------------------------------------------------------------------------------------------------------- */

static char *out; /* the run that is being written */
static size_t out_size, out_room;

static char *put(size_t size) {
  if (size > out_room - out_size) {
    size_t room = out_room ? out_room : 8192;
    while (room - out_size < size) room *= 2;
    char *larger = large_new(room);
    if (!larger) out_of_memory();
    if (out) {
      memcpy(larger, out, out_size);
      large_free(out);
    }
    out = larger;
    out_room = room;
  }
  char *at = out + out_size;
  out_size += size;
  return at;
}

static void put_tag(int tag) { *put(1) = tag; }

static void put_small(int tag, uint32_t number) {
  char *at = put(5);
  *at = tag;
  memcpy(at + 1, &number, 4);
}

static void put_wide(int tag, const void *number) {
  char *at = put(9);
  *at = tag;
  memcpy(at + 1, number, 8);
}

static void put_string(const char *text, size_t size) {
  if (size >= FAR_BYTES) {
    uint32_t address = (uint32_t)text;
    put_small(FAR, size);
    memcpy(put(4), &address, 4);
  } else {
    put_small(STRING, size);
    memcpy(put(size), text, size);
  }
}

/* Writes what is no table; says whether it was. */
static int put_scalar(lua_State *L, int at) {
  switch (lua_type(L, at)) {
    case LUA_TNIL: put_tag(NIL); return 1;
    case LUA_TBOOLEAN: put_tag(lua_toboolean(L, at) ? TRUE_ : FALSE_); return 1;
    case LUA_TNUMBER:
      put_wide(lua_isinteger(L, at) ? INTEGER : FLOAT, &index2value(L, at)->value_);
      return 1;
    case LUA_TSTRING: {
      size_t size;
      const char *text = lua_tolstring(L, at, &size);
      put_string(text, size);
      return 1;
    }
    default: return 0;
  }
}

enum { NONES_PASS = 1, RESOURCES_PASS = 2 };

static struct {
  lua_State *L;
  int64_t room, most; /* how many bytes there may still be, and in all */
  int flags;
  size_t values; /* how many there are, a table counting twice: what stands before its content is two */
  int64_t text_bytes;
  struct {
    const char *key; /* NULL for a place in a list */
    size_t size;
    lua_Integer index;
  } trail[MOST_NESTING + 2]; /* from the top to the table being written; the first is the number of the argument */
  const char *base;
} writing;

static int empty_record; /* reference: the metatable of an empty record */
static int special; /* reference: gives for a table with a metatable what it is, if it is no plain value */
static int shape_of; /* reference: gives what a table is if it is not plainly a sequence or a record */

/* Pushes where the value is that stands in the way, what was expected, and what there is. */
static int refuse(int depth, const char *expected, const char *got) {
  lua_State *L = writing.L;
  luaL_checkstack(L, 20, NULL);
  lua_pushstring(L, expected);
  lua_pushstring(L, got);
  lua_pushstring(L, writing.base);
  for (int at = strcmp(writing.base, "$.args") ? 1 : 0; at <= depth; at++) {
    const char *key = writing.trail[at].key;
    size_t size = writing.trail[at].size;
    if (key) {
      lua_pushliteral(L, ".");
      lua_pushlstring(L, key, size > SHOWN_KEY ? SHOWN_KEY : size);
      lua_pushstring(L, size > SHOWN_KEY ? "..." : "");
      lua_concat(L, 4);
    } else {
      lua_pushfstring(L, "[%I]", (LUAI_UACINT)writing.trail[at].index - 1);
      lua_concat(L, 2);
    }
  }
  lua_insert(L, -3);
  return 0;
}

static int make_room(size_t bytes, int depth) {
  writing.values++;
  writing.text_bytes += bytes;
  writing.room -= (int64_t)bytes + VALUE_BYTES;
  if (writing.room >= 0) return 1;
  const char *expected = lua_pushfstring(
      writing.L, "at most %I bytes in all, each value counting %d", (LUAI_UACINT)writing.most, VALUE_BYTES);
  return refuse(depth, expected, "more");
}

static int is_bounded(size_t size, size_t most, const char *what, int depth) {
  if (size <= most) return 1;
  const char *expected = lua_pushfstring(writing.L, "%s of at most %I bytes", what, (LUAI_UACINT)most);
  return refuse(depth, expected, lua_pushfstring(writing.L, "one of %I", (LUAI_UACINT)size));
}

static int write_table(int at, int depth);

static int write_value(int at, int depth) {
  lua_State *L = writing.L;
  int kind = lua_type(L, at);
  if (kind == LUA_TTABLE) return write_table(at, depth);
  size_t size = 0;
  if (kind == LUA_TSTRING) {
    size = lua_rawlen(L, at);
    if (!is_bounded(size, MOST_STRING, "text", depth)) return 0;
  } else if (kind != LUA_TNIL && kind != LUA_TBOOLEAN && kind != LUA_TNUMBER) {
    return refuse(depth, "a plain value", lua_pushfstring(L, "a %s", lua_typename(L, kind)));
  }
  if (!make_room(size, depth)) return 0;
  return put_scalar(L, at);
}

/* Lists of numbers of one kind are told together. Returns 0 if this is none. */
static int write_numbers(int list, lua_Integer length) {
  Table *numbers = hvalue(index2value(writing.L, list));
  int kind = ttypetag(luaH_getint(numbers, 1));
  size_t before = out_size;
  if (novariant(kind) != LUA_TNUMBER || length < LEAST_FLAT || length * VALUE_BYTES > writing.room) return 0;
  put_small(kind == LUA_VNUMINT ? INTEGERS : FLOATS, length);
  for (lua_Integer index = 1; index <= length; index++) {
    const TValue *number = luaH_getint(numbers, index);
    if (ttypetag(number) != kind) {
      out_size = before;
      return 0;
    }
    memcpy(put(8), &number->value_, 8);
  }
  writing.values += length;
  writing.room -= length * VALUE_BYTES;
  return 1;
}

static int write_list(int list, lua_Integer length, int depth, int holes_pass) {
  lua_State *L = writing.L;
  if (write_numbers(list, length)) return 1;
  put_small(LIST, length);
  for (lua_Integer index = 1; index <= length; index++) {
    writing.trail[depth + 1].key = NULL;
    writing.trail[depth + 1].index = index;
    int is_none = lua_rawgeti(L, list, index) == LUA_TNIL;
    if (is_none && !holes_pass) return refuse(depth, "a sequence or string keys", "a sequence with holes");
    if (!write_value(lua_gettop(L), depth + !is_none)) return 0;
    lua_pop(L, 1);
  }
  return 1;
}

static int is_utf8(const char *text, size_t size) {
  const char *end = text + size;
  while (text < end) {
    if (!(*text & 0x80)) {
      text++;
    } else if (!(text = utf8_decode(text, NULL, 1))) {
      return 0;
    }
  }
  return text == end;
}

static int write_key(int at, int depth) {
  size_t size = lua_rawlen(writing.L, at);
  if (!is_bounded(size, MOST_KEY, "keys", depth) || !make_room(size, depth)) return 0;
  const char *key = lua_tostring(writing.L, at);
  if (!is_utf8(key, size)) return refuse(depth, "keys in UTF-8", "a key that is not");
  put_string(key, size);
  writing.trail[depth + 1].key = key;
  writing.trail[depth + 1].size = size;
  return 1;
}

/* `nones`: where the list of keys without a value is, or nil. */
static int write_record(int record, lua_Integer length, int depth, int nones) {
  lua_State *L = writing.L;
  lua_Integer remembered = lua_rawlen(L, nones), missing = 0;
  size_t head = out_size;
  put_small(RECORD, 0);
  for (lua_Integer index = 1; index <= remembered; index++) {
    lua_rawgeti(L, nones, index);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, record) == LUA_TNIL) {
      int none = lua_gettop(L);
      missing++;
      if (!write_key(none - 1, depth) || !write_value(none, depth)) return 0;
    }
    lua_pop(L, 2);
  }
  uint32_t count = length + missing;
  memcpy(out + head + 1, &count, 4);
  lua_pushnil(L);
  while (lua_next(L, record)) {
    int top = lua_gettop(L);
    if (!write_key(top - 1, depth) || !write_value(top, depth + 1)) return 0;
    lua_pop(L, 1);
  }
  return 1;
}

/* Says of a table with a metatable whether it was written, or -1 if it is one like any other. */
static int write_special(int table, int depth) {
  lua_State *L = writing.L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, special);
  lua_pushvalue(L, table);
  lua_call(L, 1, 2);
  int kind = lua_type(L, -2);
  lua_Integer number = lua_tointeger(L, -1);
  int passes = kind != LUA_TSTRING || (number && writing.flags & RESOURCES_PASS);
  if (!passes) return refuse(depth, "a plain value", lua_tostring(L, -2));
  lua_pop(L, 2);
  if (kind == LUA_TNIL) return -1;
  if (!make_room(0, depth)) return 0;
  if (kind == LUA_TSTRING) {
    put_wide(RESOURCE, &number);
  } else {
    put_tag(NIL);
  }
  return 1;
}

static int write_table(int table, int depth) {
  lua_State *L = writing.L;
  luaL_checkstack(L, 12, NULL);
  if (depth >= MOST_NESTING) return refuse(0, "at most 128 levels of nesting", "more (is it cyclic?)");
  int has_metatable = lua_getmetatable(L, table);
  if (has_metatable) {
    lua_pop(L, 1);
    int written = write_special(table, depth);
    if (written >= 0) return written;
  }
  if (!make_room(0, depth)) return 0;
  writing.values++;
  lua_Integer all = 0, strings = 0, length = lua_rawlen(L, table);
  lua_pushnil(L);
  while (lua_next(L, table)) {
    lua_pop(L, 1);
    all++;
    strings += lua_type(L, -1) == LUA_TSTRING;
  }
  int nones_pass = writing.flags & NONES_PASS, is_list = strings == 0 && all == length;
  if (has_metatable || !(is_list || strings == all)) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, shape_of);
    lua_pushvalue(L, table);
    lua_pushinteger(L, all);
    lua_pushinteger(L, strings);
    lua_pushboolean(L, nones_pass);
    lua_call(L, 4, 1);
  } else {
    lua_pushnil(L);
  }
  int shape = lua_gettop(L), kind = lua_type(L, shape), written;
  if (kind == LUA_TSTRING) return refuse(depth, "a sequence or string keys", lua_tostring(L, shape));
  if (kind == LUA_TNUMBER) {
    written = write_list(table, lua_tointeger(L, shape), depth, 1);
  } else if (kind == LUA_TTABLE || !is_list) {
    written = write_record(table, all, depth, shape);
  } else {
    written = write_list(table, all, depth, nones_pass);
  }
  if (written) lua_remove(L, shape);
  return written;
}

/* Reading ---------------------------------------------------------------------------------------------------------- */

static int make_resource; /* reference: gives the object of a number and a text */

typedef struct {
  lua_State *L;
  const char *at, *end;
} Reading;

/* Gives the number that comes next, and goes behind it. */
#define READ(from, type) \
  ({ \
    type number; \
    memcpy(&number, (from)->at, sizeof number); \
    (from)->at += sizeof number; \
    number; \
  })

static void read_text(Reading *from) {
  uint32_t size = READ(from, uint32_t);
  lua_pushlstring(from->L, from->at, size);
  from->at += size;
}

static void read_value(Reading *from);

/* Lets the table below the nones on top remember them: Lua forgets what of a table is none. */
static void remember(lua_State *L, lua_Integer filled) { /* of a list; -1 of a record */
  lua_createtable(L, 0, 2);
  lua_insert(L, -2);
  lua_rawsetp(L, -2, &MEMORY);
  if (filled >= 0) {
    lua_pushinteger(L, filled);
    lua_setfield(L, -2, "filled");
  }
  lua_setmetatable(L, -2);
}

static void read_list(Reading *from) {
  lua_State *L = from->L;
  uint32_t count = READ(from, uint32_t);
  lua_Integer filled = 0;
  lua_createtable(L, count, 0);
  for (uint32_t index = 1; index <= count; index++) {
    read_value(from);
    filled += !lua_isnil(L, -1);
    lua_rawseti(L, -2, index);
  }
  if (filled < count) {
    lua_pushinteger(L, count);
    remember(L, filled);
  }
}

static void read_record(Reading *from) {
  lua_State *L = from->L;
  uint32_t count = READ(from, uint32_t);
  lua_Integer missing = 0;
  lua_createtable(L, 0, count);
  if (!count) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, empty_record);
    if (lua_istable(L, -1)) {
      lua_setmetatable(L, -2);
    } else {
      lua_pop(L, 1); /* before the host's code has said it */
    }
    return;
  }
  lua_pushnil(L); /* the keys without a value, once there are some */
  for (uint32_t index = 0; index < count; index++) {
    from->at++; /* the tag of a string */
    read_text(from);
    read_value(from);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      if (!missing) {
        lua_newtable(L);
        lua_replace(L, -3);
      }
      lua_rawseti(L, -2, ++missing);
    } else {
      lua_rawset(L, -4);
    }
  }
  if (missing) {
    remember(L, -1);
  } else {
    lua_pop(L, 1);
  }
}

static int call_host(lua_State *L);

static void read_value(Reading *from) {
  lua_State *L = from->L;
  int tag = *from->at++;
  luaL_checkstack(L, 12, NULL);
  switch (tag) {
    case NIL: lua_pushnil(L); break;
    case FALSE_:
    case TRUE_: lua_pushboolean(L, tag == TRUE_); break;
    case INTEGER: lua_pushinteger(L, READ(from, lua_Integer)); break;
    case FLOAT: lua_pushnumber(L, READ(from, lua_Number)); break;
    case STRING: read_text(from); break;
    case LIST: read_list(from); break;
    case RECORD: read_record(from); break;
    case RESOURCE:
      lua_rawgeti(L, LUA_REGISTRYINDEX, make_resource);
      lua_pushinteger(L, READ(from, lua_Integer));
      read_text(from);
      lua_call(L, 2, 1);
      break;
    case HOST_FUNCTION:
      lua_pushinteger(L, READ(from, uint32_t));
      lua_pushcclosure(L, call_host, 1);
      break;
    case REFERENCE: lua_rawgeti(L, LUA_REGISTRYINDEX, READ(from, uint32_t)); break;
    default: fault("a run holds no such tag");
  }
}

/* While a run is written or read no finalizer runs, for it may call the host, which overwrites the run. */
static l_mem counted; /* by the collector, which forgets while it stands still what is allocated */

static void begin_run(lua_State *L) {
  counted = G(L)->totalbytes;
  G(L)->gcstp |= GCSTPUSR;
}

static void end_run(lua_State *L) {
  lifted = 0;
  if (!(G(L)->gcstp & GCSTPUSR)) return;
  G(L)->gcstp &= ~GCSTPUSR;
  luaE_setdebt(G(L), (l_mem)gettotalbytes(G(L)) - counted);
}

/* Pushes all values of a run. What they take is not held against the limit before the guest's next own allocation. */
static int read_all(lua_State *L, const char *data, size_t size) {
  Reading from = {L, data, data + size};
  int count = 0;
  begin_run(L);
  lifted = 1;
  for (; from.at < from.end; count++) read_value(&from);
  end_run(L);
  luaC_checkGC(L); /* a guest that is given much, and makes nothing itself, would never collect it */
  return count;
}
