#include "chain/holder.h"

#include <errno.h>

#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/holder"
#include "tests/unit/check_main.h"

enum { RETRY_MS = 200 };

static struct bench *b;

/* A holder, its clock against block time, and what it wants sent. */
struct user {
    struct chain_holder holder;
    uint32_t self;
    int64_t skew_ns; /* own clock - block time */
    bool tells_nonces;
    uint32_t avoid;
    size_t n_sent;
    struct chain_op sent[64];
};

static void open_user(struct user *u, uint32_t self, uint32_t first, uint32_t second)
{
    memset(u, 0, sizeof *u);
    u->self = self;
    struct chain_holder_config cfg = {.self = self,
                                      .genesis = &b->genesis,
                                      .n_peers = 1,
                                      .peers = {(self + 1) % 4},
                                      .n_wanted = 2,
                                      .wanted = {first, second},
                                      .want_from_ns = T0 + 1000 * MS,
                                      .want_until_ns = T0 + 50000 * MS,
                                      .retry_ns = RETRY_MS * MS};
    ck_assert_int_eq(chain_holder_init(&u->holder, &cfg), 0);
}

static void step_user(struct user *u, enum chain_holder_event_kind kind, int64_t at_ns, const struct chain_ledger_event *event)
{
    struct chain_holder_event in = {.kind = kind, .now_ns = T0 + at_ns + u->skew_ns, .ledger = b->ledger, .event = event,
                                    .avoid = u->avoid};
    struct chain_holder_update out;
    ck_assert_int_eq(chain_holder_step(&u->holder, &in, &out), 0);
    if (!out.submit)
        return;
    ck_assert_uint_lt(u->n_sent, 64);
    u->sent[u->n_sent++] = out.op;
}

/* Steps until nothing more is due at that time. */
static void tick(struct user *u, int64_t at_ns)
{
    for (int i = 0; i < 8 && chain_holder_deadline(&u->holder) <= T0 + at_ns + u->skew_ns; i++)
        step_user(u, CHAIN_HOLDER_TICK, at_ns, NULL);
    ck_assert_int_gt(chain_holder_deadline(&u->holder), T0 + at_ns + u->skew_ns);
}

static void hear_block(struct user *u, int64_t at_ns)
{
    for (size_t i = 0; i < b->n_events; i++)
        step_user(u, CHAIN_HOLDER_LEDGER, at_ns, &b->events[i]);
    tick(u, at_ns);
}

static void post(struct user *u, size_t i)
{
    add_op(b, u->self, &u->sent[i]);
    if (u->tells_nonces) {
        struct chain_holder_event in = {.kind = CHAIN_HOLDER_SUBMITTED, .op = u->sent[i].kind, .nonce = b->next_nonce[u->self]};
        struct chain_holder_update out;
        ck_assert_int_eq(chain_holder_step(&u->holder, &in, &out), 0);
    }
}

/* A block at that time with everything the holder has sent, which it then hears. */
static void commit_sent(struct user *u, int64_t at_ns)
{
    for (size_t i = 0; i < u->n_sent; i++)
        post(u, i);
    u->n_sent = 0;
    run_block(b, at_ns);
    hear_block(u, at_ns);
}

static bool may_transmit(const struct user *u, int64_t at_ns, uint32_t *channel_out, int64_t *until_ns_out)
{
    uint32_t channel = 99;
    int64_t until_ns = 0;
    bool may = chain_holder_may_transmit(&u->holder, T0 + at_ns + u->skew_ns, &channel, &until_ns);
    if (channel_out)
        *channel_out = channel;
    if (until_ns_out)
        *until_ns_out = until_ns - T0 - u->skew_ns;
    return may;
}

static bool sending(const struct user *u, int64_t at_ns)
{
    return may_transmit(u, at_ns, NULL, NULL);
}

