/* Certificates, what a VIEW-CHANGE claims, and what follows from a quorum of claims. */
#include <errno.h>
#include <string.h>

#include "chain/pbft.h"

void chain_pbft_cert_put(struct chain_cbor_writer *w, const struct pbft_cert *cert)
{
    chain_cbor_put_array(w, 4);
    chain_cbor_put_uint(w, cert->view);
    chain_cbor_put_uint(w, cert->height);
    chain_cbor_put_bytes(w, cert->digest.octets, CHAIN_HASH_BYTES);
    chain_cbor_put_array(w, cert->n);
    for (uint32_t i = 0; i < cert->n; i++) {
        chain_cbor_put_array(w, 3);
        chain_cbor_put_uint(w, cert->sigs[i].author);
        chain_cbor_put_uint(w, cert->sigs[i].kind);
        chain_cbor_put_bytes(w, cert->sigs[i].sig, CHAIN_SIG_BYTES);
    }
}

void chain_pbft_cert_get(struct chain_cbor_reader *r, struct pbft_cert *cert)
{
    memset(cert, 0, sizeof *cert);
    chain_cbor_expect_array(r, 4);
    cert->view = chain_cbor_get_uint(r);
    cert->height = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, cert->digest.octets, CHAIN_HASH_BYTES);
    size_t n = chain_cbor_get_array(r, CHAIN_MAX_MEMBERS);
    for (size_t i = 0; i < n && !r->bad; i++) {
        chain_cbor_expect_array(r, 3);
        uint64_t author = chain_cbor_get_uint(r);
        uint64_t kind = chain_cbor_get_uint(r);
        if (author >= CHAIN_MAX_MEMBERS || kind > UINT8_MAX)
            r->bad = true;
        cert->sigs[i].author = (uint8_t)author;
        cert->sigs[i].kind = (uint8_t)kind;
        chain_cbor_get_fixed(r, cert->sigs[i].sig, CHAIN_SIG_BYTES);
        cert->n++;
    }
    cert->have = !r->bad;
}

bool chain_pbft_cert_is_commit(const struct pbft *m, const struct pbft_cert *cert)
{
    for (uint32_t i = 0; i < cert->n; i++)
        if (cert->sigs[i].kind != CHAIN_MSG_PBFT_COMMIT)
            return false;
    return cert->n >= m->quorum;
}

static bool kind_fits(const struct pbft *m, const struct pbft_cert *cert, uint32_t i)
{
    switch (cert->sigs[i].kind) {
    case CHAIN_MSG_PBFT_PRE_PREPARE:
        return cert->sigs[i].author == chain_pbft_primary(m, cert->view);
    case CHAIN_MSG_PBFT_PREPARE:
    case CHAIN_MSG_PBFT_COMMIT:
        return true;
    default:
        return false;
    }
}

bool chain_pbft_cert_check(const struct pbft *m, const struct pbft_cert *cert, bool committed)
{
    const struct chain_signer *signer = m->base.cfg.signer;
    uint64_t seen = 0;
    if (!cert->have || cert->n != m->quorum || (committed && !chain_pbft_cert_is_commit(m, cert)))
        return false;
    for (uint32_t i = 0; i < cert->n; i++) {
        struct chain_msg msg = {.kind = cert->sigs[i].kind,
                                .author = cert->sigs[i].author,
                                .view = cert->view,
                                .seq = cert->height,
                                .digest = cert->digest};
        if (msg.author >= m->n || (seen >> msg.author & 1) != 0 || !kind_fits(m, cert, i))
            return false;
        seen |= UINT64_C(1) << msg.author;
        memcpy(msg.sig, cert->sigs[i].sig, sizeof msg.sig);
        if (signer->verify(signer->ctx, m->base.cfg.members, &msg) != 0)
            return false;
    }
    return true;
}

/* The last committed height needs its certificate only until a quorum has signed the block. */
void chain_pbft_claim_put(struct pbft *m, struct chain_cbor_writer *w)
{
    const struct pbft_cert *certs[PBFT_CERTS];
    size_t n = 0;
    struct pbft_slot *last = chain_pbft_slot(m, m->committed), *next = chain_pbft_slot(m, m->committed + 1);
    if (last && last->cert.have && m->certified < m->committed)
        certs[n++] = &last->cert;
    if (next && next->cert.have)
        certs[n++] = &next->cert;
    chain_cbor_put_array(w, 2);
    chain_cbor_put_uint(w, m->committed);
    chain_cbor_put_array(w, n);
    for (size_t i = 0; i < n; i++)
        chain_pbft_cert_put(w, certs[i]);
}

int chain_pbft_claim_get(const struct pbft *m, const uint8_t *body, size_t len, bool check, struct pbft_claim *out)
{
    struct chain_cbor_reader r = {.data = body, .len = len};
    memset(out, 0, sizeof *out);
    chain_cbor_expect_array(&r, 2);
    out->committed = chain_cbor_get_uint(&r);
    size_t n = chain_cbor_get_array(&r, PBFT_CERTS);
    for (size_t i = 0; i < n && !r.bad; i++) {
        struct pbft_cert cert;
        chain_pbft_cert_get(&r, &cert);
        if (r.bad || cert.height < out->committed || cert.height - out->committed > 1
            || (i > 0 && cert.height != out->certs[0].height + 1) || (check && !chain_pbft_cert_check(m, &cert, false)))
            return -EBADMSG;
        out->certs[i].height = cert.height;
        out->certs[i].view = cert.view;
        out->certs[i].digest = cert.digest;
        out->n_certs++;
    }
    return out->committed > UINT64_MAX - CHAIN_WINDOW ? -EBADMSG : chain_cbor_end(&r);
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

/* A member beyond low whose certificate for low + 1 is missing may be the only one to know what was committed there. */
static bool find_offender(const struct pbft_claim *claims, uint32_t n_claims, uint64_t low, uint32_t *offender_out)
{
    bool found = false;
    uint64_t worst = 0;
    for (uint32_t i = 0; i < n_claims; i++) {
        const struct pbft_claim *claim = &claims[i];
        bool shown = claim->n_certs > 0 && claim->certs[0].height == claim->committed;
        bool fits = claim->committed <= low || (claim->committed == low + 1 && shown);
        if (fits || (found && claim->committed <= worst))
            continue;
        found = true;
        worst = claim->committed;
        *offender_out = i;
    }
    return found;
}

bool chain_pbft_choose(const struct pbft *m, const struct pbft_claim *claims, uint32_t n_claims, struct pbft_choice *out,
                       uint32_t *offender_out)
{
    memset(out, 0, sizeof *out);
    out->low = find_low(m, claims, n_claims);
    if (find_offender(claims, n_claims, out->low, offender_out))
        return false;
    for (uint32_t i = 0; i < n_claims; i++) {
        for (uint32_t k = 0; k < claims[i].n_certs; k++) {
            uint64_t height = claims[i].certs[k].height;
            if (height <= out->low || height - out->low > PBFT_CERTS)
                continue;
            uint64_t at = height - out->low - 1;
            if (out->required[at].have && out->required[at].view >= claims[i].certs[k].view)
                continue;
            out->required[at].have = true;
            out->required[at].view = claims[i].certs[k].view;
            out->required[at].digest = claims[i].certs[k].digest;
        }
    }
    return true;
}
