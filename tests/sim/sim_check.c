/* Invariants, each checked for what one event changed: agreement and validity, headers, certificates, one word of an honest member,
 * one leader a term. sim_raft.c holds those of Raft's log, sim_ledger.c those of the ledger's rules. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/cbor.h"
#include "chain/ledger_entries.h"
#include "chain/node_internal.h"
#include "chain/raft.h"
#include "tests/sim/sim.h"

void sim_check_init(struct sim_world *w)
{
    w->epochs[w->n_epochs++] = w->genesis.members;
    w->submitted = sim_set_new();
    w->executed = sim_set_new();
    w->said = sim_set_new();
    sim_ledger_init(w);
    w->snapshots = w->cfg.prunes ? sim_snapshots_new() : NULL;
}

void sim_check_close(struct sim_world *w)
{
    sim_set_free(w->submitted);
    sim_set_free(w->executed);
    sim_set_free(w->said);
    free(w->leases);
    sim_snapshots_free(w->snapshots);
    free(w->blocks);
}

struct sim_block *sim_block(struct sim_world *w, uint64_t height)
{
    if (height >= w->cap_blocks) {
        size_t cap = w->cap_blocks ? w->cap_blocks : 32;
        while (cap <= height)
            cap *= 2;
        w->blocks = realloc(w->blocks, cap * sizeof w->blocks[0]);
        assert(w->blocks);
        memset(w->blocks + w->cap_blocks, 0, (cap - w->cap_blocks) * sizeof w->blocks[0]);
        w->cap_blocks = cap;
    }
    return &w->blocks[height];
}

/* ---- members */

uint32_t sim_quorum(const struct sim_world *w, uint32_t n)
{
    return (n + (w->cfg.ops->byzantine ? (n - 1) / 3 : 0)) / 2 + 1;
}

uint32_t sim_author(const struct sim_world *w, uint8_t kind, uint32_t epoch, uint32_t author)
{
    if (!chain_msg_by_seat(kind))
        return author;
    return epoch < w->n_epochs && author < w->epochs[epoch].n ? w->epochs[epoch].seats[author] : CHAIN_MAX_KEYS;
}

/* What an executed block made of the members is the same wherever it is executed. */
static void take_members(struct sim_world *w, struct sim_node *node, const struct chain_members *members)
{
    node->epoch = members->epoch;
    if (members->epoch < w->n_epochs) {
        const struct chain_members *known = &w->epochs[members->epoch];
        if (known->n != members->n || memcmp(known->seats, members->seats, members->n) != 0)
            sim_fail(w, "node %u knows other members of epoch %u", node->index, members->epoch);
        return;
    }
    if (members->epoch != w->n_epochs || w->n_epochs == SIM_MAX_EPOCHS) {
        sim_fail(w, "node %u comes to epoch %u after %u", node->index, members->epoch, w->n_epochs - 1);
        return;
    }
    w->epochs[w->n_epochs++] = *members;
    w->faults[SIM_MEMBERS]++;
    w->plan.until_ns = 0;
    sim_log(w, "epoch %u begins with %u members", members->epoch, members->n);
}

/* ---- blocks */

static bool is_liars(const struct sim_world *w, uint32_t key)
{
    return key < w->cfg.n + w->cfg.n_spare && w->nodes[key].liar;
}

static bool has_forgotten(const struct sim_world *w, uint32_t key)
{
    return key < SIM_MAX_NODES && w->nodes[key].forgot;
}

static bool has_twin(const struct sim_world *w, uint32_t key)
{
    uint32_t n = 0;
    for (size_t i = 0; i < w->n_nodes; i++)
        n += w->nodes[i].key == key;
    return n > 1;
}

/* What a node asks for of its own accord: that somebody be convicted. Only liars and twins contradict themselves. */
static bool is_accusation(struct sim_world *w, const struct chain_op *op)
{
    if (op->kind != CHAIN_OP_EQUIVOCATION)
        return false;
    uint32_t seat = op->equivocation.author; /* of the genesis epoch: its key */
    if (op->equivocation.epoch == w->genesis.members.epoch && !is_liars(w, seat) && !has_twin(w, seat) &&
        !has_forgotten(w, seat))
        sim_fail(w, "%u is accused, which is honest: kind %u view %llu seq %llu", seat, op->equivocation.kind,
                 (unsigned long long)op->equivocation.view, (unsigned long long)op->equivocation.seq);
    return true;
}

