#include "chain/holder.h"

#include <errno.h>
#include <string.h>

int chain_holder_init(struct chain_holder *h, const struct chain_holder_config *cfg)
{
    if (!cfg->genesis || cfg->self >= cfg->genesis->members.n_keys || cfg->retry_ns <= 0 || cfg->want_from_ns < 0 ||
        cfg->want_from_ns > cfg->want_until_ns)
        return -EINVAL;
    if (cfg->n_peers > sizeof cfg->peers / sizeof *cfg->peers || cfg->n_wanted > CHAIN_MAX_CHANNELS)
        return -EINVAL;
    for (uint32_t i = 0; i < cfg->n_peers; i++)
        if (cfg->peers[i] == cfg->self || cfg->peers[i] >= cfg->genesis->members.n_keys)
            return -EINVAL;
    for (uint32_t i = 0; i < cfg->n_wanted; i++)
        if (cfg->wanted[i] >= cfg->genesis->n_channels || chain_genesis_shares(cfg->genesis, cfg->wanted[i]))
            return -EINVAL;
    memset(h, 0, sizeof *h);
    h->cfg = *cfg;
    h->state = CHAIN_HOLDER_IDLE;
    h->next_ns = h->deadline_ns = cfg->want_from_ns;
    return 0;
}

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool is_wanted(const struct chain_holder *h, int64_t now_ns)
{
    return now_ns >= h->cfg.want_from_ns && now_ns < h->cfg.want_until_ns;
}

static const struct chain_grant *find_grant(const struct chain_ledger *l, uint64_t id)
{
    for (size_t i = 0; i < chain_ledger_n_grants(l); i++)
        if (chain_ledger_grant(l, i)->id == id)
            return chain_ledger_grant(l, i);
    return NULL;
}

static void drop_grant(struct chain_holder *h, enum chain_holder_state state)
{
    h->state = state;
    h->grant_id = 0;
    h->n_open = 0;
    h->heartbeat_open = false;
}

/* The open heartbeat that a confirmation is for: that with its nonce, else the oldest whose nonce is unknown. */
static uint32_t match_heartbeat(const struct chain_holder *h, uint64_t nonce)
{
    uint32_t oldest = h->n_open;
    for (uint32_t i = h->n_open; i-- > 0;) {
        if (h->open[i].has_nonce && h->open[i].nonce == nonce)
            return i;
        if (!h->open[i].has_nonce)
            oldest = i;
    }
    return oldest;
}

static void close_heartbeat(struct chain_holder *h, uint32_t at)
{
    h->n_open--;
    memmove(&h->open[at], &h->open[at + 1], (h->n_open - at) * sizeof h->open[0]);
}

static void confirm_heartbeat(struct chain_holder *h, const struct chain_ledger *l, const struct chain_ledger_event *event)
{
    const struct chain_grant *g = find_grant(l, h->grant_id);
    uint32_t at = match_heartbeat(h, event->nonce);
    if (!g || at == h->n_open) /* after a restart, one of the life before may still commit */
        return;
    int64_t sent_ns = h->open[at].sent_ns;
    if (sent_ns == h->last_heartbeat_sent_ns || !h->open[at].has_nonce)
        h->heartbeat_open = false;
    close_heartbeat(h, at);
    if (h->state != CHAIN_HOLDER_AUTHORIZED || sent_ns > h->confirmed_heartbeat_ns)
        h->confirmed_heartbeat_ns = sent_ns;
    h->ledger_expire_ns = g->transmit_expire_ns;
    h->state = CHAIN_HOLDER_AUTHORIZED;
}

/* The answers to own operations; anything else follows from the ledger itself. */
static void take_answer(struct chain_holder *h, const struct chain_ledger *l, const struct chain_ledger_event *event)
{
    if (event->kind != CHAIN_LE_TX || event->station != h->cfg.self)
        return;
    if (event->op == CHAIN_OP_HEARTBEAT && h->grant_id != 0 && event->id == h->grant_id && event->code == CHAIN_SUCCESS)
        confirm_heartbeat(h, l, event);
    if (event->op != CHAIN_OP_GRANT || event->code == CHAIN_SUCCESS || h->state != CHAIN_HOLDER_REQUESTED)
        return;
    h->state = CHAIN_HOLDER_IDLE;
    for (uint32_t i = 0; i < h->cfg.n_wanted; i++)
        if (h->cfg.wanted[i] == h->channel)
            h->start_at = i + 1;
}

static bool wants_channel(const struct chain_holder *h, uint32_t channel)
{
    for (uint32_t i = 0; i < h->cfg.n_wanted; i++)
        if (h->cfg.wanted[i] == channel)
            return (h->avoid >> channel & 1) == 0;
    return false;
}

