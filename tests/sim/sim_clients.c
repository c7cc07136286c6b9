/* Who asks for something: members through their own nodes, and clients that sign by themselves, hand the same transaction to one node
 * after the other and insist until it is executed. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { AGAIN_MS = 400 };

void sim_clients_init(struct sim_world *w)
{
    for (uint32_t i = 0; i < SIM_MAX_CLIENTS; i++) {
        w->clients[i].key = w->cfg.n + w->cfg.n_spare + i;
        w->clients[i].nonce = 1;
    }
    w->next_op_ns = w->cfg.ops_per_s > 0 ? w->now_ns + 6 * w->cfg.heartbeat_ns : INT64_MAX;
}

static uint64_t tx_name(uint32_t author, uint64_t nonce)
{
    return sim_mix(nonce ^ sim_mix(author + 1)) | 1;
}

/* ---- what is asked for */

/* Two sites, about 70 km from each other; members of one are within a few hundred metres. */
static int32_t lat_of(uint32_t key)
{
    return (sim_site(key) == 0 ? 485000000 : 491000000) + (int32_t)(1000 * key);
}

static struct chain_op make_register(uint32_t key)
{
    struct chain_op op = {.kind = CHAIN_OP_REGISTER, .reg = {.lat_e7 = lat_of(key), .lon_e7 = 90000000, .height_cm = 300}};
    snprintf(op.reg.call_sign, sizeof op.reg.call_sign, "station-%u", key);
    return op;
}

static struct chain_op make_evidence(struct sim_world *w)
{
    return (struct chain_op){.kind = CHAIN_OP_EVIDENCE,
                             .evidence = {.channel = (uint32_t)sim_draw(w, 4), .kind = (uint8_t)sim_draw(w, 5),
                                          .from_ns = w->now_ns - SIM_MS(5), .at_ns = w->now_ns, .confidence_permille = 900, .n_frames = 40,
                                          .n_good = (uint32_t)sim_draw(w, 40)}};
}

/* An own live grant of the author's, as its node sees the ledger. */
static const struct chain_grant *find_grant(const struct chain_ledger *l, uint32_t author)
{
    for (size_t i = chain_ledger_n_grants(l); i-- > 0;) {
        const struct chain_grant *g = chain_ledger_grant(l, i);
        if (g->holder == author && g->state != CHAIN_GRANT_IDLE)
            return g;
    }
    return NULL;
}

static struct chain_op make_lease(struct sim_world *w, const struct chain_ledger *l, uint32_t author)
{
    const struct chain_grant *g = find_grant(l, author);
    if (!g || sim_draw(w, 10) == 0) {
        uint32_t channel = 1 + (uint32_t)sim_draw(w, 3);
        return (struct chain_op){.kind = CHAIN_OP_GRANT,
                                 .grant = {.low_hz = w->genesis.channels[channel].low_hz, .high_hz = w->genesis.channels[channel].high_hz,
                                           .max_eirp_cdbm_mhz = 2000}};
    }
    return (struct chain_op){.kind = sim_draw(w, 6) == 0 ? CHAIN_OP_RELINQUISH : CHAIN_OP_HEARTBEAT, .lease = {.grant_id = g->id}};
}

/* A report follows from author and window, so that what was committed can be revealed after any crash. */
static struct chain_sense_report make_report(const struct sim_world *w, uint32_t author, uint64_t window)
{
    struct chain_sense_report r = {.window = window, .n_channels = w->genesis.n_channels};
    uint64_t seen = sim_mix(w->cfg.seed ^ window / 4);
    for (uint32_t c = 0; c < r.n_channels; c++) {
        r.occupied[c] = seen >> (4 * c) % 5 == 0;
        r.power_cdb[c] = r.occupied[c] ? -4200 : -9000;
    }
    r.salt[0] = (uint8_t)(author + 1);
    return r;
}

static struct chain_op make_sensing(struct sim_world *w, const struct chain_ledger *l, uint32_t author)
{
    uint64_t window = (uint64_t)(w->now_ns / w->genesis.quiet_period_ns) - sim_draw(w, 2);
    struct chain_sense_report report = make_report(w, author, window);
    struct chain_op op = {.kind = CHAIN_OP_SENSE_COMMIT, .commit = {.window = window}};
    if (chain_ledger_committed(l, author, window))
        return (struct chain_op){.kind = CHAIN_OP_SENSE_REVEAL, .reveal = report};
    if (chain_sense_commitment(author, &report, &op.commit.commitment) != 0)
        sim_fail(w, "a report has no commitment");
    return op;
}

