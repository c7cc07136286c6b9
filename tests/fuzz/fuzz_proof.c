/* Proofs from any octets: whatever they are, the check ends, and what holds has the genesis block's members behind it. */
#include <errno.h>
#include <stdlib.h>

#include "chain/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Signatures that the fuzzer can make: then it gets past the certificates to the paths. */
static int verify_weakly(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx, (void)members;
    return msg->sig[0] & 1 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct chain_proof_result result;
    struct chain_ed25519 no_key = {0};
    struct chain_signer signer = chain_signer_ed25519(&no_key);
    int strict = chain_proof_check(data, len, &signer, &result);
    if (strict == 0 && (result.n_signers < result.quorum || result.fault))
        abort();
    if (strict == -EBADMSG && !result.fault)
        abort();
    signer.verify = verify_weakly;
    int weak = chain_proof_check(data, len, &signer, &result);
    if ((strict == -EINVAL) != (weak == -EINVAL))
        abort();
    if (weak == 0 && result.claim.kind == CHAIN_PROOF_TX && result.claim.index >= result.claim.n_txs)
        abort();
    return 0;
}