static void make_request(const struct chain_holder *h, uint32_t channel, struct chain_op *op)
{
    const struct chain_genesis *g = h->cfg.genesis;
    memset(op, 0, sizeof *op);
    op->kind = CHAIN_OP_GRANT;
    op->grant.low_hz = g->channels[channel].low_hz;
    op->grant.high_hz = g->channels[channel].high_hz;
    op->grant.max_eirp_cdbm_mhz = g->max_eirp_cdbm_mhz;
    op->grant.n_peers = h->cfg.n_peers;
    memcpy(op->grant.peers, h->cfg.peers, sizeof op->grant.peers);
}

/* Nothing is avoided where there is nothing better: a bad channel is more than none. Better is what is held already, or would be granted. */
static void choose_avoided(struct chain_holder *h, const struct chain_ledger *l, uint32_t avoid, int64_t now_ns)
{
    h->avoid = 0;
    for (uint32_t i = 0; avoid != 0 && i < h->cfg.n_wanted; i++) {
        struct chain_op op;
        uint32_t channel = h->cfg.wanted[i];
        if ((avoid >> channel & 1) != 0)
            continue;
        make_request(h, channel, &op);
        if ((h->grant_id != 0 && h->channel == channel) || chain_ledger_judge_grant(l, h->cfg.self, &op, now_ns) == CHAIN_SUCCESS)
            h->avoid = avoid;
    }
}

/* Follows the ledger: what was lost is dropped, what is there and wanted is taken up. */
static void follow_ledger(struct chain_holder *h, const struct chain_ledger *l, int64_t now_ns)
{
    const struct chain_grant *g = h->grant_id ? find_grant(l, h->grant_id) : NULL;
    if (h->grant_id && (!g || g->state == CHAIN_GRANT_IDLE))
        drop_grant(h, CHAIN_HOLDER_IDLE);
    else if (g && g->suspended)
        drop_grant(h, CHAIN_HOLDER_SUSPENDED);
    else if (g && !wants_channel(h, g->channel))
        drop_grant(h, CHAIN_HOLDER_IDLE);
    else if (g && g->state == CHAIN_GRANT_GRANTED)
        h->state = CHAIN_HOLDER_GRANTED;
    for (size_t i = 0; i < chain_ledger_n_grants(l) && h->grant_id == 0 && is_wanted(h, now_ns); i++) {
        g = chain_ledger_grant(l, i);
        if (g->holder != h->cfg.self || g->state == CHAIN_GRANT_IDLE || g->suspended || !wants_channel(h, g->channel))
            continue;
        drop_grant(h, CHAIN_HOLDER_GRANTED);
        h->grant_id = g->id;
        h->channel = g->channel;
        h->start_at = 0;
        h->next_ns = now_ns; /* answered: if it is lost, the next request need not wait */
        h->last_heartbeat_sent_ns = now_ns - h->cfg.genesis->heartbeat_ns; /* the first one is due at once */
    }
}

static int64_t heartbeat_due_ns(const struct chain_holder *h)
{
    int64_t interval_ns = h->cfg.genesis->heartbeat_ns;
    if (h->heartbeat_open && h->cfg.retry_ns < interval_ns)
        interval_ns = h->cfg.retry_ns;
    return h->last_heartbeat_sent_ns + interval_ns;
}

static bool send_heartbeat(struct chain_holder *h, int64_t now_ns, struct chain_op *op)
{
    if (h->grant_id == 0 || now_ns < heartbeat_due_ns(h))
        return false;
    /* what could not open the gate any more, or does not fit */
    while (h->n_open > 0 && (h->n_open == CHAIN_HOLDER_MAX_OPEN || now_ns >= h->open[0].sent_ns + h->cfg.genesis->transmit_expire_ns))
        close_heartbeat(h, 0);
    h->open[h->n_open].sent_ns = now_ns;
    h->open[h->n_open].has_nonce = false;
    h->n_open++;
    h->last_heartbeat_sent_ns = now_ns;
    h->heartbeat_open = true;
    *op = (struct chain_op){.kind = CHAIN_OP_HEARTBEAT, .lease = {.grant_id = h->grant_id}};
    return true;
}

/* An own live grant that is not the one in use. */
static uint64_t find_unwanted(const struct chain_holder *h, const struct chain_ledger *l)
{
    for (size_t i = 0; i < chain_ledger_n_grants(l); i++) {
        const struct chain_grant *g = chain_ledger_grant(l, i);
        if (g->holder == h->cfg.self && g->state != CHAIN_GRANT_IDLE && g->id != h->grant_id)
            return g->id;
    }
    return 0;
}

static bool send_relinquish(struct chain_holder *h, const struct chain_ledger *l, int64_t now_ns, struct chain_op *op)
{
    uint64_t id = find_unwanted(h, l);
    if (id == 0)
        h->leaving_id = 0;
    if (id == 0 || (id == h->leaving_id && now_ns < h->leaving_next_ns))
        return false;
    h->leaving_id = id;
    h->leaving_next_ns = now_ns + h->cfg.retry_ns;
    *op = (struct chain_op){.kind = CHAIN_OP_RELINQUISH, .lease = {.grant_id = id}};
    return true;
}