/* What is asked for seldom: money, places, records, keys. */
static struct chain_op make_rare(struct sim_world *w, const struct chain_ledger *l, uint32_t author)
{
    static const uint8_t value[] = "what an application keeps";
    const struct chain_members *members = chain_ledger_members(l);
    struct chain_op op = {.kind = CHAIN_OP_PAY, .pay = {.to = (uint32_t)sim_draw(w, members->n_keys), .amount = sim_draw(w, 400)}};
    switch (sim_draw(w, 8)) {
    case 0:
        op = (struct chain_op){.kind = CHAIN_OP_MOVE, .move = {.lat_e7 = lat_of(author) + 10, .lon_e7 = 90000010, .height_cm = 200}};
        break;
    case 1:
        op = (struct chain_op){.kind = CHAIN_OP_PUT, .put = {.key = (uint32_t)sim_draw(w, 5), .value = value, .value_len = 1 + sim_draw(w, 20)}};
        break;
    case 2:
        op = (struct chain_op){.kind = CHAIN_OP_UNAUTHORISED,
                               .unauthorised = {.channel = (uint32_t)sim_draw(w, 4), .suspect = (uint32_t)sim_draw(w, members->n_keys),
                                                .from_ns = w->now_ns - SIM_MS(20), .at_ns = w->now_ns, .level_cdb = -6000}};
        break;
    case 3:
        if (members->n_keys < CHAIN_MAX_KEYS && sim_draw(w, 2) == 0) {
            op = (struct chain_op){.kind = CHAIN_OP_ADMIT};
            memcpy(op.admit.key, w->keys[members->n_keys].public, CHAIN_KEY_BYTES);
        } else {
            op = (struct chain_op){.kind = CHAIN_OP_DEREGISTER};
        }
        break;
    default:
        break;
    }
    return op;
}

/* All members ask for the same change of members for a while: a machine without a seat gets one, or one that has one loses it. */
static void draw_plan(struct sim_world *w, const struct chain_members *members)
{
    uint32_t key = (uint32_t)sim_draw(w, w->cfg.n + w->cfg.n_spare), least = 3 * w->cfg.n_liars + 1;
    bool has_seat = chain_members_seat(members, key) < CHAIN_MAX_MEMBERS;
    if (has_seat && members->n <= (least > 3 ? least : 3))
        return;
    w->plan.add = !has_seat;
    w->plan.key = key;
    w->plan.until_ns = w->now_ns + SIM_MS(3000);
}

static bool make_change(struct sim_world *w, const struct chain_ledger *l, uint32_t author, struct chain_op *op)
{
    const struct chain_members *members = chain_ledger_members(l);
    if (w->cfg.n_spare == 0 || chain_members_seat(members, author) == CHAIN_MAX_MEMBERS || members->epoch + 1 != w->n_epochs ||
        w->n_epochs + 1 >= SIM_MAX_EPOCHS || sim_draw(w, 5) != 0)
        return false;
    if (w->plan.until_ns <= w->now_ns)
        draw_plan(w, members);
    *op = (struct chain_op){.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = w->plan.add, .key_id = w->plan.key}};
    return w->plan.until_ns > w->now_ns;
}

static struct chain_op make_op(struct sim_world *w, const struct chain_ledger *l, uint32_t author)
{
    if (!chain_ledger_registered(l, author))
        return make_register(author);
    struct chain_op op;
    if (make_change(w, l, author, &op))
        return op;
    uint64_t draw = sim_draw(w, 100);
    if (draw < 25)
        return make_evidence(w);
    if (draw < 35)
        return make_rare(w, l, author);
    return draw < 70 ? make_lease(w, l, author) : make_sensing(w, l, author);
}

/* ---- asking */

static void note_asked(struct sim_world *w, uint32_t author, uint64_t nonce, const struct chain_op *op)
{
    uint8_t octets[CHAIN_MAX_OP_BYTES];
    long len = chain_op_encode(op, octets, sizeof octets);
    assert(len > 0);
    sim_set_put(w->submitted, tx_name(author, nonce), sim_sum(1, octets, (size_t)len) | 1);
    w->n_submitted++;
}

static struct sim_node *draw_node(struct sim_world *w)
{
    struct sim_node *node = &w->nodes[sim_draw(w, w->n_nodes)];
    return node->state == SIM_UP && w->now_ns >= node->busy_ns ? node : NULL;
}

static void ask_node(struct sim_world *w, struct sim_node *node)
{
    struct chain_op op = make_op(w, chain_node_ledger(node->node), node->key);
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT, .op = &op};
    sim_node_step(w, node, &event);
    /* the transaction left with this step's sends, if at all */
    if (w->update->submit_result == CHAIN_SUCCESS && w->update->submitted_nonce > 0)
        note_asked(w, node->key, w->update->submitted_nonce, &op);
}

/* Executed, and on this node's disk: whoever was to tell the client of it had crashed before. The program looks the code up. */
static bool is_done(const struct sim_node *node, const struct sim_client *client, uint64_t nonce)
{
    return !node->liar && node->state == SIM_UP && node->n_pending == 0 &&
           chain_ledger_nonce_used(chain_node_ledger(node->node), client->key, nonce, 1);
}