static uint64_t tx_name(uint32_t author, uint64_t nonce)
{
    return sim_mix(nonce ^ sim_mix(author + 1)) | 1;
}

/* Whatever is executed was asked for by whom it names, in these words. */
static void check_asked(struct sim_world *w, uint64_t height, const struct chain_batch_view *view, const struct chain_members *members)
{
    uint8_t octets[CHAIN_MAX_OP_BYTES];
    for (size_t i = 0; i < view->n_txs; i++) {
        struct chain_msg tx;
        struct chain_tx_reader ops;
        struct chain_op op;
        if (chain_msg_decode(members, view->txs[i].data, view->txs[i].len, &tx, NULL) != 0 ||
            chain_tx_begin(&ops, tx.body, tx.body_len) <= 0) {
            sim_fail(w, "block %llu holds what is no transaction", (unsigned long long)height);
            return;
        }
        for (uint64_t nonce = tx.seq; chain_tx_next(&ops, &op) == 0; nonce++) {
            long len = chain_op_encode(&op, octets, sizeof octets);
            uint64_t asked = sim_set_get(w->submitted, tx_name(tx.author, nonce));
            bool said = len > 0 && asked == (sim_sum(1, octets, (size_t)len) | 1);
            if (!said && !is_liars(w, tx.author) && !is_accusation(w, &op))
                sim_fail(w, "block %llu holds an operation %u/%llu that nobody asked for", (unsigned long long)height, tx.author,
                         (unsigned long long)nonce);
        }
    }
}

static void check_once(struct sim_world *w, const struct sim_pending *p)
{
    for (size_t i = 0; i < p->n_events; i++) {
        const struct chain_ledger_event *e = &p->events[i];
        if (e->kind == CHAIN_LE_CONVICTED && !is_liars(w, e->station) && !has_forgotten(w, e->station))
            sim_fail(w, "the honest member %u is convicted", e->station);
        w->faults[SIM_CONVICTED] += e->kind == CHAIN_LE_CONVICTED;
        bool took_nonce = e->kind == CHAIN_LE_TX && e->code != CHAIN_UNSYNC_OP_PARAM && e->code != CHAIN_CERT_ERROR && e->op != 0;
        if (took_nonce && sim_set_put(w->executed, tx_name(e->station, e->nonce), e->height) != 0)
            sim_fail(w, "transaction %u/%llu is executed twice", e->station, (unsigned long long)e->nonce);
    }
}

/* The first block of a height that reaches a disk is the block of that height. */
static void define_block(struct sim_world *w, const struct sim_pending *p)
{
    struct sim_block *block = sim_block(w, p->height);
    const struct sim_block *parent = sim_block(w, p->height - 1);
    const struct chain_header *h = &p->header;
    if (p->height > 1 && (!parent->known || memcmp(h->parent.octets, parent->hash.octets, CHAIN_HASH_BYTES) != 0 ||
                          h->time_ns <= parent->header.time_ns))
        sim_fail(w, "block %llu does not follow its parent", (unsigned long long)p->height);
    block->known = true;
    block->hash = p->hash;
    block->header = p->header;
    block->epoch = p->epoch;
    block->batch_sum = p->batch_sum;
    w->top = p->height;
    check_once(w, p);
    sim_ledger_block(w, p);
}

static void check_same(struct sim_world *w, const struct sim_node *node, const struct sim_pending *p)
{
    if (memcmp(p->hash.octets, sim_block(w, p->height)->hash.octets, CHAIN_HASH_BYTES) != 0)
        sim_fail(w, "node %u executes another block %llu than others did", node->index, (unsigned long long)p->height);
}