/* Request, grant, heartbeat and its confirmation 20, 40 ms later; authorised at at_ns + 40 ms. */
static void authorize(struct user *u, int64_t at_ns)
{
    tick(u, at_ns);
    commit_sent(u, at_ns + 20 * MS);
    commit_sent(u, at_ns + 40 * MS);
    ck_assert(sending(u, at_ns + 40 * MS));
}

static struct user u;

static void set_up(void)
{
    b = bench_open(4);
    register_all(b, 1 * MS);
    sense_windows(b, 0, 4, 2); /* channel 1 is the primary's, 2 and 3 are white space */
    open_user(&u, 0, 2, 3);
}

static void tear_down(void)
{
    bench_close(b);
}

START_TEST(a_holder_asks_heartbeats_at_once_and_then_may_transmit)
{
    tick(&u, 999 * MS);
    ck_assert_uint_eq(u.n_sent, 0);
    ck_assert_int_eq(chain_holder_deadline(&u.holder), T0 + 1000 * MS);
    tick(&u, 1000 * MS);
    ck_assert_uint_eq(u.n_sent, 1);
    ck_assert_int_eq(u.sent[0].kind, CHAIN_OP_GRANT);
    ck_assert_uint_eq(u.sent[0].grant.low_hz, b->genesis.channels[2].low_hz);
    ck_assert_uint_eq(u.sent[0].grant.peers[0], 1);
    commit_sent(&u, 1020 * MS);
    ck_assert(!sending(&u, 1020 * MS));
    ck_assert_uint_eq(u.n_sent, 1);
    ck_assert_int_eq(u.sent[0].kind, CHAIN_OP_HEARTBEAT);
    commit_sent(&u, 1040 * MS);
    uint32_t channel;
    int64_t until_ns;
    ck_assert(may_transmit(&u, 1040 * MS, &channel, &until_ns));
    ck_assert_uint_eq(channel, 2);
    ck_assert_int_eq(until_ns, (1020 + 2400 - 1) * MS); /* sent + transmit_expire - drift guard */
    ck_assert(sending(&u, until_ns - 1));
    ck_assert(!sending(&u, until_ns));
}
END_TEST

START_TEST(heartbeats_keep_their_interval_and_the_gate_open)
{
    authorize(&u, 1000 * MS);
    for (int64_t at_ms = 1620; at_ms < 20000; at_ms += 600) {
        tick(&u, (at_ms - 1) * MS);
        ck_assert_uint_eq(u.n_sent, 0);
        tick(&u, at_ms * MS);
        ck_assert_uint_eq(u.n_sent, 1);
        ck_assert_int_eq(u.sent[0].kind, CHAIN_OP_HEARTBEAT);
        ck_assert(sending(&u, at_ms * MS));
        commit_sent(&u, (at_ms + 30) * MS);
        ck_assert_uint_eq(count_events(b, CHAIN_LE_HEARTBEAT), 1);
    }
}
END_TEST

START_TEST(nothing_is_asked_before_everybody_is_registered_and_a_channel_is_white)
{
    bench_start(b);
    tick(&u, 1500 * MS);
    ck_assert_uint_eq(u.n_sent, 0);
    memset(b->next_nonce, 0, sizeof b->next_nonce);
    register_all(b, 1501 * MS);
    hear_block(&u, 1501 * MS);
    ck_assert_uint_eq(u.n_sent, 0);
    sense_windows(b, 6, 9, 4); /* 2 occupied: the second choice is the first that is free */
    tick(&u, 2140 * MS);
    hear_block(&u, 2145 * MS);
    ck_assert_uint_eq(u.n_sent, 1);
    ck_assert_uint_eq(u.sent[0].grant.low_hz, b->genesis.channels[3].low_hz);
}
END_TEST

