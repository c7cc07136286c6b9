/* A genesis block that decodes is written again to the same octets; its fields are checked, never trusted. */
#include <stdlib.h>
#include <string.h>

#include "chain/genesis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t again[CHAIN_MAX_GENESIS_BYTES];
    struct chain_genesis g;
    if (chain_genesis_decode(&g, data, len) != 0)
        return 0;
    long n = chain_genesis_encode(&g, again, sizeof again);
    if (n >= 0 && ((size_t)n != len || memcmp(again, data, len) != 0))
        abort();
    if (chain_genesis_finish(&g, NULL, NULL) != 0)
        return 0;
    uint64_t window;
    int64_t start_ns, end_ns;
    for (uint32_t c = 0; c < g.n_channels; c++) {
        chain_genesis_quiet_after(&g, c, g.time_ns, &window, &start_ns, &end_ns);
        if (end_ns <= g.time_ns || end_ns - start_ns != g.quiet_length_ns)
            abort();
    }
    return 0;
}
