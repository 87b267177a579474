/*
 * What Lua's source asks of its platform: the host's clock, no files, no locale, no processes. Running out of memory ends
 * the instance: it is no error that Lua code could catch.
 */
#include "host.h"
#include <assert.h>
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <setjmp.h>

struct lua_State;
static void end_run(struct lua_State *L);

/* Guests may raise the same text: that is an error like any other. */
#define LUAI_THROW(L, c) \
  ((c)->status == LUA_ERRMEM && lacking ? out_of_memory() : (void)0, end_run(L), longjmp((c)->b, 1))
#define LUAI_TRY(L, c, a) if (setjmp((c)->b) == 0) { a }
#define luai_jmpbuf jmp_buf
#define l_signalT int

static uint64_t seed_of_state;
#define luai_makeseed(L) ((unsigned)(seed_of_state ^ seed_of_state >> 32))

#define lua_getlocaledecpoint() '.'
#define lua_writestring(s, l) ((void)(s), (void)(l))
#define lua_writeline() ((void)0)
#define lua_writestringerror(s, p) ((void)(s), (void)(p))
#define l_randomizePivot() ((unsigned)held_bytes)
#define l_system(command) ((void)(command), -1)
#define LUA_TMPNAMBUFSIZE 1
#define lua_tmpnam(b, e) ((b)[0] = 0, e = 1)

/* The host has the clock. It finds the seconds in the place of a date, and puts there the nine fields and, behind them, the
 * moment itself: the fields alone do not say in which zone they are. */
static struct tm *broken_down(uint32_t function, const time_t *seconds, struct tm *into) {
  memcpy(into, seconds, sizeof *seconds);
  return host(function, into, sizeof *into) < 0 ? NULL : into;
}

_Static_assert(sizeof(struct tm) == 48, "as in sandbox/clock.py");

static size_t shown(char *into, size_t room, const char *conversion, const struct tm *date) {
  memcpy(into, date, sizeof *date);
  strcpy(into + sizeof *date, conversion);
  int64_t size = host(HOST_SHOW, into, room);
  return size < 0 ? 0 : size;
}

#define l_localtime(t, r) broken_down(HOST_LOCAL, t, r)
#define l_gmtime(t, r) broken_down(HOST_UTC, t, r)
#define mktime(date) host(HOST_SECONDS, date, sizeof *(date))
#define strftime shown
#define time(into) ((void)(into), host(HOST_NOW, NULL, 0))
#define clock() host(HOST_CLOCK, NULL, 0)
#define remove(path) ((void)(path), -1)
#define rename(from, to) ((void)(from), (void)(to), -1)
#define setlocale(category, name) ((void)(category), (void)(name), NULL)
#define getenv(name) ((void)(name), NULL)
#define fgets(into, size, from) ((void)(into), NULL)
#define exit(status) ((void)(status), __builtin_trap())