/* What a block says of itself. */
static void check_form(struct sim_world *w, const struct chain_node_block *row, struct sim_pending *p, const struct chain_members *members)
{
    struct chain_batch_view view; /* 8 kB: not cleared for nothing */
    struct chain_hash digest;
    if (chain_header_decode(&p->header, row->header, row->header_len) != 0 || chain_batch_decode(&view, row->batch, row->batch_len) != 0 ||
        chain_batch_digest(&w->epochs[p->epoch], row->batch, row->batch_len, &digest) != 0) {
        sim_fail(w, "block %llu does not decode", (unsigned long long)row->height);
        return;
    }
    if (p->header.height != row->height || memcmp(p->header.batch_digest.octets, digest.octets, CHAIN_HASH_BYTES) != 0)
        sim_fail(w, "header %llu is not its batch's", (unsigned long long)row->height);
    check_asked(w, row->height, &view, members);
}

/* An executed block counts once it is on a disk: before that nobody was told, and a crash undoes it. */
static void take_block(struct sim_world *w, struct sim_node *node, const struct chain_node_block *row, const struct chain_node_update *u)
{
    if (row->height != node->height + 1) {
        sim_fail(w, "node %u executes block %llu after %llu", node->index, (unsigned long long)row->height, (unsigned long long)node->height);
        return;
    }
    node->height = row->height;
    sim_log(w, "node %u executes block %llu", node->index, (unsigned long long)row->height);
    if (node->n_pending == SIM_MAX_PENDING) {
        sim_fail(w, "node %u executes more than its disk can follow", node->index);
        return;
    }
    struct sim_pending *p = &node->pending[node->n_pending++];
    *p = (struct sim_pending){.height = row->height, .persist_seq = u->persist_seq, .epoch = node->epoch};
    sim_snapshots_block(w->snapshots, row, node->epoch, u->ledger);
    take_members(w, node, chain_ledger_members(u->ledger));
    chain_hash_of(row->header, row->header_len, &p->hash);
    if (sim_block(w, row->height)->known) {
        check_same(w, node, p);
        return;
    }
    check_form(w, row, p, chain_ledger_members(u->ledger));
    sim_ledger_state(w, u->ledger);
    p->batch_sum = sim_sum(2, row->batch, row->batch_len);
    p->n_events = u->n_events;
    p->events = malloc((u->n_events + 1) * sizeof p->events[0]);
    assert(p->events);
    if (u->n_events > 0)
        memcpy(p->events, u->events, u->n_events * sizeof p->events[0]);
}

/* The first n of what is pending is on the disk. */
static void take_pending(struct sim_world *w, struct sim_node *node, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sim_pending *p = &node->pending[i];
        if (sim_block(w, p->height)->known)
            check_same(w, node, p);
        else
            define_block(w, p);
        free(p->events);
    }
    node->n_pending -= n;
    memmove(node->pending, node->pending + n, node->n_pending * sizeof node->pending[0]);
}

void sim_check_synced(struct sim_world *w, struct sim_node *node, uint64_t seq)
{
    size_t n = 0;
    while (n < node->n_pending && node->pending[n].persist_seq <= seq)
        n++;
    take_pending(w, node, n);
}

/* After a crash: some of what was not synced may have reached the disk all the same. */
void sim_check_crashed(struct sim_world *w, struct sim_node *node)
{
    size_t n = 0;
    while (n < node->n_pending && node->pending[n].height <= node->disk.height)
        n++;
    take_pending(w, node, n);
    sim_check_forget(node);
}

void sim_check_forget(struct sim_node *node)
{
    for (size_t i = 0; i < node->n_pending; i++)
        free(node->pending[i].events);
    node->n_pending = 0;
}

static void check_cert(struct sim_world *w, struct sim_node *node, const struct chain_node_block *row)
{
    struct chain_certificate cert;
    struct chain_signer signer = sim_signer(&w->keys[0]);
    struct chain_hash hash = sim_block(w, row->height)->hash;
    const struct chain_members *members = &w->epochs[sim_block(w, row->height)->epoch];
    uint32_t n = 0;
    bool known = sim_block(w, row->height)->known;
    for (size_t i = 0; i < node->n_pending; i++) {
        if (node->pending[i].height == row->height) {
            hash = node->pending[i].hash;
            members = &w->epochs[node->pending[i].epoch];
            known = true;
        }
    }
    if (!known || chain_certificate_decode(&cert, row->cert, row->cert_len) != 0) {
        sim_fail(w, "node %u certifies block %llu, which nobody has executed", node->index, (unsigned long long)row->height);
        return;
    }
    for (uint32_t i = 0; i < members->n; i++) {
        if (!(cert.signers >> i & 1))
            continue;
        struct chain_msg vote = {.kind = CHAIN_MSG_HEADER_VOTE, .author = i, .seq = row->height, .digest = hash};
        memcpy(vote.sig, cert.sigs[i], CHAIN_SIG_BYTES);
        if (signer.verify(signer.ctx, members, &vote) != 0)
            sim_fail(w, "node %u certifies block %llu with a bad signature of %u", node->index, (unsigned long long)row->height, i);
        n++;
    }
    if (n < sim_quorum(w, members->n) || cert.signers >> members->n != 0)
        sim_fail(w, "node %u certifies block %llu with %u signatures, not %u", node->index, (unsigned long long)row->height, n,
                 sim_quorum(w, members->n));
}

