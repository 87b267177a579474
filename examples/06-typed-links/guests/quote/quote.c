/*
 * A component in C that imports two interfaces of its own domain.
 *
 * It knows their types and nothing else: which language implements them, and
 * where, stands in _index.yaml (`links`). Compare examples/04, where everything
 * goes through texts.
 */
#include "component.h"

/* record line { sku: string, quantity: u32, unit-cents: u32 }, flattened to parameters */
#define LINE_PARAMETERS \
    const uint8_t *sku, size_t sku_size, uint32_t quantity, uint32_t unit_cents

/* variant problem { unknown-country(string), closed } */
enum { UNKNOWN_COUNTRY, CLOSED };

/* result<u32, problem> */
struct rate_result {
    uint8_t is_err;
    union {
        uint32_t percent;
        struct {
            uint8_t problem;
            struct bytes country;
        };
    };
};

/* result<u64, string> */
struct quote_result {
    uint8_t is_err;
    union {
        uint64_t cents;
        struct bytes error;
    };
};

_Static_assert(sizeof(struct rate_result) == 16, "canonical size of the rate");
_Static_assert(offsetof(struct rate_result, country) == 8, "payload at offset 8");
_Static_assert(sizeof(struct quote_result) == 16, "canonical size of the quote");
_Static_assert(offsetof(struct quote_result, cents) == 8, "payload at offset 8");

IMPORT("shop:rules/tax@1.0.0", "rate")
void tax_rate(const uint8_t *country, size_t country_size, struct rate_result *result);

IMPORT("shop:rules/discount@1.0.0", "for-line")
uint64_t discount_for_line(LINE_PARAMETERS);

static struct bytes explain_rate(const struct rate_result *rate)
{
    struct bytes text = {0};
    if (rate->problem == CLOSED) {
        add_bytes(&text, TEXT("the tax office is closed"));
    } else {
        add_bytes(&text, TEXT("there is no rate for "));
        add_bytes(&text, rate->country);
    }
    return text;
}

static struct quote_result *fail(struct bytes error)
{
    static struct quote_result result = {.is_err = 1};
    result.error = error;
    return &result;
}

static struct quote_result *succeed(uint64_t cents)
{
    static struct quote_result result = {.is_err = 0};
    result.cents = cents;
    return &result;
}

EXPORT("quote")
struct quote_result *quote(const uint8_t *country, size_t country_size, LINE_PARAMETERS)
{
    struct rate_result rate;
    tax_rate(country, country_size, &rate);
    if (rate.is_err)
        return fail(explain_rate(&rate));
    uint64_t full = (uint64_t)quantity * unit_cents;
    uint64_t discount = discount_for_line(sku, sku_size, quantity, unit_cents);
    if (discount > full)
        return fail(TEXT("the discount is larger than the price"));
    uint64_t net = full - discount;
    if (rate.percent > 100 || net > UINT64_MAX / 256)
        return fail(TEXT("price and tax do not fit"));
    return succeed(net + (net * rate.percent + 50) / 100);
}

EXPORT("cabi_post_quote")
void quote_done(struct quote_result *result)
{
    (void)result;
    arena_release();
}