START_TEST(a_request_without_an_answer_is_repeated_after_retry_and_never_sooner)
{
    int64_t last_ms = 0;
    size_t n = 0;
    for (int64_t at_ms = 1000; at_ms < 3000; at_ms++) {
        tick(&u, at_ms * MS);
        if (u.n_sent == n)
            continue;
        ck_assert_uint_eq(u.n_sent, ++n);
        ck_assert(last_ms == 0 || at_ms - last_ms == RETRY_MS);
        last_ms = at_ms;
    }
    ck_assert_uint_eq(n, 10);
}
END_TEST

START_TEST(a_heartbeat_without_an_answer_is_repeated_after_retry)
{
    authorize(&u, 1000 * MS);
    int64_t at_ms = 1620;
    size_t n = 0;
    for (; at_ms < 4000; at_ms++) {
        tick(&u, at_ms * MS);
        if (u.n_sent > n)
            ck_assert_int_eq((at_ms - 1620) % RETRY_MS, 0);
        n = u.n_sent;
    }
    ck_assert_uint_eq(n, 12);
    ck_assert(!sending(&u, 3419 * MS));
    /* all of them arrive in the end: the last one counts from when it was sent */
    int64_t until_ns;
    commit_sent(&u, 4000 * MS);
    ck_assert(may_transmit(&u, 4000 * MS, NULL, &until_ns));
    ck_assert_int_eq(until_ns, (3820 + 2400 - 1) * MS);
}
END_TEST

START_TEST(a_lost_heartbeat_does_not_shorten_the_next_one_when_nonces_are_told)
{
    u.tells_nonces = true;
    authorize(&u, 1000 * MS);
    tick(&u, 1620 * MS);
    struct chain_holder_event in = {.kind = CHAIN_HOLDER_SUBMITTED, .op = CHAIN_OP_HEARTBEAT, .nonce = ++b->next_nonce[0]};
    struct chain_holder_update out;
    chain_holder_step(&u.holder, &in, &out);
    u.n_sent = 0; /* lost */
    tick(&u, 1820 * MS);
    int64_t until_ns;
    commit_sent(&u, 1830 * MS);
    ck_assert(may_transmit(&u, 1830 * MS, NULL, &until_ns));
    ck_assert_int_eq(until_ns, (1820 + 2400 - 1) * MS);
}
END_TEST

START_TEST(without_nonces_a_confirmation_counts_for_the_oldest_open_heartbeat)
{
    authorize(&u, 1000 * MS);
    tick(&u, 1620 * MS);
    u.n_sent = 0; /* lost */
    tick(&u, 1820 * MS);
    int64_t until_ns;
    commit_sent(&u, 1830 * MS);
    ck_assert(may_transmit(&u, 1830 * MS, NULL, &until_ns));
    ck_assert_int_eq(until_ns, (1620 + 2400 - 1) * MS);
}
END_TEST

START_TEST(a_heartbeat_of_the_life_before_confirms_nothing)
{
    u.tells_nonces = true;
    authorize(&u, 1000 * MS);
    open_user(&u, 0, 2, 3);
    u.tells_nonces = true;
    tick(&u, 1300 * MS);
    ck_assert_uint_eq(u.n_sent, 1);
    ck_assert_int_eq(u.sent[0].kind, CHAIN_OP_HEARTBEAT); /* it found its grant again */
    struct chain_holder_event in = {.kind = CHAIN_HOLDER_SUBMITTED, .op = CHAIN_OP_HEARTBEAT, .nonce = 1000};
    struct chain_holder_update out;
    chain_holder_step(&u.holder, &in, &out);
    struct chain_op old = op_lease(CHAIN_OP_HEARTBEAT, u.holder.grant_id);
    add_op(b, 0, &old);
    run_block(b, 1310 * MS);
    hear_block(&u, 1310 * MS);
    ck_assert(!sending(&u, 1310 * MS));
    b->next_nonce[0] = 999;
    add_op(b, 0, &u.sent[0]);
    run_block(b, 1320 * MS);
    hear_block(&u, 1320 * MS);
    ck_assert(sending(&u, 1320 * MS));
}
END_TEST

