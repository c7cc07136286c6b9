/* Members of a cluster hash the same octets: a block's entries, the nodes of the map, bodies of messages. The simulation is linked with
 * --wrap, so that an unkeyed BLAKE2b-256 of octets that were hashed a short while ago is looked up; what is found is compared octet by
 * octet, so that nobody gets anything but the hash of what it gave. */
#include <string.h>

#include "tests/sim/sim.h"

enum { SLOTS = 4096, MOST_OCTETS = 256 - CHAIN_HASH_BYTES - 8 };

struct known {
    uint64_t len; /* 0: nothing */
    uint8_t hash[CHAIN_HASH_BYTES], octets[MOST_OCTETS];
};

int __real_crypto_generichash_blake2b(uint8_t *out, size_t out_len, const uint8_t *in, unsigned long long len, const uint8_t *key,
                                      size_t key_len);
int __wrap_crypto_generichash_blake2b(uint8_t *out, size_t out_len, const uint8_t *in, unsigned long long len, const uint8_t *key,
                                      size_t key_len);

static uint64_t word_at(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Two lanes, so that one multiplication does not wait for the other. */
static size_t slot_of(const uint8_t *in, size_t len)
{
    uint64_t a = len, b = ~a;
    size_t i = 0;
    for (; len - i >= 16; i += 16) {
        a = (a ^ word_at(in + i)) * UINT64_C(0xd6e8feb86659fd93);
        b = (b ^ word_at(in + i + 8)) * UINT64_C(0x9e3779b97f4a7c15);
        a ^= a >> 32;
        b ^= b >> 29;
    }
    uint8_t rest[16] = {0};
    memcpy(rest, in + i, len - i);
    return sim_mix(a ^ word_at(rest)) + sim_mix(b ^ word_at(rest + 8));
}

int __wrap_crypto_generichash_blake2b(uint8_t *out, size_t out_len, const uint8_t *in, unsigned long long len, const uint8_t *key,
                                      size_t key_len)
{
    static struct known known[SLOTS]; /* libsodium's function has no context to keep it in */
    if (key_len > 0 || out_len != CHAIN_HASH_BYTES || len == 0 || len > MOST_OCTETS)
        return __real_crypto_generichash_blake2b(out, out_len, in, len, key, key_len);
    struct known *at = &known[slot_of(in, len) % SLOTS];
    if (at->len != len || memcmp(at->octets, in, len) != 0) {
        int rc = __real_crypto_generichash_blake2b(at->hash, out_len, in, len, NULL, 0);
        if (rc != 0) {
            at->len = 0;
            return rc;
        }
        memcpy(at->octets, in, len);
        at->len = len;
    }
    memcpy(out, at->hash, CHAIN_HASH_BYTES);
    return 0;
}
