/*
 * The host interface `wippy:runtime/funcs@0.1.0`, seen from C.
 *
 * `result<string, string>` and `result<list<u8>, string>` flatten to more than
 * one core value, so the host writes them to an area whose address is the last
 * parameter (canonical ABI, `MAX_FLAT_RESULTS` = 1).
 */
#ifndef FUNCS_H
#define FUNCS_H

#include "component.h"

/* Both results have this layout: a discriminant, then pointer and length. */
struct funcs_result {
    uint8_t is_err;
    struct bytes value; /* the answer, or the text of the error */
};

_Static_assert(offsetof(struct funcs_result, value) == 4, "payload at offset 4");
_Static_assert(sizeof(struct funcs_result) == 12, "twelve bytes in all");

IMPORT("wippy:runtime/funcs@0.1.0", "call-string")
void host_call_string(const uint8_t *target, size_t target_size,
                      const uint8_t *input, size_t input_size,
                      struct funcs_result *result);

IMPORT("wippy:runtime/funcs@0.1.0", "call-bytes")
void host_call_bytes(const uint8_t *target, size_t target_size,
                     const uint8_t *input, size_t input_size,
                     struct funcs_result *result);

/* Calls `target` with text; the answer lives until the export returns. */
static inline struct funcs_result call_string(struct bytes target, struct bytes input)
{
    struct funcs_result result;
    host_call_string(target.data, target.size, input.data, input.size, &result);
    return result;
}

/* Calls `target` with bytes; the answer lives until the export returns. */
static inline struct funcs_result call_bytes(struct bytes target, struct bytes input)
{
    struct funcs_result result;
    host_call_bytes(target.data, target.size, input.data, input.size, &result);
    return result;
}

#endif