START_TEST(an_incumbent_silences_at_once_and_sends_the_holder_on)
{
    authorize(&u, 1000 * MS);
    uint32_t bits[4] = {6, 6, 6, 6};
    sense_window(b, 4, 0xf, bits);
    ck_assert_ptr_nonnull(find_event(b, CHAIN_LE_SUSPENDED, 0));
    hear_block(&u, 1135 * MS);
    ck_assert(!sending(&u, 1135 * MS));
    ck_assert_uint_eq(u.n_sent, 2);
    ck_assert_int_eq(u.sent[0].kind, CHAIN_OP_RELINQUISH);
    ck_assert_int_eq(u.sent[1].kind, CHAIN_OP_GRANT);
    ck_assert_uint_eq(u.sent[1].grant.low_hz, b->genesis.channels[3].low_hz);
    commit_sent(&u, 1150 * MS);
    ck_assert_ptr_nonnull(find_event(b, CHAIN_LE_RELINQUISHED, 0));
    commit_sent(&u, 1170 * MS);
    uint32_t channel;
    ck_assert(may_transmit(&u, 1170 * MS, &channel, NULL));
    ck_assert_uint_eq(channel, 3);
}
END_TEST

START_TEST(a_lost_relinquish_is_repeated_after_retry)
{
    authorize(&u, 1000 * MS);
    uint32_t bits[4] = {14, 14, 14, 14};
    sense_window(b, 4, 0xf, bits);
    hear_block(&u, 1135 * MS);
    ck_assert_uint_eq(u.n_sent, 1);
    u.n_sent = 0; /* lost */
    tick(&u, 1334 * MS);
    ck_assert_uint_eq(u.n_sent, 0);
    tick(&u, 1335 * MS);
    ck_assert_uint_eq(u.n_sent, 1);
    ck_assert_int_eq(u.sent[0].kind, CHAIN_OP_RELINQUISH);
    commit_sent(&u, 1340 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_RELINQUISHED), 1);
    for (int64_t at_ms = 1341; at_ms < 3000; at_ms += 7)
        tick(&u, at_ms * MS);
    ck_assert_uint_eq(u.n_sent, 0); /* no channel is left: it waits */
}
END_TEST

START_TEST(whoever_comes_second_takes_the_next_channel)
{
    struct user other;
    open_user(&other, 2, 2, 3);
    tick(&u, 1000 * MS);
    tick(&other, 1000 * MS);
    post(&u, 0);
    post(&other, 0);
    u.n_sent = other.n_sent = 0;
    run_block(b, 1010 * MS);
    ck_assert_int_eq(find_event(b, CHAIN_LE_REFUSED, 0)->code, CHAIN_GRANT_CONFLICT);
    hear_block(&u, 1010 * MS);
    hear_block(&other, 1010 * MS);
    ck_assert_uint_eq(u.n_sent, 1);
    ck_assert_uint_eq(other.n_sent, 0); /* retry is not over */
    tick(&other, 1200 * MS);
    ck_assert_uint_eq(other.n_sent, 1);
    ck_assert_uint_eq(other.sent[0].grant.low_hz, b->genesis.channels[3].low_hz);
}
END_TEST

START_TEST(two_late_answers_leave_one_lease)
{
    tick(&u, 1000 * MS);
    u.sent[1] = u.sent[0];
    u.sent[1].grant.low_hz = b->genesis.channels[3].low_hz;
    u.sent[1].grant.high_hz = b->genesis.channels[3].high_hz;
    u.n_sent = 2; /* as if the first answer had come late, after a second request */
    commit_sent(&u, 1020 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_GRANTED), 2);
    ck_assert_uint_eq(u.n_sent, 2);
    ck_assert_int_eq(u.sent[0].kind, CHAIN_OP_HEARTBEAT);
    ck_assert_int_eq(u.sent[1].kind, CHAIN_OP_RELINQUISH);
    ck_assert_uint_ne(u.sent[0].lease.grant_id, u.sent[1].lease.grant_id);
}
END_TEST

