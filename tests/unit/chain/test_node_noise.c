/* A member among real ones hears a million messages that mean nothing: what was said before, cut short, with turned bits, spliced, of
 * other epochs, or plain noise. It counts them by reason; nothing of its state changes, it allocates nothing, and then it goes on. */
#define SUITE_NAME "chain node noise"
#include <malloc.h>

#include "tests/unit/check_main.h"

#include "tests/unit/chain/cluster.h"

#ifdef __SANITIZE_ADDRESS__
enum { N_MESSAGES = 40000 };
#else
enum { N_MESSAGES = 500000 }; /* for each engine */
#endif
enum { N_HEARD = 512, MAX_NOISE = 65536 };

static const struct chain_engine_ops *const engines[] = {&chain_raft_ops, &chain_pbft_ops};

struct recording {
    size_t n;
    struct {
        uint8_t *data;
        size_t len;
    } heard[N_HEARD];
    uint64_t last_order;
};

static void record(struct recording *r, const struct cluster *c)
{
    uint64_t last = r->last_order;
    for (size_t i = 0; i < c->n_flying && r->n < N_HEARD; i++) {
        const struct cluster_flying *f = &c->flying[i];
        if (f->order <= r->last_order || f->persisted)
            continue;
        last = f->order > last ? f->order : last;
        r->heard[r->n].data = cluster_copy(f->data, f->len);
        r->heard[r->n++].len = f->len;
    }
    r->last_order = last;
}

static void run_recorded(struct cluster *c, struct recording *r, int64_t for_ns)
{
    for (int64_t end_ns = c->now_ns + for_ns; c->now_ns < end_ns; record(r, c))
        if (!cluster_advance(c, end_ns))
            break;
}

/* Octets of message i into out. */
static size_t make_noise(const struct recording *r, uint64_t i, uint8_t *out)
{
    uint64_t draw = cluster_draw(77, i, 0), other = cluster_draw(77, i, 1);
    size_t len = r->heard[draw % r->n].len;
    len = len < MAX_NOISE ? len : MAX_NOISE;
    memcpy(out, r->heard[draw % r->n].data, len);
    switch (draw >> 32 & 7) {
    case 0: /* a replay */
        return len;
    case 1:
        return other % (len + 1);
    case 2:
    case 3:
    case 4:
        for (uint64_t k = 0; k <= other % 4; k++)
            out[cluster_draw(i, k, 2) % len] ^= (uint8_t)(1u << cluster_draw(i, k, 3) % 8);
        return len;
    case 5: { /* the beginning of one and the end of another */
        const uint8_t *end = r->heard[other % r->n].data;
        size_t end_len = r->heard[other % r->n].len, at = cluster_draw(i, 0, 4) % (len + 1);
        size_t from = cluster_draw(i, 0, 5) % (end_len + 1), n = end_len - from;
        n = at + n <= MAX_NOISE ? n : MAX_NOISE - at;
        memcpy(out + at, end + from, n);
        return at + n;
    }
    case 6:
        out[cluster_draw(i, 0, 6) % len] = (uint8_t)other;
        return len;
    default:
        len = other % 400;
        for (size_t k = 0; k < len; k++)
            out[k] = (uint8_t)cluster_draw(i, k, 7);
        return len;
    }
}

/* Steps node 0 alone, at one moment, with its disk at hand; what it sends is lost. */
static void hear(struct cluster *c, const uint8_t *data, size_t len)
{
    struct chain_node_event event = {.kind = CHAIN_NODE_RECEIVE, .now_ns = c->now_ns, .bytes = {.data = data, .len = len}};
    for (int i = 0; i < 64; i++) {
        int rc = chain_node_step(c->nodes[0], &event, c->update);
        ck_assert_msg(rc == 0 || rc == -EBADMSG, "step gave %d", rc);
        uint64_t persist_seq = c->update->persist_seq;
        for (size_t k = 0; k < c->update->n_records; k++)
            cluster_write_row(c->disks[0], &c->update->records[k]);
        for (size_t k = 0; k < c->update->n_blocks; k++)
            cluster_write_block(c->disks[0], &c->update->blocks[k]);
        if (persist_seq > 0)
            event = (struct chain_node_event){.kind = CHAIN_NODE_PERSISTED, .now_ns = c->now_ns, .persisted_seq = persist_seq};
        else if (chain_node_deadline(c->nodes[0]) <= c->now_ns)
            event = (struct chain_node_event){.kind = CHAIN_NODE_TICK, .now_ns = c->now_ns};
        else
            return;
    }
}

