/* Some seconds in the life of a cluster, so that its ledger holds a bit of everything: sensing with fusion, white space, an
 * incumbent, a lease with heartbeats that is suspended, one that is relinquished, evidence, a refusal. */
#ifndef TESTS_UNIT_CHAIN_LIVING_H
#define TESTS_UNIT_CHAIN_LIVING_H

#include "tests/unit/chain/cluster.h"

static inline struct chain_sense_report living_report(const struct cluster *c, uint32_t i, uint64_t window, uint32_t occupied)
{
    struct chain_sense_report r = {.window = window, .n_channels = c->genesis.n_channels};
    for (uint32_t k = 0; k < r.n_channels; k++) {
        r.occupied[k] = occupied >> k & 1;
        r.power_cdb[k] = (r.occupied[k] ? -4200 : -9000) - (int32_t)(10 * i);
    }
    r.salt[0] = (uint8_t)(i + 1);
    return r;
}

/* All sense the next window and say what they heard; bit k of occupied: channel k. */
static inline void living_sense(struct cluster *c, uint32_t occupied)
{
    uint64_t window;
    int64_t start_ns, end_ns;
    chain_genesis_quiet_after(&c->genesis, 1, c->now_ns, &window, &start_ns, &end_ns);
    cluster_run(c, end_ns + 3 * MS - c->now_ns);
    for (uint32_t i = 0; i < c->n; i++) {
        struct chain_sense_report report = living_report(c, i, window, occupied);
        struct chain_op op = {.kind = CHAIN_OP_SENSE_COMMIT, .commit = {.window = window}};
        ck_assert_int_eq(chain_sense_commitment(i, &report, &op.commit.commitment), 0);
        ck_assert_int_eq(cluster_submit(c, i, &op), CHAIN_SUCCESS);
    }
    cluster_run(c, 45 * MS);
    for (uint32_t i = 0; i < c->n; i++) {
        struct chain_op op = {.kind = CHAIN_OP_SENSE_REVEAL, .reveal = living_report(c, i, window, occupied)};
        ck_assert_int_eq(cluster_submit(c, i, &op), CHAIN_SUCCESS);
    }
    cluster_run(c, 60 * MS);
}

static inline void living_submit(struct cluster *c, uint32_t i, struct chain_op op)
{
    ck_assert_int_eq(cluster_submit(c, i, &op), CHAIN_SUCCESS);
    cluster_run(c, 35 * MS);
}

static inline struct chain_op living_grant_op(const struct cluster *c, uint32_t channel)
{
    return (struct chain_op){.kind = CHAIN_OP_GRANT,
                             .grant = {.low_hz = c->genesis.channels[channel].low_hz, .high_hz = c->genesis.channels[channel].high_hz,
                                       .max_eirp_cdbm_mhz = 2000, .n_peers = 2, .peers = {2, 3}}};
}

static inline struct chain_op living_lease_op(enum chain_op_kind kind, uint64_t id)
{
    return (struct chain_op){.kind = kind, .lease = {.grant_id = id}};
}

static inline void living_run(struct cluster *c)
{
    cluster_run(c, 700 * MS);
    cluster_register_all(c);
    cluster_run(c, 100 * MS);
    for (int k = 0; k < 3; k++)
        living_sense(c, 0x2);
    living_submit(c, 1, living_grant_op(c, 1)); /* refused: an incumbent */
    living_submit(c, 1, living_grant_op(c, 2));
    living_submit(c, 1, living_lease_op(CHAIN_OP_HEARTBEAT, 1));
    living_submit(c, 0, living_grant_op(c, 3));
    living_submit(c, 0, living_lease_op(CHAIN_OP_HEARTBEAT, 2));
    for (uint32_t i = 0; i < 3; i++)
        living_submit(c, i, evidence_op(c, 5));
    living_sense(c, 0x6); /* the incumbent comes to channel 2 */
    living_sense(c, 0x6);
    living_submit(c, 1, living_lease_op(CHAIN_OP_HEARTBEAT, 1)); /* refused: suspended */
    living_submit(c, 0, living_lease_op(CHAIN_OP_RELINQUISH, 2));
    cluster_settle(c, 1000 * MS);
}
#endif
