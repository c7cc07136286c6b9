/* What a VIEW-CHANGE claims, and what follows from a quorum of claims. */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

/* Above the stable height, where a quorum has signed the block, everything that was seen prepared: we gave our COMMIT for nothing else. */
void chain_pbft_claim_put(struct pbft *m, struct chain_cbor_writer *w)
{
    const struct pbft_cert *certs[CHAIN_WINDOW];
    size_t n = 0;
    for (uint64_t height = m->stable + 1; height <= m->stable + CHAIN_WINDOW; height++) {
        const struct pbft_slot *slot = chain_pbft_slot(m, height);
        if (slot && slot->cert.have)
            certs[n++] = &slot->cert;
    }
    chain_cbor_put_array(w, 3);
    chain_cbor_put_uint(w, m->stable);
    chain_cbor_put_uint(w, m->committed);
    chain_cbor_put_array(w, n);
    for (size_t i = 0; i < n; i++)
        chain_pbft_cert_put(w, certs[i]);
}

int chain_pbft_claim_get(struct pbft *m, const uint8_t *body, size_t len, bool check, struct pbft_claim *out)
{
    struct chain_cbor_reader r = {.data = body, .len = len};
    memset(out, 0, sizeof *out);
    chain_cbor_expect_array(&r, 3);
    out->base = chain_cbor_get_uint(&r);
    out->committed = chain_cbor_get_uint(&r);
    size_t n = chain_cbor_get_array(&r, CHAIN_WINDOW);
    if (r.bad || out->base > out->committed || out->committed > UINT64_MAX / 8)
        return -EBADMSG;
    uint64_t last = out->base;
    for (size_t i = 0; i < n; i++) {
        struct pbft_cert cert;
        chain_pbft_cert_get(&r, &cert);
        if (r.bad || cert.height <= last || cert.height - out->base > CHAIN_WINDOW || (check && !chain_pbft_cert_check(m, &cert)))
            return -EBADMSG;
        last = cert.height;
        out->certs[i].height = cert.height;
        out->certs[i].view = cert.view;
        out->certs[i].digest = cert.digest;
        out->n_certs++;
    }
    return chain_cbor_end(&r);
}

static uint64_t find_low(const struct pbft *m, const struct pbft_claim *claims, uint32_t n_claims)
{
    /* the (f+1)th highest claim: an honest member has committed that much */
    uint64_t low = 0;
    for (uint32_t i = 0; i < n_claims; i++) {
        uint32_t n_as_high = 0;
        for (uint32_t k = 0; k < n_claims; k++)
            n_as_high += claims[k].committed >= claims[i].committed;
        if (n_as_high > m->f && claims[i].committed > low)
            low = claims[i].committed;
    }
    return low;
}

/* A member whose certificates begin above low + 1 may be the only one to know what was committed there. */
static bool find_offender(const struct pbft_claim *claims, uint32_t n_claims, uint64_t low, uint32_t *offender_out)
{
    uint64_t worst = low;
    for (uint32_t i = 0; i < n_claims; i++) {
        if (claims[i].base <= worst)
            continue;
        worst = claims[i].base;
        *offender_out = i;
    }
    return worst > low;
}

static void require(struct pbft_choice *choice, uint64_t height, uint64_t view, const struct chain_hash *digest)
{
    if (height <= choice->low || height - choice->low > CHAIN_WINDOW)
        return;
    uint64_t at = height - choice->low - 1;
    if (choice->required[at].have && choice->required[at].view >= view)
        return;
    choice->required[at].have = true;
    choice->required[at].view = view;
    choice->required[at].digest = *digest;
}

bool chain_pbft_choose(const struct pbft *m, const struct pbft_claim *claims, uint32_t n_claims, struct pbft_choice *out,
                       uint32_t *offender_out)
{
    memset(out, 0, sizeof *out);
    out->low = find_low(m, claims, n_claims);
    if (find_offender(claims, n_claims, out->low, offender_out))
        return false;
    for (uint32_t i = 0; i < n_claims; i++)
        for (uint32_t k = 0; k < claims[i].n_certs; k++)
            require(out, claims[i].certs[k].height, claims[i].certs[k].view, &claims[i].certs[k].digest);
    bool below = false; /* a height without certificate under one with is proposed empty */
    for (size_t at = CHAIN_WINDOW; at-- > 0;) {
        if (out->required[at].have) {
            below = true;
        } else if (below) {
            out->required[at].have = true;
            out->required[at].digest = m->null_digest;
        }
    }
    return true;
}