static void hand_over(struct sim_world *w, struct sim_client *client, size_t i)
{
    struct sim_node *node = draw_node(w);
    client->open[i].again_ns = w->now_ns + SIM_MS(AGAIN_MS);
    if (!node)
        return;
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT_TX};
    event.bytes.data = client->open[i].octets;
    event.bytes.len = client->open[i].len;
    sim_node_step(w, node, &event);
    if (i == client->n_open)
        return;
    int result = w->update->submit_result; /* a code: it was refused for what it is */
    if (result > 0 || (result == -EALREADY && is_done(node, client, client->open[i].nonce)))
        client->open[i] = client->open[--client->n_open];
}

/* The next envelope of a client that is not waiting for too many: mostly one operation, sometimes several. */
static void ask_client(struct sim_world *w, struct sim_client *client, const struct chain_ledger *l)
{
    enum { MOST_OPS = 6 };
    uint8_t body[SIM_MAX_TX_BYTES];
    struct chain_op ops[MOST_OPS];
    size_t i = client->n_open, n_ops = sim_draw(w, 4) == 0 ? 1 + (size_t)sim_draw(w, MOST_OPS) : 1;
    if (i == SIM_MAX_OPEN)
        return;
    ops[0] = make_op(w, l, client->key);
    for (size_t k = 1; k < n_ops; k++)
        ops[k] = make_evidence(w);
    long len = chain_tx_encode(ops, n_ops, body, sizeof body);
    assert(len > 0);
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = client->key, .seq = client->nonce, .body = body, .body_len = (size_t)len};
    struct chain_signer signer = sim_signer(&w->keys[client->key]);
    if (chain_msg_digest(&w->genesis.members, msg.kind, body, msg.body_len, &msg.digest) != 0 ||
        signer.sign(signer.ctx, &w->genesis.members, &msg) != 0)
        return;
    long octets = chain_msg_encode(&w->genesis.members, &msg, client->open[i].octets, sizeof client->open[i].octets);
    assert(octets > 0);
    client->open[i].nonce = client->nonce;
    client->open[i].len = (size_t)octets;
    client->n_open++;
    for (size_t k = 0; k < n_ops; k++)
        note_asked(w, client->key, client->nonce++, &ops[k]);
    hand_over(w, client, i);
}

/* Again what has no answer yet. False if nothing is due. */
static bool insist(struct sim_world *w, struct sim_client *client)
{
    for (size_t i = 0; i < client->n_open; i++) {
        if (client->open[i].again_ns > w->now_ns)
            continue;
        hand_over(w, client, i);
        return true;
    }
    return false;
}

void sim_client_now(struct sim_world *w)
{
    int64_t mean_ns = SIM_MS(1000) / w->cfg.ops_per_s;
    struct sim_client *client = &w->clients[sim_draw(w, SIM_MAX_CLIENTS)];
    struct sim_node *node = draw_node(w);
    bool by_client = w->closing || sim_draw(w, 4) == 0;
    w->next_op_ns = w->now_ns + sim_draw_ns(w, mean_ns / 2, mean_ns + mean_ns / 2);
    if ((by_client && insist(w, client)) || w->closing || !node)
        return;
    if (by_client)
        ask_client(w, client, chain_node_ledger(node->node));
    else
        ask_node(w, node);
}

void sim_client_told(struct sim_world *w, const struct sim_told *told)
{
    w->n_told++;
    for (uint32_t c = 0; c < SIM_MAX_CLIENTS; c++) {
        struct sim_client *client = &w->clients[c];
        for (size_t i = 0; client->key == told->station && i < client->n_open; i++)
            if (client->open[i].nonce == told->nonce)
                client->open[i] = client->open[--client->n_open];
    }
    if (told->height > w->top)
        sim_fail(w, "a client is told of block %llu, which nobody has executed", (unsigned long long)told->height);
}

/* Once all is calm each client asks for one thing more, and for what is open. */
void sim_clients_finish(struct sim_world *w)
{
    for (uint32_t c = 0; c < SIM_MAX_CLIENTS && w->cfg.ops_per_s > 0; c++) {
        for (size_t i = 0; i < w->clients[c].n_open; i++)
            w->clients[c].open[i].again_ns = w->now_ns;
        const struct sim_node *node = &w->nodes[w->n_nodes - 1];
        if (node->state == SIM_UP)
            ask_client(w, &w->clients[c], chain_node_ledger(node->node));
    }
}

bool sim_clients_done(const struct sim_world *w)
{
    for (uint32_t c = 0; c < SIM_MAX_CLIENTS; c++)
        if (w->clients[c].n_open > 0)
            return false;
    return true;
}
