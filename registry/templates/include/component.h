/*
 * What a component written in plain C needs from the canonical ABI.
 *
 * The host writes arguments and the results of imported functions into the
 * guest's memory, in blocks that it asks for through `cabi_realloc`. This
 * header answers from one arena: everything that is allocated during a call
 * lives until the call is over, then `cabi_post_*` releases all of it at once.
 * That is sound because a component instance runs one call at a time: the host
 * refuses to enter it again before the call, post-return included, is done.
 *
 * Include it in one source file of the component only: it defines the exported
 * allocator.
 */
#ifndef COMPONENT_H
#define COMPONENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define IMPORT(module, name) \
    __attribute__((import_module(module), import_name(name)))

enum { PAGE_BYTES = 65536 };

/* A `string` or a `list<u8>` as the canonical ABI stores it. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

/* The bytes of a string literal, without its terminating zero. */
#define TEXT(literal) \
    ((struct bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* Set by the linker: the first address behind the stack and the static data. */
extern uint8_t __heap_base;

static uint8_t *arena_end = &__heap_base;

/* Ends the call with a trap; the host discards the instance. */
_Noreturn static inline void trap(void)
{
    __builtin_trap();
}

/* Makes sure that the memory reaches up to `end`; traps if the host refuses. */
static inline void arena_reserve(uintptr_t end)
{
    uintptr_t have = __builtin_wasm_memory_size(0) * (uintptr_t)PAGE_BYTES;
    if (end <= have)
        return;
    size_t pages = (end - have + PAGE_BYTES - 1) / PAGE_BYTES;
    if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX)
        trap();
}

/* The address of the next block with this alignment (a power of two). */
static inline uintptr_t arena_next(size_t align)
{
    uintptr_t end = (uintptr_t)arena_end;
    if (end > UINTPTR_MAX - (align - 1))
        trap();
    return (end + align - 1) & ~(uintptr_t)(align - 1);
}

/* The allocator that the canonical ABI asks for; it never returns null. */
EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    /* The newest block grows and shrinks in place. */
    bool newest = old_size != 0 && (uint8_t *)old + old_size == arena_end;
    uintptr_t start = newest ? (uintptr_t)old : arena_next(align);
    if (size > UINTPTR_MAX - start)
        trap();
    arena_reserve(start + size);
    arena_end = (uint8_t *)(start + size);
    if (!newest)
        __builtin_memcpy((void *)start, old, old_size < size ? old_size : size);
    return (void *)start;
}

/* Releases every block; the pages stay for the next call. */
static inline void arena_release(void)
{
    arena_end = &__heap_base;
}

/* A text or byte string that is being put together in the arena. */
static inline void add_bytes(struct bytes *to, struct bytes more)
{
    uint8_t *data = cabi_realloc((void *)to->data, to->size, 1, to->size + more.size);
    __builtin_memcpy(data + to->size, more.data, more.size);
    to->data = data;
    to->size += more.size;
}

/* Adds `value` in decimal. */
static inline void add_decimal(struct bytes *to, uint64_t value)
{
    uint8_t digits[20]; /* 2^64 - 1 has twenty */
    size_t first = sizeof digits;
    do {
        digits[--first] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    add_bytes(to, (struct bytes){digits + first, sizeof digits - first});
}

/* Reads `text` as a decimal u64: digits only, no sign, no space, no overflow. */
static inline bool read_decimal(struct bytes text, uint64_t *value)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = text.data[i] - (unsigned)'0';
        if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return text.size != 0;
}

#endif
