#include "chain/cbor.h"

#include <errno.h>
#include <string.h>

enum { MAJOR_UINT = 0, MAJOR_NEGATIVE = 1, MAJOR_BYTES = 2, MAJOR_TEXT = 3, MAJOR_ARRAY = 4 };
enum { OCTET_FALSE = 0xf4, OCTET_TRUE = 0xf5, OCTET_NULL = 0xf6 };

/* Octets that follow the first one of a head, in the shortest form (RFC 8949 section 4.2.1). */
static size_t argument_octets(uint64_t value)
{
    if (value < 24)
        return 0;
    if (value <= UINT8_MAX)
        return 1;
    if (value <= UINT16_MAX)
        return 2;
    return value <= UINT32_MAX ? 4 : 8;
}

static void put_octets(struct chain_cbor_writer *w, const void *data, size_t len)
{
    if (w->full || len > w->cap - w->len) {
        w->full = true;
        return;
    }
    if (len > 0)
        memcpy(w->out + w->len, data, len);
    w->len += len;
}

static size_t make_head(uint8_t head[9], unsigned major, uint64_t value)
{
    size_t n = argument_octets(value);
    unsigned info = n == 0 ? (unsigned)value : n == 1 ? 24U : n == 2 ? 25U : n == 4 ? 26U : 27U;
    head[0] = (uint8_t)(major << 5 | info);
    for (size_t i = 0; i < n; i++)
        head[1 + i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    return 1 + n;
}

static void put_head(struct chain_cbor_writer *w, unsigned major, uint64_t value)
{
    uint8_t head[9];
    size_t len = make_head(head, major, value);
    put_octets(w, head, len);
}

/* A string is written whole or not at all. */
static void put_string(struct chain_cbor_writer *w, unsigned major, const void *data, size_t len)
{
    uint8_t head[9];
    size_t head_len = make_head(head, major, len);
    if (w->full || len > w->cap - w->len || head_len > w->cap - w->len - len) {
        w->full = true;
        return;
    }
    put_octets(w, head, head_len);
    put_octets(w, data, len);
}

void chain_cbor_put_uint(struct chain_cbor_writer *w, uint64_t value)
{
    put_head(w, MAJOR_UINT, value);
}

void chain_cbor_put_int(struct chain_cbor_writer *w, int64_t value)
{
    if (value >= 0)
        put_head(w, MAJOR_UINT, (uint64_t)value);
    else
        put_head(w, MAJOR_NEGATIVE, (uint64_t)(-1 - value));
}

void chain_cbor_put_bytes(struct chain_cbor_writer *w, const void *data, size_t len)
{
    put_string(w, MAJOR_BYTES, data, len);
}

void chain_cbor_put_text(struct chain_cbor_writer *w, const char *text)
{
    put_string(w, MAJOR_TEXT, text, strlen(text));
}

void chain_cbor_put_array(struct chain_cbor_writer *w, size_t n)
{
    put_head(w, MAJOR_ARRAY, n);
}

void chain_cbor_put_bool(struct chain_cbor_writer *w, bool value)
{
    uint8_t octet = value ? OCTET_TRUE : OCTET_FALSE;
    put_octets(w, &octet, 1);
}

void chain_cbor_put_null(struct chain_cbor_writer *w)
{
    uint8_t octet = OCTET_NULL;
    put_octets(w, &octet, 1);
}

void chain_cbor_put_encoded(struct chain_cbor_writer *w, const void *item, size_t len)
{
    put_octets(w, item, len);
}

long chain_cbor_finish(const struct chain_cbor_writer *w)
{
    return w->full ? -ENOSPC : (long)w->len;
}

static uint64_t fail(struct chain_cbor_reader *r)
{
    r->bad = true;
    return 0;
}

/* Reads a head of the wanted major type; refuses reserved, indefinite and longer than needed. */
static uint64_t get_head(struct chain_cbor_reader *r, unsigned major)
{
    if (r->bad || r->pos >= r->len || r->data[r->pos] >> 5 != major)
        return fail(r);
    unsigned info = r->data[r->pos] & 0x1fU;
    if (info > 27)
        return fail(r);
    size_t n = info < 24 ? 0 : (size_t)1 << (info - 24);
    if (n > r->len - r->pos - 1)
        return fail(r);
    uint64_t value = info;
    if (n > 0) {
        value = 0;
        for (size_t i = 0; i < n; i++)
            value = value << 8 | r->data[r->pos + 1 + i];
    }
    if (argument_octets(value) != n)
        return fail(r);
    r->pos += 1 + n;
    return value;
}

uint64_t chain_cbor_get_uint(struct chain_cbor_reader *r)
{
    return get_head(r, MAJOR_UINT);
}

int64_t chain_cbor_get_int(struct chain_cbor_reader *r)
{
    bool negative = !r->bad && r->pos < r->len && r->data[r->pos] >> 5 == MAJOR_NEGATIVE;
    uint64_t value = get_head(r, negative ? MAJOR_NEGATIVE : MAJOR_UINT);
    if (r->bad || value > INT64_MAX)
        return (int64_t)fail(r);
    return negative ? -1 - (int64_t)value : (int64_t)value;
}

static const uint8_t *get_string(struct chain_cbor_reader *r, unsigned major, size_t *len_out)
{
    *len_out = 0;
    uint64_t len = get_head(r, major);
    if (r->bad || len > r->len - r->pos) {
        fail(r);
        return NULL;
    }
    const uint8_t *data = r->data + r->pos;
    r->pos += (size_t)len;
    *len_out = (size_t)len;
    return data;
}

uint32_t chain_cbor_get_u32(struct chain_cbor_reader *r)
{
    uint64_t value = chain_cbor_get_uint(r);
    r->bad = r->bad || value > UINT32_MAX;
    return (uint32_t)value;
}

int32_t chain_cbor_get_i32(struct chain_cbor_reader *r)
{
    int64_t value = chain_cbor_get_int(r);
    r->bad = r->bad || value < INT32_MIN || value > INT32_MAX;
    return (int32_t)value;
}

const uint8_t *chain_cbor_get_bytes(struct chain_cbor_reader *r, size_t *len_out)
{
    return get_string(r, MAJOR_BYTES, len_out);
}

void chain_cbor_get_fixed(struct chain_cbor_reader *r, void *out, size_t len)
{
    size_t n;
    const uint8_t *data = chain_cbor_get_bytes(r, &n);
    if (data && n == len) {
        memcpy(out, data, len);
        return;
    }
    fail(r);
    memset(out, 0, len);
}

/* Octets of the UTF-8 character at s (RFC 3629), 0 if it is none. */
static size_t utf8_octets(const uint8_t *s, size_t len)
{
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    if (n == 0 || n > len)
        return 0;
    uint8_t low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

void chain_cbor_get_text(struct chain_cbor_reader *r, char *out, size_t cap)
{
    size_t len;
    memset(out, 0, cap);
    const uint8_t *data = get_string(r, MAJOR_TEXT, &len);
    if (!data || len >= cap) {
        fail(r);
        return;
    }
    for (size_t i = 0; i < len;) {
        size_t n = data[i] == 0 ? 0 : utf8_octets(data + i, len - i);
        if (n == 0) {
            fail(r);
            return;
        }
        i += n;
    }
    memcpy(out, data, len);
}

size_t chain_cbor_get_array(struct chain_cbor_reader *r, size_t max)
{
    uint64_t n = get_head(r, MAJOR_ARRAY);
    /* every element takes an octet at least */
    if (r->bad || n > max || n > r->len - r->pos)
        return (size_t)fail(r);
    return (size_t)n;
}

void chain_cbor_expect_array(struct chain_cbor_reader *r, size_t n)
{
    if (chain_cbor_get_array(r, n) != n)
        fail(r);
}

bool chain_cbor_get_bool(struct chain_cbor_reader *r)
{
    if (r->bad || r->pos >= r->len || (r->data[r->pos] != OCTET_FALSE && r->data[r->pos] != OCTET_TRUE))
        return fail(r);
    return r->data[r->pos++] == OCTET_TRUE;
}

bool chain_cbor_get_null(struct chain_cbor_reader *r)
{
    if (r->bad || r->pos >= r->len || r->data[r->pos] != OCTET_NULL)
        return false;
    r->pos++;
    return true;
}

int chain_cbor_end(const struct chain_cbor_reader *r)
{
    return r->bad || r->pos != r->len ? -EBADMSG : 0;
}
