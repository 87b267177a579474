/* Lua collects garbage before it gives up for want of memory, but not for its buffers: those have that chance here. */
static void *allocate_buffer(void *state, void *data, size_t old, size_t size) {
  void *made = allocate(NULL, data, old, size);
  if (!made && size) {
    luaC_fullgc(state, 1); /* runs no finalizers */
    made = allocate(NULL, data, old, size);
  }
  return made;
}

static lua_Alloc buffer_allocator(lua_State *L, void **about) {
  *about = L;
  return allocate_buffer;
}

#define lua_getallocf buffer_allocator