/* A node goes to a state that it did not execute: that of a block which others have on their disks, certified by the members of its time. */
static void take_snapshot(struct sim_world *w, struct sim_node *node, const struct chain_node_install *install)
{
    const struct chain_node_block *row = &install->block;
    struct chain_hash hash;
    chain_hash_of(row->header, row->header_len, &hash);
    if (!sim_block(w, row->height)->known ||
        memcmp(hash.octets, sim_block(w, row->height)->hash.octets, CHAIN_HASH_BYTES) != 0) {
        sim_fail(w, "node %u installs a snapshot %llu that is not of the chain", node->index, (unsigned long long)row->height);
        return;
    }
    check_cert(w, node, row);
    w->faults[SIM_SNAPSHOT]++;
    if (row->height <= node->height)
        return; /* for its certificate */
    const char *fault = chain_ledger_audit(install->ledger);
    struct chain_hash root;
    chain_ledger_rebuild_root((struct chain_ledger *)(uintptr_t)install->ledger, &root);
    if (fault || memcmp(root.octets, sim_block(w, row->height)->header.state_root.octets, CHAIN_HASH_BYTES) != 0)
        sim_fail(w, "node %u installs another state %llu than is certified: %s", node->index, (unsigned long long)row->height, fault ? fault : "root");
    sim_log(w, "node %u goes from block %llu to snapshot %llu", node->index, (unsigned long long)node->height, (unsigned long long)row->height);
    node->height = row->height;
    take_members(w, node, chain_ledger_members(install->ledger));
}

/* ---- what honest members say */

static bool says_once(uint8_t kind)
{
    return kind == CHAIN_MSG_HEADER_VOTE || kind == CHAIN_MSG_PBFT_PRE_PREPARE || kind == CHAIN_MSG_PBFT_PREPARE || kind == CHAIN_MSG_PBFT_COMMIT ||
           kind == CHAIN_MSG_PBFT_VIEW_CHANGE || kind == CHAIN_MSG_PBFT_NEW_VIEW;
}

void sim_check_witnesses(struct sim_world *w, struct sim_node *node)
{
    for (size_t i = 0; i < w->n_nodes; i++) {
        const struct sim_node *other = &w->nodes[i];
        struct sim_witness *witness = &node->witnesses[i];
        *witness = (struct sim_witness){0};
        if (other == node || other->liar || other->state != SIM_UP)
            continue;
        const struct node_heard *heard = &other->node->heard[node->key];
        *witness = (struct sim_witness){.life = other->life, .epoch = heard->epoch, .view = heard->latest[NODE_HEARD_VIEW].view,
                                        .height = heard->latest[NODE_HEARD_HEIGHT].seq};
    }
}

/* What docs/consensus.md, "Starting again", leaves open to a PBFT member whose disk turned back: answers come from memory, so that so many
 * can answer who never heard its word, or have restarted since, that nobody among them tells it; and they tell the highest view and height,
 * which say nothing to a disk that holds a vote as high as these. Nothing else is excused. */