START_TEST(what_is_no_longer_wanted_is_given_back)
{
    authorize(&u, 1000 * MS);
    u.holder.cfg.want_until_ns = T0 + 1500 * MS;
    int64_t until_ns;
    ck_assert(may_transmit(&u, 1499 * MS, NULL, &until_ns));
    ck_assert_int_eq(until_ns, 1500 * MS);
    step_user(&u, CHAIN_HOLDER_TICK, 1400 * MS, NULL);
    ck_assert_int_eq(chain_holder_deadline(&u.holder), T0 + 1500 * MS);
    tick(&u, 1500 * MS);
    ck_assert(!sending(&u, 1500 * MS));
    ck_assert_uint_eq(u.n_sent, 1);
    ck_assert_int_eq(u.sent[0].kind, CHAIN_OP_RELINQUISH);
    commit_sent(&u, 1520 * MS);
    ck_assert_int_eq(chain_holder_deadline(&u.holder), INT64_MAX);
}
END_TEST

START_TEST(an_expired_lease_is_authorised_again_by_a_heartbeat)
{
    authorize(&u, 1000 * MS);
    run_block(b, 4000 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EXPIRED), 1);
    hear_block(&u, 4000 * MS);
    ck_assert(!sending(&u, 4000 * MS));
    ck_assert_int_eq(u.holder.state, CHAIN_HOLDER_GRANTED);
    commit_sent(&u, 4020 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_AUTHORIZED), 1);
    ck_assert(sending(&u, 4020 * MS));
}
END_TEST

/* Whatever the own clock says within max_skew, the last sample lies before the ledger's expiry in block time. */
START_TEST(the_gate_closes_before_the_ledger_expires_for_every_skew)
{
    for (int64_t skew_us = -1000; skew_us <= 1000; skew_us += 250) {
        tear_down();
        set_up();
        u.skew_ns = skew_us * 1000;
        /* the confirming block may be dated as early as its proposer's clock lags */
        authorize(&u, 1001 * MS);
        int64_t until_ns;
        ck_assert(may_transmit(&u, 1041 * MS, NULL, &until_ns));
        const struct chain_grant *g = chain_ledger_grant(b->ledger, 0);
        ck_assert_int_lt(T0 + until_ns, g->transmit_expire_ns);
        ck_assert_int_gt(T0 + until_ns, g->transmit_expire_ns - 100 * MS);
        ck_assert(!sending(&u, g->transmit_expire_ns - T0));
    }
}
END_TEST

START_TEST(a_block_dated_before_the_heartbeat_was_sent_closes_the_gate_by_the_ledger)
{
    u.skew_ns = 1 * MS;
    tick(&u, 1000 * MS);
    commit_sent(&u, 1000 * MS + 1000);
    commit_sent(&u, 1000 * MS + 2000);
    int64_t until_ns;
    ck_assert(may_transmit(&u, 1001 * MS, NULL, &until_ns));
    ck_assert_int_eq(until_ns, 1000 * MS + 2000 + 2400 * MS - 3 * MS); /* skew of the user, max_skew, drift guard */
}
END_TEST

START_TEST(configurations_that_cannot_work_are_refused)
{
    struct chain_holder h;
    struct chain_holder_config good = u.holder.cfg, bad = good;
    ck_assert_int_eq(chain_holder_init(&h, &good), 0);
    bad.wanted[0] = 0; /* control */
    ck_assert_int_eq(chain_holder_init(&h, &bad), -EINVAL);
    bad.wanted[0] = 4;
    ck_assert_int_eq(chain_holder_init(&h, &bad), -EINVAL);
    bad = good;
    bad.self = 4;
    ck_assert_int_eq(chain_holder_init(&h, &bad), -EINVAL);
    bad = good;
    bad.peers[0] = good.self;
    ck_assert_int_eq(chain_holder_init(&h, &bad), -EINVAL);
    bad = good;
    bad.retry_ns = 0;
    ck_assert_int_eq(chain_holder_init(&h, &bad), -EINVAL);
    bad = good;
    bad.n_wanted = 9;
    ck_assert_int_eq(chain_holder_init(&h, &bad), -EINVAL);
}
END_TEST

