/* Reads any octets as items of every kind, by a plan that the octets give themselves; what an integer or string reader accepts is
 * written again to the same octets. */
#include <stdlib.h>
#include <string.h>

#include "chain/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void read_one(struct chain_cbor_reader *r, struct chain_cbor_writer *w, uint8_t major)
{
    size_t n;
    const uint8_t *bytes;
    char text[64];
    switch (major) {
    case 0:
        chain_cbor_put_uint(w, chain_cbor_get_uint(r));
        break;
    case 1:
        chain_cbor_put_int(w, chain_cbor_get_int(r));
        break;
    case 2:
        bytes = chain_cbor_get_bytes(r, &n);
        require(bytes || n == 0);
        chain_cbor_put_bytes(w, bytes, n);
        break;
    case 3:
        chain_cbor_get_text(r, text, sizeof text);
        chain_cbor_put_text(w, text);
        break;
    case 4:
        chain_cbor_put_array(w, chain_cbor_get_array(r, 1000));
        break;
    default:
        if (chain_cbor_get_null(r))
            chain_cbor_put_null(w);
        else
            chain_cbor_put_bool(w, chain_cbor_get_bool(r));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *out = malloc(len + 16);
    if (!out)
        return 0;
    struct chain_cbor_reader r = {.data = data, .len = len};
    struct chain_cbor_writer w = {.out = out, .cap = len + 16};
    while (r.pos < r.len && !r.bad) {
        size_t before = r.pos;
        read_one(&r, &w, data[r.pos] >> 5);
        require(r.bad || r.pos > before);
        require(r.pos <= r.len);
        require(r.bad || (w.len == r.pos && memcmp(out, data, w.len) == 0));
    }
    for (uint8_t major = 0; major < 8; major++) { /* the wrong reader fails and takes nothing */
        struct chain_cbor_reader wrong = {.data = data, .len = len};
        struct chain_cbor_writer rest = {.out = out, .cap = len + 16};
        read_one(&wrong, &rest, major);
        require(wrong.pos <= wrong.len);
    }
    free(out);
    return 0;
}