static bool may_contradict(const struct sim_world *w, const struct sim_node *node, const struct chain_msg *msg, uint32_t epoch)
{
    uint32_t n = w->epochs[epoch].n, n_tell = 0, f = chain_pbft_f(n), n_answers = n - sim_quorum(w, n) + (f > 1 ? f : 1);
    if (!w->cfg.ops->byzantine || !node->forgot || msg->kind == CHAIN_MSG_HEADER_VOTE)
        return false;
    for (size_t i = 0; i < w->n_nodes; i++) {
        const struct sim_witness *witness = &node->witnesses[i];
        n_tell += witness->life == w->nodes[i].life && witness->life > 0 && witness->epoch == epoch && witness->view >= msg->view &&
                  witness->height >= msg->seq &&
                  (witness->view > node->node->disk_view || witness->height > node->node->disk_height);
    }
    return n_tell + n_answers < n;
}

/* An honest member never signs and sends two contents for one kind, view and height, in all of its lives. */
static void check_word(struct sim_world *w, struct sim_node *node, const struct chain_msg *msg, uint32_t epoch)
{
    uint64_t whose = (uint64_t)epoch << 32 | (uint64_t)msg->kind << 8 | msg->author;
    uint64_t name = sim_mix(sim_mix(sim_mix(msg->view) ^ msg->seq) ^ whose) | 1;
    uint64_t sum = sim_sum(3, msg->digest.octets, CHAIN_HASH_BYTES) | 1;
    uint64_t before = sim_set_put(w->said, name, sum);
    if (before == 0 || before == sum)
        return;
    node->contradicted = true;
    if (!may_contradict(w, node, msg, epoch))
        sim_fail(w, "node %u says two things: kind %u, view %llu, height %llu", node->index, msg->kind, (unsigned long long)msg->view,
                 (unsigned long long)msg->seq);
}

static void log_msg(const struct sim_world *w, const struct sim_node *node, uint32_t to, const struct chain_msg *msg)
{
    char whom[16] = "all";
    if (to != CHAIN_TO_ALL)
        snprintf(whom, sizeof whom, "%u", to);
    sim_log(w, "node %u to %s: kind %u of %u, view %llu, seq %llu, digest %02x%02x%02x%02x, %zu octets", node->index, whom, msg->kind,
            msg->author, (unsigned long long)msg->view, (unsigned long long)msg->seq, msg->digest.octets[0], msg->digest.octets[1],
            msg->digest.octets[2], msg->digest.octets[3], msg->body_len);
}

/* A vote or pre-vote for a Raft candidate that leaves is on the disk: others' memory may replace that, but must not have to. The transaction that ends an
 * epoch takes its rows away: a restart begins in the next one, where a vote of before binds nobody. */
static void check_raft_vote(struct sim_world *w, const struct sim_node *node, const struct chain_msg *msg, uint32_t epoch)
{
    struct chain_node_stats stats;
    chain_node_stats(node->node, &stats);
    if (epoch < stats.epoch)
        return;
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 3);
    bool pre = chain_cbor_get_bool(&r), granted = chain_cbor_get_bool(&r);
    if (r.bad || !granted)
        return;
    for (size_t i = 0; i < node->disk.n_rows; i++) {
        struct chain_cbor_reader row = {.data = node->disk.rows[i].data, .len = node->disk.rows[i].len};
        if (node->disk.rows[i].key != RAFT_KEY_TERM)
            continue;
        chain_cbor_expect_array(&row, 3);
        uint64_t term = chain_cbor_get_uint(&row);
        bool voted = !chain_cbor_get_null(&row) && (chain_cbor_get_uint(&row), true);
        uint64_t pre_voted = chain_cbor_get_uint(&row);
        if (!row.bad && ((term >= msg->view && (voted || pre)) || (pre && pre_voted >= msg->view)))
            return;
    }
    sim_fail(w, "node %u %svotes in term %llu, which is not on its disk", node->index, pre ? "pre-" : "", (unsigned long long)msg->view);
}

/* The fields of the next message of a bundle, without hashing its body. */
static bool read_msg(struct chain_cbor_reader *r, struct chain_msg *msg, uint32_t *epoch_out)
{
    uint8_t chain_id[8];
    chain_cbor_expect_array(r, 10);
    (void)chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, chain_id, sizeof chain_id);
    *epoch_out = (uint32_t)chain_cbor_get_uint(r);
    msg->author = (uint32_t)chain_cbor_get_uint(r);
    msg->kind = (uint8_t)chain_cbor_get_uint(r);
    msg->view = chain_cbor_get_uint(r);
    msg->seq = chain_cbor_get_uint(r);
    if (!chain_cbor_get_null(r))
        chain_cbor_get_fixed(r, msg->digest.octets, CHAIN_HASH_BYTES);
    msg->body = chain_cbor_get_bytes(r, &msg->body_len);
    chain_cbor_get_fixed(r, msg->sig, CHAIN_SIG_BYTES);
    return !r->bad;
}

