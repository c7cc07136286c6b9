/* Deterministic CBOR (RFC 8949 section 4.2.1): shortest integers, definite lengths. Only what the ledger uses: unsigned and
 * negative integers, byte strings, text, arrays, false, true, null. The reader refuses everything that is not deterministic. */
#ifndef CHAIN_CBOR_H
#define CHAIN_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes into caller's memory; after an overflow len stays and `full` is set. */
struct chain_cbor_writer {
    uint8_t *out;
    size_t cap, len;
    bool full;
};
void chain_cbor_put_uint(struct chain_cbor_writer *w, uint64_t value);
void chain_cbor_put_int(struct chain_cbor_writer *w, int64_t value);
void chain_cbor_put_bytes(struct chain_cbor_writer *w, const void *data, size_t len);
void chain_cbor_put_text(struct chain_cbor_writer *w, const char *text);
void chain_cbor_put_array(struct chain_cbor_writer *w, size_t n);
void chain_cbor_put_bool(struct chain_cbor_writer *w, bool value);
void chain_cbor_put_null(struct chain_cbor_writer *w);
/* One item that is encoded already. */
void chain_cbor_put_encoded(struct chain_cbor_writer *w, const void *item, size_t len);
/* len, or -ENOSPC */
long chain_cbor_finish(const struct chain_cbor_writer *w);

/* The first error sticks: later gets return zero values, so that a decoder checks once at the end. */
struct chain_cbor_reader {
    const uint8_t *data;
    size_t len, pos;
    bool bad;
};
uint64_t chain_cbor_get_uint(struct chain_cbor_reader *r);
int64_t chain_cbor_get_int(struct chain_cbor_reader *r);
/* The same within 32 bits; what does not fit is bad. */
uint32_t chain_cbor_get_u32(struct chain_cbor_reader *r);
int32_t chain_cbor_get_i32(struct chain_cbor_reader *r);
/* Borrowed from the reader's data. */
const uint8_t *chain_cbor_get_bytes(struct chain_cbor_reader *r, size_t *len_out);
/* Exactly len octets into out. */
void chain_cbor_get_fixed(struct chain_cbor_reader *r, void *out, size_t len);
/* Text of at most cap - 1 octets, NUL-terminated, without NUL inside. */
void chain_cbor_get_text(struct chain_cbor_reader *r, char *out, size_t cap);
size_t chain_cbor_get_array(struct chain_cbor_reader *r, size_t max);
/* An array of exactly n. */
void chain_cbor_expect_array(struct chain_cbor_reader *r, size_t n);
bool chain_cbor_get_bool(struct chain_cbor_reader *r);
/* Consumes null and returns true, or consumes nothing. */
bool chain_cbor_get_null(struct chain_cbor_reader *r);
/* 0 when all octets were read and none was bad; -EBADMSG. */
int chain_cbor_end(const struct chain_cbor_reader *r);
#endif
