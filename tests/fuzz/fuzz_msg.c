/* A message that decodes is written again to the same octets. */
#include <stdlib.h>
#include <string.h>

#include "chain/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t again[CHAIN_MAX_MSG_BYTES];
    struct chain_members members = {.n = 4, .n_keys = 6};
    memcpy(members.chain_id, "airdeed1", 8);
    struct chain_msg msg;
    size_t consumed;
    if (chain_msg_decode(&members, data, len, &msg, &consumed) != 0)
        return 0;
    long n = chain_msg_encode(&members, &msg, again, sizeof again);
    if (n < 0 || (size_t)n != consumed || memcmp(again, data, consumed) != 0)
        abort();
    struct chain_ed25519 key = {{0}, 0, 0};
    struct chain_signer signer = chain_signer_ed25519(&key);
    (void)signer.verify(signer.ctx, &members, &msg);
    return 0;
}