START_TEST(a_channel_to_avoid_is_left_for_another_one_and_only_for_one_that_is_free)
{
    uint32_t channel;
    int64_t until_ns;
    authorize(&u, 1000 * MS);
    u.avoid = 1u << 2 | 1u << 3; /* nothing better: it stays */
    step_user(&u, CHAIN_HOLDER_TICK, 1100 * MS, NULL);
    ck_assert(may_transmit(&u, 1100 * MS, &channel, &until_ns));
    ck_assert_uint_eq(channel, 2);
    u.avoid = 1u << 2;
    u.n_sent = 0;
    step_user(&u, CHAIN_HOLDER_TICK, 1110 * MS, NULL);
    ck_assert(!sending(&u, 1110 * MS)); /* silent at once */
    tick(&u, 1110 * MS);
    ck_assert_uint_eq(u.n_sent, 2);
    ck_assert_int_eq(u.sent[0].kind, CHAIN_OP_RELINQUISH);
    ck_assert_int_eq(u.sent[1].kind, CHAIN_OP_GRANT);
    ck_assert_uint_eq(u.sent[1].grant.low_hz, b->genesis.channels[3].low_hz);
    commit_sent(&u, 1130 * MS);
    commit_sent(&u, 1150 * MS);
    ck_assert(may_transmit(&u, 1150 * MS, &channel, &until_ns));
    ck_assert_uint_eq(channel, 3);
    u.avoid = 0; /* no way back without a reason */
    tick(&u, 1200 * MS);
    ck_assert(may_transmit(&u, 1200 * MS, &channel, &until_ns));
    ck_assert_uint_eq(channel, 3);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("holder");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_holder_asks_heartbeats_at_once_and_then_may_transmit);
    tcase_add_test(tc, heartbeats_keep_their_interval_and_the_gate_open);
    tcase_add_test(tc, nothing_is_asked_before_everybody_is_registered_and_a_channel_is_white);
    tcase_add_test(tc, a_request_without_an_answer_is_repeated_after_retry_and_never_sooner);
    tcase_add_test(tc, a_heartbeat_without_an_answer_is_repeated_after_retry);
    tcase_add_test(tc, a_lost_heartbeat_does_not_shorten_the_next_one_when_nonces_are_told);
    tcase_add_test(tc, without_nonces_a_confirmation_counts_for_the_oldest_open_heartbeat);
    tcase_add_test(tc, a_heartbeat_of_the_life_before_confirms_nothing);
    tcase_add_test(tc, an_incumbent_silences_at_once_and_sends_the_holder_on);
    tcase_add_test(tc, a_lost_relinquish_is_repeated_after_retry);
    tcase_add_test(tc, whoever_comes_second_takes_the_next_channel);
    tcase_add_test(tc, two_late_answers_leave_one_lease);
    tcase_add_test(tc, what_is_no_longer_wanted_is_given_back);
    tcase_add_test(tc, an_expired_lease_is_authorised_again_by_a_heartbeat);
    tcase_add_test(tc, the_gate_closes_before_the_ledger_expires_for_every_skew);
    tcase_add_test(tc, a_block_dated_before_the_heartbeat_was_sent_closes_the_gate_by_the_ledger);
    tcase_add_test(tc, configurations_that_cannot_work_are_refused);
    tcase_add_test(tc, a_channel_to_avoid_is_left_for_another_one_and_only_for_one_that_is_free);
    suite_add_tcase(suite, tc);
}