void sim_check_send(struct sim_world *w, struct sim_node *node, const struct chain_node_send *send)
{
    struct chain_cbor_reader r = {.data = send->data, .len = send->len};
    size_t n = chain_cbor_get_array(&r, 4096);
    for (size_t i = 0; i < n && !node->liar; i++) {
        struct chain_msg msg = {0};
        uint32_t epoch = 0;
        if (!read_msg(&r, &msg, &epoch)) {
            sim_fail(w, "node %u sends what does not decode", node->index);
            return;
        }
        bool whole = msg.body_len > 0 && (says_once(msg.kind) || w->cfg.log);
        if (whole && chain_msg_digest(&w->epochs[epoch < w->n_epochs ? epoch : 0], msg.kind, msg.body, msg.body_len, &msg.digest) != 0)
            sim_fail(w, "node %u sends a body without a digest", node->index);
        if (w->cfg.log)
            log_msg(w, node, send->to, &msg);
        bool own = sim_author(w, msg.kind, epoch, msg.author) == node->key;
        if (own && msg.kind == CHAIN_MSG_RAFT_VOTE_REPLY)
            check_raft_vote(w, node, &msg, epoch);
        if (own && says_once(msg.kind))
            check_word(w, node, &msg, epoch);
        if (own && msg.kind == CHAIN_MSG_HEADER_VOTE && msg.seq > node->disk.height)
            sim_fail(w, "node %u signs block %llu, which is not on its disk", node->index, (unsigned long long)msg.seq);
    }
}

/* ---- each step */

/* Terms begin anew with each epoch. */
static uint64_t term_of(const struct sim_node *node, uint64_t term)
{
    return (uint64_t)node->engine_epoch << 40 | term;
}

static void check_leader(struct sim_world *w, struct sim_node *node, const struct chain_engine_stats *s)
{
    uint64_t term = s->is_leader ? term_of(node, s->view) : 0;
    if (term == node->leads_term)
        return;
    node->leads_term = term;
    if (term == 0)
        return;
    uint64_t before = sim_set_put(w->said, sim_mix(UINT64_MAX - term) | 1, node->index + 1);
    if (before != 0 && before != node->index + 1)
        sim_fail(w, "nodes %u and %u both lead term %llu", (uint32_t)before - 1, node->index, (unsigned long long)s->view);
    sim_raft_leads(w, node, s->view);
}

void sim_check_step(struct sim_world *w, struct sim_node *node, const struct chain_node_event *event)
{
    const struct chain_node_update *u = w->update;
    if (node->liar)
        return;
    if (u->install)
        take_snapshot(w, node, u->install);
    for (size_t i = 0; i < u->n_blocks; i++) {
        if (u->blocks[i].header)
            take_block(w, node, &u->blocks[i], u);
        if (u->blocks[i].cert)
            check_cert(w, node, &u->blocks[i]);
        if (u->blocks[i].cert)
            sim_snapshots_cert(w->snapshots, &u->blocks[i]);
    }
    if (w->cfg.ops->byzantine || event->kind == CHAIN_NODE_START)
        return;
    struct chain_node_stats s;
    chain_node_stats(node->node, &s);
    if (u->n_records > 0)
        sim_raft_records(w, node, u, s.engine.is_leader && term_of(node, s.engine.view) == node->leads_term);
    node->engine_epoch = s.epoch;
    check_leader(w, node, &s.engine);
}

void sim_check_start(struct sim_world *w, struct sim_node *node)
{
    struct chain_node_stats s;
    chain_node_stats(node->node, &s);
    node->epoch = chain_ledger_members(chain_node_ledger(node->node))->epoch;
    node->engine_epoch = s.epoch;
    if (!w->cfg.ops->byzantine)
        sim_raft_start(w, node);
}
