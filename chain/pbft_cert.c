/* Certificates: a preimage, a bitmap for each kind of message, and one signature a signer in the order of seats. */
#include <string.h>

#include "chain/pbft.h"

static const uint8_t kinds[PBFT_PHASES] = {CHAIN_MSG_PBFT_PRE_PREPARE, CHAIN_MSG_PBFT_PREPARE, CHAIN_MSG_PBFT_COMMIT};

static uint32_t find_signers(const struct pbft_cert *cert)
{
    return cert->signers[PBFT_PROPOSED] | cert->signers[PBFT_PREPARED] | cert->signers[PBFT_COMMITTED];
}

uint32_t chain_pbft_cert_count(const struct pbft_cert *cert)
{
    uint32_t n = 0;
    for (uint32_t bits = find_signers(cert); bits != 0; bits &= bits - 1)
        n++;
    return n;
}

void chain_pbft_cert_put(struct chain_cbor_writer *w, const struct pbft_cert *cert)
{
    uint8_t sigs[CHAIN_MAX_MEMBERS * CHAIN_SIG_BYTES];
    size_t len = 0;
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++) {
        if ((find_signers(cert) >> i & 1) == 0)
            continue;
        memcpy(sigs + len, cert->sigs[i], CHAIN_SIG_BYTES);
        len += CHAIN_SIG_BYTES;
    }
    chain_cbor_put_array(w, 4 + PBFT_PHASES);
    chain_cbor_put_uint(w, cert->view);
    chain_cbor_put_uint(w, cert->height);
    chain_cbor_put_bytes(w, cert->digest.octets, CHAIN_HASH_BYTES);
    for (size_t k = 0; k < PBFT_PHASES; k++)
        chain_cbor_put_uint(w, cert->signers[k]);
    chain_cbor_put_bytes(w, sigs, len);
}

void chain_pbft_cert_get(struct chain_cbor_reader *r, struct pbft_cert *cert)
{
    size_t len = 0;
    memset(cert, 0, sizeof *cert);
    chain_cbor_expect_array(r, 4 + PBFT_PHASES);
    cert->view = chain_cbor_get_uint(r);
    cert->height = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, cert->digest.octets, CHAIN_HASH_BYTES);
    for (size_t k = 0; k < PBFT_PHASES; k++)
        cert->signers[k] = chain_cbor_get_u32(r);
    const uint8_t *sigs = chain_cbor_get_bytes(r, &len);
    const uint32_t *by = cert->signers;
    bool twice = ((by[0] & by[1]) | (by[0] & by[2]) | (by[1] & by[2])) != 0;
    if (r->bad || twice || len != chain_pbft_cert_count(cert) * CHAIN_SIG_BYTES) {
        r->bad = true;
        return;
    }
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++) {
        if ((find_signers(cert) >> i & 1) == 0)
            continue;
        memcpy(cert->sigs[i], sigs, CHAIN_SIG_BYTES);
        sigs += CHAIN_SIG_BYTES;
    }
    cert->have = true;
}

bool chain_pbft_cert_is_commit(const struct pbft_cert *cert)
{
    return cert->signers[PBFT_PROPOSED] == 0 && cert->signers[PBFT_PREPARED] == 0 && cert->signers[PBFT_COMMITTED] != 0;
}

static bool is_vote(const struct pbft_vote *vote, const struct chain_msg *msg)
{
    return vote->have && vote->view == msg->view && chain_pbft_same(&vote->digest, &msg->digest)
           && memcmp(vote->sig, msg->sig, CHAIN_SIG_BYTES) == 0;
}

/* The same octets came as a message, or in a certificate, and were verified then. */
static bool is_known(const struct pbft_slot *slot, const struct chain_msg *msg, size_t k)
{
    const struct pbft_cert *cert = &slot->cert;
    if (cert->have && cert->view == msg->view && chain_pbft_same(&cert->digest, &msg->digest) && (cert->signers[k] >> msg->author & 1) != 0
        && memcmp(cert->sigs[msg->author], msg->sig, CHAIN_SIG_BYTES) == 0)
        return true;
    if (k == PBFT_PROPOSED)
        return slot->have_prop && slot->prop_signed && slot->prop_view == msg->view && chain_pbft_same(&slot->prop_digest, &msg->digest)
               && memcmp(slot->prop_sig, msg->sig, CHAIN_SIG_BYTES) == 0;
    return is_vote(k == PBFT_COMMITTED ? &slot->commits[msg->author] : &slot->prepares[msg->author], msg);
}

static bool check_phase(struct pbft *m, const struct pbft_cert *cert, size_t k)
{
    const struct chain_signer *signer = m->base.cfg.signer;
    const struct pbft_slot *slot = chain_pbft_slot(m, cert->height);
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++) {
        struct chain_msg msg = {.kind = kinds[k], .author = i, .view = cert->view, .seq = cert->height, .digest = cert->digest};
        if ((cert->signers[k] >> i & 1) == 0)
            continue;
        if (i >= m->n || (k == PBFT_PROPOSED && i != chain_pbft_primary(m, cert->view)))
            return false;
        memcpy(msg.sig, cert->sigs[i], sizeof msg.sig);
        if (!(slot && is_known(slot, &msg, k)) && signer->verify(signer->ctx, m->base.cfg.members, &msg) != 0)
            return false;
    }
    return true;
}

bool chain_pbft_cert_check(struct pbft *m, const struct pbft_cert *cert)
{
    if (!cert->have || chain_pbft_cert_count(cert) != m->quorum)
        return false;
    for (size_t k = 0; k < PBFT_PHASES; k++)
        if (!check_phase(m, cert, k))
            return false;
    return true;
}
