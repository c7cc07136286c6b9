/* commit / shortest: one proposal at a time, from an idle leader, until the last member knows that it is committed. */
#include "tests/bench/air_rows.h"

#include <stdlib.h>
#include <string.h>

#include "chain/tx.h"

enum { PAYLOAD_OCTETS = 256, FRAME_OCTETS = 112, MAX_COMMITS = 4000 };
static const int64_t ms_ns = 1000000, patience_ns = 5000000000, give_up_ns = 2000000000;
static const uint64_t first_nonce = UINT64_C(1577836810000000); /* above those of the registrations, which count by the clock */

uint32_t air_find_leader(const struct air_cluster *c)
{
    for (uint32_t i = 0; i < c->what.n; i++) {
        struct chain_node_stats stats;
        chain_node_stats(c->members[i].node, &stats);
        if (stats.engine.is_leader && stats.engine.may_propose)
            return i;
    }
    return CHAIN_TO_ALL;
}

/* PAYLOAD_OCTETS with signature and nonce. */
void air_submit(struct air_cluster *c, uint32_t member, uint64_t nonce)
{
    uint8_t value[PAYLOAD_OCTETS] = {0}, body[2 * PAYLOAD_OCTETS], octets[2 * PAYLOAD_OCTETS];
    struct chain_op op = {.kind = CHAIN_OP_PUT};
    long len = 0;
    for (size_t n = PAYLOAD_OCTETS; n > 0 && len != PAYLOAD_OCTETS; n--) {
        op.put.key = 1;
        op.put.value = value;
        op.put.value_len = n;
        struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = member, .seq = nonce, .body = body};
        long body_len = chain_tx_encode(&op, 1, body, sizeof body);
        msg.body_len = body_len > 0 ? (size_t)body_len : 0;
        if (body_len <= 0 || chain_msg_digest(&c->genesis.members, msg.kind, body, msg.body_len, &msg.digest) != 0)
            air_fail("encoding a transaction");
        len = chain_msg_encode(&c->genesis.members, &msg, octets, sizeof octets);
    }
    struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT_TX};
    event.bytes.data = octets;
    event.bytes.len = (size_t)len;
    event.bytes.proven = true;
    if (len != PAYLOAD_OCTETS)
        air_fail("making a transaction as long as the payload");
    air_cluster_node(c, member, &event);
    if (c->update->submit_result != CHAIN_SUCCESS)
        air_fail("submitting");
}

void air_register_members(struct air_cluster *c)
{
    for (uint32_t i = 0; i < c->what.n; i++) {
        struct chain_op op = {.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "A"}};
        struct chain_node_event event = {.kind = CHAIN_NODE_SUBMIT, .op = &op};
        air_cluster_node(c, i, &event);
    }
    air_cluster_run(c, c->now_ns + 2000 * ms_ns);
}

static int64_t shortest_ns(const struct air_case *what)
{
    bool pbft = strcmp(what->engine, "pbft") == 0;
    unsigned rate = air_rate_index(what->mbps);
    int64_t n_frames = pbft ? 2 * (int64_t)what->n : (int64_t)what->n;
    return air_airtime_ns(NULL, PAYLOAD_OCTETS + FRAME_OCTETS - 4, rate) +
           (n_frames - 1) * (air_airtime_ns(NULL, FRAME_OCTETS - 4, rate) + 16000);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t quantile(const int64_t *sorted, size_t n, size_t permille)
{
    return sorted[(n - 1) * permille / 1000];
}

/* Until nothing is left to do, so that the next proposal meets an idle leader; and a while that differs. */
static void rest(struct air_cluster *c, unsigned i)
{
    int64_t until_ns = c->now_ns + patience_ns;
    while (!air_cluster_rests(c) && air_cluster_turn(c, until_ns))
        continue;
    air_cluster_run(c, c->now_ns + 20 * ms_ns + (int64_t)(i * 7919 % 1000) * 10000);
}

/* One commit; false: the cluster was busy with something else. */
static bool commit(struct air_cluster *c, uint64_t nonce)
{
    c->leader = air_find_leader(c);
    if (c->leader == CHAIN_TO_ALL)
        return false;
    struct chain_node_stats stats;
    chain_node_stats(c->members[c->leader].node, &stats);
    c->height = stats.engine.committed + 1;
    c->proposed_ns = INT64_MAX;
    for (uint32_t i = 0; i < c->what.n; i++)
        c->known_ns[i] = INT64_MAX;
    air_submit(c, c->leader, nonce);
    int64_t until_ns = c->now_ns + give_up_ns;
    for (uint32_t n_know = 0; n_know < c->what.n && air_cluster_turn(c, until_ns);) {
        n_know = 0;
        for (uint32_t i = 0; i < c->what.n; i++)
            n_know += c->known_ns[i] != INT64_MAX;
    }
    return c->proposed_ns != INT64_MAX;
}

struct air_result air_measure(const struct air_case *what)
{
    static int64_t last[MAX_COMMITS], quorum[MAX_COMMITS];
    struct air_result r = {.shortest_ns = shortest_ns(what)};
    struct air_cluster *c = air_cluster_open(what);
    air_cluster_run(c, 2500 * ms_ns);
    air_register_members(c);
    uint32_t needed = c->engine->quorum(what->n);
    uint64_t n_frames = 0;
    for (unsigned i = 0; r.n_commits < what->n_commits && i < 2 * what->n_commits; i++) {
        rest(c, i);
        bool good = commit(c, first_nonce + i);
        int64_t known_ns[AIR_MAX_MEMBERS];
        memcpy(known_ns, c->known_ns, sizeof known_ns);
        qsort(known_ns, what->n, sizeof known_ns[0], compare);
        if (!good || known_ns[what->n - 1] == INT64_MAX) {
            r.n_lost++;
            continue;
        }
        n_frames += c->n_frames;
        last[r.n_commits] = known_ns[what->n - 1] - c->proposed_ns;
        quorum[r.n_commits++] = known_ns[needed - 1] - c->proposed_ns;
    }
    if (r.n_commits == 0)
        air_fail("committing anything");
    qsort(last, r.n_commits, sizeof last[0], compare);
    qsort(quorum, r.n_commits, sizeof quorum[0], compare);
    r.last_p50_ns = quantile(last, r.n_commits, 500);
    r.last_p99_ns = quantile(last, r.n_commits, 990);
    r.quorum_p50_ns = quantile(quorum, r.n_commits, 500);
    r.quorum_p99_ns = quantile(quorum, r.n_commits, 990);
    r.frames = (double)n_frames / r.n_commits;
    r.vote_octets = (double)c->vote_octets / (double)(c->n_votes ? c->n_votes : 1) + 40;
    r.proposal_octets = (double)c->proposal_octets / (double)(c->n_proposals ? c->n_proposals : 1) + 40;
    air_cluster_close(c);
    return r;
}
