#include "chain/hopper.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { MOST_ROUNDS = 6 };

int chain_hopper_init(struct chain_hopper *h, const struct chain_hopper_config *cfg)
{
    memset(h, 0, sizeof *h);
    if (chain_genesis_hop_set(cfg->genesis) == 0 || cfg->turn_ns <= 0)
        return -EINVAL;
    h->cfg = *cfg;
    return 0;
}

static uint32_t control_of(const struct chain_genesis *g)
{
    uint32_t c = 0;
    while (c + 1 < g->n_channels && !g->channels[c].control)
        c++;
    return c;
}

/* The key of the epoch in force; NULL: there is none, or it is not known. */
static const struct chain_hopper_key *find_key(const struct chain_hopper *h, int64_t block_ns)
{
    const struct chain_hopper_key *key = h->latest.epoch.epoch > 0 && block_ns >= h->latest.epoch.from_ns ? &h->latest : &h->former;
    return key->good ? key : NULL;
}

bool chain_hopper_in_step(const struct chain_hopper *h, int64_t block_ns)
{
    return find_key(h, block_ns) != NULL;
}

uint32_t chain_hopper_channel(const struct chain_hopper *h, int64_t block_ns)
{
    const struct chain_genesis *g = h->cfg.genesis;
    uint64_t slot = chain_hop_slot(g, block_ns);
    const struct chain_hopper_key *key = find_key(h, block_ns);
    if (!key || chain_hop_is_rendezvous(g, slot))
        return control_of(g);
    return chain_hop_channel(&g->members, key->key, key->epoch.epoch, key->epoch.mask, slot);
}

static void take_epoch(struct chain_hopper *h, const struct chain_ledger *ledger, const struct chain_hop_epoch *epoch, int64_t now_ns)
{
    if (h->latest.good && h->latest.epoch.from_ns <= now_ns)
        h->former = h->latest;
    else if (h->latest.epoch.from_ns <= now_ns)
        h->former.good = false; /* the one in force is one that did not open */
    const uint8_t *ephemeral, *box = chain_ledger_hop_box(ledger, h->cfg.self, &ephemeral);
    h->latest.epoch = *epoch;
    h->latest.good = box && chain_hop_open(&h->cfg.signer, &h->cfg.genesis->members, epoch, ephemeral, box, h->latest.key) == 0;
    h->n_useless += box && !h->latest.good;
}

/* Not the turn of who brought the last one: it may have had its reasons. */
static int64_t turn_ns(const struct chain_hopper *h, const struct chain_members *members, uint32_t seat)
{
    return (int64_t)((seat + h->for_epoch) % members->n) * h->cfg.turn_ns;
}

static bool wants_to_bring(const struct chain_hopper *h, const struct chain_ledger *ledger, int64_t now_ns)
{
    if (!h->cfg.signer.draw)
        return false;
    const uint8_t *ephemeral;
    bool useless = !h->latest.good && chain_ledger_hop_box(ledger, h->cfg.self, &ephemeral) && chain_ledger_hop_may_repair(ledger, h->cfg.self);
    return useless || chain_ledger_hop_due(ledger, now_ns);
}

/* Start of a rendezvous. */
static int64_t choose_start(const struct chain_hopper *h, int64_t now_ns)
{
    const struct chain_genesis *g = h->cfg.genesis;
    int64_t round_ns = g->hop_dwell_ns * g->hop_rendezvous_every;
    int64_t ahead = h->attempts + 1 < MOST_ROUNDS ? (int64_t)h->attempts + 1 : MOST_ROUNDS;
    return (now_ns / round_ns + 1 + ahead) * round_ns;
}

static bool make_op(struct chain_hopper *h, const struct chain_ledger *ledger, int64_t now_ns, struct chain_op *op)
{
    const struct chain_members *members = chain_ledger_members(ledger);
    uint8_t drawn[CHAIN_HOP_KEY_BYTES + CHAIN_CURVE_BYTES];
    /* by the clock: never the same again, whatever was forgotten between */
    if (h->cfg.signer.draw(h->cfg.signer.ctx, members, (uint64_t)now_ns, drawn, sizeof drawn) != 0)
        return false;
    *op = (struct chain_op){.kind = CHAIN_OP_HOP_EPOCH};
    op->hop.epoch = h->for_epoch;
    op->hop.mask = chain_ledger_hop_mask(ledger, now_ns);
    op->hop.from_ns = choose_start(h, now_ns);
    chain_hop_commit(members, op->hop.epoch, drawn, &op->hop.commitment);
    bool made = chain_hop_seal(members, drawn, drawn + CHAIN_HOP_KEY_BYTES, op->hop.ephemeral, h->boxes) == 0;
    sodium_memzero(drawn, sizeof drawn);
    op->hop.boxes = h->boxes;
    op->hop.boxes_len = (size_t)members->n * CHAIN_HOP_BOX_BYTES;
    return made;
}

void chain_hopper_step(struct chain_hopper *h, const struct chain_ledger *ledger, int64_t now_ns, struct chain_hopper_update *out)
{
    const struct chain_hop_epoch *epoch = chain_ledger_hop(ledger);
    const struct chain_members *members = chain_ledger_members(ledger);
    uint32_t seat = chain_members_seat(members, h->cfg.self), next = epoch ? epoch->epoch + 1 : 1;
    out->submit = false;
    if (epoch && epoch->epoch != h->latest.epoch.epoch)
        take_epoch(h, ledger, epoch, now_ns);
    if (now_ns <= 0 || seat == CHAIN_MAX_MEMBERS || !wants_to_bring(h, ledger, now_ns)) {
        h->brings = false;
        return;
    }
    if (!h->brings || h->for_epoch != next) {
        h->brings = true;
        h->for_epoch = next;
        h->attempts = 0;
        h->next_ns = now_ns + turn_ns(h, members, seat);
    }
    if (now_ns < h->next_ns || !make_op(h, ledger, now_ns, &out->op))
        return;
    out->submit = true;
    h->n_brought++;
    h->attempts++;
    h->next_ns = now_ns + (int64_t)(members->n + h->attempts) * h->cfg.turn_ns;
}
