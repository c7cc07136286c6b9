/* An operation that decodes is written again to the same octets. */
#include <stdlib.h>
#include <string.h>

#include "chain/op.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct chain_op op;
    uint8_t again[CHAIN_MAX_OP_BYTES];
    if (chain_op_decode(&op, data, len) != 0)
        return 0;
    long n = chain_op_encode(&op, again, sizeof again);
    if (n < 0 || (size_t)n != len || memcmp(again, data, len) != 0)
        abort();
    return 0;
}