START_TEST(a_million_messages_change_nothing)
{
    struct cluster *c = cluster_open(engines[_i], 4, 5);
    static struct recording recording;
    static uint8_t noise[MAX_NOISE];
    memset(&recording, 0, sizeof recording);
    run_recorded(c, &recording, 500 * MS);
    cluster_register_all(c);
    run_recorded(c, &recording, 300 * MS);
    for (uint32_t k = 0; k < 20; k++) {
        struct chain_op op = evidence_op(c, k);
        ck_assert_int_eq(cluster_submit(c, k % 4, &op), CHAIN_SUCCESS);
        run_recorded(c, &recording, 40 * MS);
    }
    ck_assert(cluster_settle(c, 2000 * MS));
    cluster_run(c, 50 * MS);

    struct chain_node_stats before = cluster_stats(c, 0);
    struct chain_header tip = *chain_ledger_tip(chain_node_ledger(c->nodes[0]));
    size_t allocated = mallinfo2().uordblks;
    for (uint64_t i = 0; i < N_MESSAGES; i++)
        hear(c, noise, make_noise(&recording, i, noise));
    struct chain_node_stats after = cluster_stats(c, 0);
#ifndef __SANITIZE_ADDRESS__
    ck_assert_uint_le(mallinfo2().uordblks, allocated + 4096 * after.height); /* rows of the test's own disk */
#endif
    (void)allocated;
    const struct chain_header *now = chain_ledger_tip(chain_node_ledger(c->nodes[0]));
    ck_assert_mem_eq(tip.state_root.octets, now->state_root.octets, CHAIN_HASH_BYTES);
    ck_assert_uint_eq(now->height, tip.height);
    ck_assert_uint_eq(after.certified_height, before.certified_height);
    ck_assert_uint_eq(after.engine.committed, before.engine.committed);
    ck_assert_uint_eq(after.engine.view, before.engine.view);
    ck_assert_uint_eq(after.mempool, before.mempool);
    ck_assert_uint_eq(after.received, before.received + N_MESSAGES);
    printf("%s: of %d messages %llu malformed, %llu with a bad signature, %llu of strangers, %llu of other epochs, %llu duplicates, %llu stale, "
           "%llu refused by the engine, %llu in conflict, %llu blocks\n",
           c->ops->name, N_MESSAGES, (unsigned long long)(after.refused_malformed - before.refused_malformed),
           (unsigned long long)(after.refused_signature - before.refused_signature),
           (unsigned long long)(after.refused_stranger - before.refused_stranger),
           (unsigned long long)(after.refused_epoch - before.refused_epoch), (unsigned long long)(after.duplicates - before.duplicates),
           (unsigned long long)(after.refused_stale - before.refused_stale), (unsigned long long)(after.refused_engine - before.refused_engine),
           (unsigned long long)(after.refused_conflict - before.refused_conflict), (unsigned long long)(after.refused_block - before.refused_block));
    ck_assert_uint_gt(after.refused_malformed - before.refused_malformed, N_MESSAGES / 3);
    ck_assert_uint_gt(after.refused_signature - before.refused_signature, N_MESSAGES / 50);

    struct chain_op op = evidence_op(c, 999); /* and it is not blocked */
    ck_assert_int_eq(cluster_submit(c, 0, &op), CHAIN_SUCCESS);
    uint64_t applied = c->n_applied[1];
    cluster_run(c, 1000 * MS);
    ck_assert_uint_eq(c->n_applied[1], applied + 1);
    ck_assert(cluster_settle(c, 2000 * MS));
    for (size_t i = 0; i < recording.n; i++)
        free(recording.heard[i].data);
    cluster_close(c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("noise");
    tcase_add_loop_test(tc, a_million_messages_change_nothing, 0, 2);
    suite_add_tcase(suite, tc);
}
