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

typedef struct Moment {
  int64_t seconds;
  int32_t fields[9]; /* in the order of a struct tm */
  char layout[4];
  char text[256];
} Moment;

static Moment moment;

static void fields_to(struct tm *to) {
  const int32_t *f = moment.fields;
  to->tm_sec = f[0], to->tm_min = f[1], to->tm_hour = f[2], to->tm_mday = f[3], to->tm_mon = f[4];
  to->tm_year = f[5], to->tm_wday = f[6], to->tm_yday = f[7], to->tm_isdst = f[8];
}

static void fields_from(const struct tm *from) {
  int32_t *f = moment.fields;
  f[0] = from->tm_sec, f[1] = from->tm_min, f[2] = from->tm_hour, f[3] = from->tm_mday, f[4] = from->tm_mon;
  f[5] = from->tm_year, f[6] = from->tm_wday, f[7] = from->tm_yday, f[8] = from->tm_isdst;
}

static struct tm *broken_down(uint32_t function, const time_t *at, struct tm *into) {
  moment.seconds = *at;
  if (!host(function, &moment, sizeof moment)) return NULL;
  fields_to(into);
  return into;
}

static time_t of_fields(struct tm *fields) {
  fields_from(fields);
  if (!host(HOST_SECONDS, &moment, sizeof moment)) return -1;
  fields_to(fields);
  return moment.seconds;
}

static size_t shown(char *into, size_t room, const char *layout, const struct tm *fields) {
  fields_from(fields);
  strncpy(moment.layout, layout, sizeof moment.layout);
  int64_t size = host(HOST_SHOW, &moment, sizeof moment);
  if (size < 0 || (size_t)size >= room || (size_t)size > sizeof moment.text) return 0;
  memcpy(into, moment.text, size);
  return size;
}

static time_t now(void) { return host(HOST_NOW, 0, 0); }

static double seconds_used(void) {
  double seconds = 0;
  host(HOST_CLOCK, &seconds, sizeof seconds);
  return seconds;
}

#define l_localtime(t, r) broken_down(HOST_LOCAL, t, r)
#define l_gmtime(t, r) broken_down(HOST_UTC, t, r)
#define mktime of_fields
#define strftime shown
#define time(into) ((void)(into), now())
#define clock() (seconds_used() * CLOCKS_PER_SEC)
#define remove(path) ((void)(path), -1)
#define rename(from, to) ((void)(from), (void)(to), -1)
#define setlocale(category, name) ((void)(category), (void)(name), NULL)
#define getenv(name) ((void)(name), NULL)
#define fgets(into, size, from) ((void)(into), NULL)
#define exit(status) ((void)(status), __builtin_trap())
