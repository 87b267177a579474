/*
 * What a component written in C with a libc needs from the canonical ABI.
 *
 * Unlike `component.h` of the examples it allocates with `malloc`. All that a
 * call allocates is kept in a list until its `cabi_post_*` frees it, so a
 * guest can be called any number of times without growing.
 *
 * Include it in one source file of the component only: it defines the exported
 * allocator.
 */
#ifndef ABI_H
#define ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))

/* A `string` or a `list<u8>` as the canonical ABI stores it. */
struct bytes {
    uint8_t *data;
    size_t size;
};

/* `result<list<u8>, string>`, and `result<u64, string>` beside it. */
struct bytes_result {
    uint8_t is_err;
    struct bytes value;
};

struct number_result {
    uint8_t is_err;
    union {
        uint64_t value;
        struct bytes error;
    };
};

struct block {
    struct block *next;
    max_align_t start[];
};

static struct block *blocks;

/* A block that lives until the call is over; a trap where there is none. */
static void *allocate(size_t size)
{
    struct block *block = malloc(sizeof *block + size);
    if (block == NULL || size > PTRDIFF_MAX)
        __builtin_trap();
    block->next = blocks;
    blocks = block;
    return block->start;
}

EXPORT("cabi_realloc")
void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size)
{
    (void)align; /* at most 8, and malloc's blocks have 16 */
    void *block = allocate(size);
    if (old_size != 0)
        memcpy(block, old, old_size < size ? old_size : size);
    return block;
}

/* The preview1 adapter keeps what it asks for, from call to call. */
EXPORT("cabi_realloc_adapter")
void *cabi_realloc_adapter(void *old, size_t old_size, size_t align, size_t size)
{
    (void)old_size;
    (void)align;
    void *block = realloc(old, size);
    if (block == NULL)
        __builtin_trap();
    return block;
}

static void release(void)
{
    while (blocks != NULL) {
        struct block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}

/* A copy that ends in a zero, as the libc wants its texts. */
static inline char *terminated(const uint8_t *data, size_t size)
{
    char *text = allocate(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

static struct bytes copied(const void *data, size_t size)
{
    struct bytes copy = {allocate(size), size};
    memcpy(copy.data, data, size);
    return copy;
}

static inline struct bytes copied_text(const char *text)
{
    return copied(text, strlen(text));
}

#endif