static bool everybody_registered(const struct chain_holder *h, const struct chain_ledger *l)
{
    bool all = chain_ledger_registered(l, h->cfg.self);
    for (uint32_t i = 0; i < h->cfg.n_peers; i++)
        all = all && chain_ledger_registered(l, h->cfg.peers[i]);
    return all;
}

static bool send_request(struct chain_holder *h, const struct chain_ledger *l, int64_t now_ns, struct chain_op *op)
{
    if (h->grant_id != 0 || !is_wanted(h, now_ns) || now_ns < h->next_ns || !everybody_registered(h, l))
        return false;
    for (uint32_t i = 0; i < h->cfg.n_wanted; i++) {
        uint32_t channel = h->cfg.wanted[(h->start_at + i) % h->cfg.n_wanted];
        make_request(h, channel, op);
        if (!wants_channel(h, channel) || chain_ledger_judge_grant(l, h->cfg.self, op, now_ns) != CHAIN_SUCCESS)
            continue;
        h->channel = channel;
        h->state = CHAIN_HOLDER_REQUESTED;
        h->last_request_ns = now_ns;
        h->next_ns = now_ns + h->cfg.retry_ns;
        h->start_at = 0;
        return true;
    }
    h->state = CHAIN_HOLDER_IDLE;
    h->start_at = 0;
    return false;
}

/* When something is due of which no ledger event tells. */
static int64_t find_deadline(const struct chain_holder *h, int64_t now_ns)
{
    int64_t at_ns = INT64_MAX;
    if (h->grant_id != 0)
        at_ns = min_ns(heartbeat_due_ns(h), h->cfg.want_until_ns);
    else if (now_ns < h->cfg.want_from_ns)
        at_ns = h->cfg.want_from_ns;
    else if (now_ns < h->cfg.want_until_ns)
        at_ns = h->next_ns > now_ns ? h->next_ns : now_ns + h->cfg.retry_ns; /* nothing was free: look again */
    return h->leaving_id ? min_ns(at_ns, h->leaving_next_ns) : at_ns;
}

static void record_nonce(struct chain_holder *h, uint64_t nonce)
{
    for (uint32_t i = 0; i < h->n_open; i++) {
        if (h->open[i].has_nonce)
            continue;
        h->open[i].nonce = nonce;
        h->open[i].has_nonce = true;
        return;
    }
}

int chain_holder_step(struct chain_holder *h, const struct chain_holder_event *in, struct chain_holder_update *out)
{
    memset(out, 0, sizeof *out);
    if (in->kind == CHAIN_HOLDER_SUBMITTED) {
        if (in->op == CHAIN_OP_HEARTBEAT)
            record_nonce(h, in->nonce);
        return 0;
    }
    if (in->kind == CHAIN_HOLDER_LEDGER && (!in->ledger || !in->event))
        return -EINVAL;
    if (in->kind == CHAIN_HOLDER_LEDGER)
        take_answer(h, in->ledger, in->event);
    if (in->ledger)
        choose_avoided(h, in->ledger, in->avoid, in->now_ns);
    if (in->ledger)
        follow_ledger(h, in->ledger, in->now_ns);
    if (h->grant_id != 0 && !is_wanted(h, in->now_ns))
        drop_grant(h, CHAIN_HOLDER_IDLE);
    out->submit = send_heartbeat(h, in->now_ns, &out->op);
    if (!out->submit && in->ledger)
        out->submit = send_relinquish(h, in->ledger, in->now_ns, &out->op) || send_request(h, in->ledger, in->now_ns, &out->op);
    h->deadline_ns = out->submit ? in->now_ns : find_deadline(h, in->now_ns);
    return 0;
}

int64_t chain_holder_deadline(const struct chain_holder *h)
{
    return h->deadline_ns;
}

bool chain_holder_may_transmit(const struct chain_holder *h, int64_t now_ns, uint32_t *channel_out, int64_t *until_ns_out)
{
    const struct chain_genesis *g = h->cfg.genesis;
    if (h->state != CHAIN_HOLDER_AUTHORIZED || !is_wanted(h, now_ns))
        return false;
    int64_t by_ledger_ns = h->ledger_expire_ns - g->max_skew_ns;
    int64_t by_own_ns = h->confirmed_heartbeat_ns + g->transmit_expire_ns;
    int64_t until_ns = min_ns(min_ns(by_ledger_ns, by_own_ns) - g->drift_guard_ns, h->cfg.want_until_ns);
    if (now_ns >= until_ns)
        return false;
    *channel_out = h->channel;
    *until_ns_out = until_ns;
    return true;
}
