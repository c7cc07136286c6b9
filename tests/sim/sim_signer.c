/* Signatures: keyed BLAKE2b, quick, or Ed25519. Each identity's secret lies in its own struct sim_key; who lacks it cannot sign for it. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static void hash_msg(const struct sim_key *key, const struct chain_members *members, const struct chain_msg *msg,
                     uint8_t out[CHAIN_SIG_BYTES])
{
    uint8_t preimage[CHAIN_PREIMAGE_BYTES];
    size_t len = chain_msg_preimage(members, msg, preimage);
    crypto_generichash(out, CHAIN_SIG_BYTES, preimage, len, key->secret, sizeof key->secret);
}

static bool same_msg(const struct sim_world *w, const struct sim_seen_sig *seen, const struct chain_members *members,
                     const struct chain_msg *msg)
{
    return seen->scenario == w->cfg.pool->n_scenarios && seen->epoch == members->epoch && seen->msg.kind == msg->kind && seen->msg.author == msg->author &&
           seen->msg.view == msg->view && seen->msg.seq == msg->seq &&
           memcmp(seen->msg.digest.octets, msg->digest.octets, CHAIN_HASH_BYTES) == 0 &&
           memcmp(seen->msg.sig, msg->sig, CHAIN_SIG_BYTES) == 0;
}

/* What one receiver found good is good for the others. */
static struct sim_seen_sig *seen_slot(struct sim_world *w, const struct chain_msg *msg)
{
    uint64_t word;
    memcpy(&word, msg->sig, sizeof word);
    return &w->cfg.pool->seen[sim_mix(word) % SIM_SEEN_SIGS];
}

static void remember(struct sim_world *w, const struct chain_members *members, const struct chain_msg *msg)
{
    struct sim_seen_sig *slot = seen_slot(w, msg);
    slot->msg = *msg;
    slot->epoch = members->epoch;
    slot->scenario = w->cfg.pool->n_scenarios;
}

static int sign_msg(void *ctx, const struct chain_members *members, struct chain_msg *msg)
{
    struct sim_key *key = ctx;
    if (key->world->cfg.ed25519) {
        struct chain_signer signer = chain_signer_ed25519(&key->ed25519);
        return signer.sign(signer.ctx, members, msg);
    }
    hash_msg(key, members, msg, msg->sig);
    remember(key->world, members, msg);
    return 0;
}

static int verify_msg(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    struct sim_key *key = ctx;
    struct sim_world *w = key->world;
    uint8_t sig[CHAIN_SIG_BYTES];
    if (!chain_msg_author_known(members, msg->kind, msg->author))
        return -EBADMSG;
    if (same_msg(w, seen_slot(w, msg), members, msg))
        return 0;
    if (w->cfg.ed25519) {
        struct chain_signer signer = chain_signer_ed25519(&key->ed25519);
        if (signer.verify(signer.ctx, members, msg) != 0)
            return -EBADMSG;
    } else {
        uint32_t id = chain_msg_by_seat(msg->kind) ? members->seats[msg->author] : msg->author;
        hash_msg(&w->keys[id], members, msg, sig);
        if (memcmp(sig, msg->sig, sizeof sig) != 0)
            return -EBADMSG;
    }
    remember(w, members, msg);
    return 0;
}

void sim_keys_make(struct sim_world *w, uint32_t n_keys)
{
    for (uint32_t i = 0; i < n_keys; i++) {
        struct sim_key *key = &w->keys[i];
        uint64_t in[2] = {w->cfg.seed, i};
        key->world = w;
        crypto_generichash(key->secret, sizeof key->secret, (const uint8_t *)in, sizeof in, NULL, 0);
        if (w->cfg.ed25519)
            chain_ed25519_from_seed(key->secret, key->public, key->ed25519.secret);
        else
            crypto_generichash(key->public, sizeof key->public, key->secret, sizeof key->secret, NULL, 0);
        if (i < w->genesis.members.n_keys)
            memcpy(w->genesis.members.keys[i], key->public, CHAIN_KEY_BYTES);
    }
}

struct chain_signer sim_signer(struct sim_key *key)
{
    return (struct chain_signer){.ctx = key, .sign = sign_msg, .verify = verify_msg};
}
