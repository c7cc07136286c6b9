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

int __wrap_crypto_generichash_blake2b(uint8_t *out, size_t out_len, const uint8_t *in, unsigned long long len, const uint8_t *key,
                                      size_t key_len)
{
    static struct known known[SLOTS]; /* libsodium's function has no context to keep it in */
    if (key_len > 0 || out_len != CHAIN_HASH_BYTES || len == 0 || len > MOST_OCTETS)
        return __real_crypto_generichash_blake2b(out, out_len, in, len, key, key_len);
    struct known *at = &known[sim_sum(4, in, len) % SLOTS];
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
