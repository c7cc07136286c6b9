#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_access"
#include "tests/unit/check_main.h"

static struct bench *b;

static void go(void)
{
    const char *bad = "";
    ck_assert_msg(chain_genesis_finish(&b->genesis, NULL, &bad) == 0, "%s", bad);
    bench_start(b);
    register_all(b, 1 * MS);
}

static void set_up(void)
{
    b = bench_open(4);
    b->genesis.white_after = 0;
    b->genesis.access_threshold = 3;
    b->genesis.access_window_ns = 10000 * MS;
    b->genesis.bar_ns = 20000 * MS;
    go();
}

static void tear_down(void)
{
    ck_assert_msg(!chain_ledger_audit(b->ledger), "%s", chain_ledger_audit(b->ledger));
    bench_close(b);
    b = NULL;
}

/* Granted and given back at once, without having been on the air; returns the grant's code. */
static enum chain_response take(int64_t at_ms, uint32_t author, uint32_t channel)
{
    static uint64_t next;
    const struct chain_op grant = op_grant(b, channel);
    enum chain_response code = run_op(b, at_ms * MS, author, &grant);
    if (code == CHAIN_SUCCESS) {
        next = find_event(b, CHAIN_LE_GRANTED, 0)->id;
        size_t n_barred = count_events(b, CHAIN_LE_BARRED);
        struct chain_op back = op_lease(CHAIN_OP_RELINQUISH, next);
        ck_assert_int_eq(run_op(b, at_ms * MS + 1, author, &back), CHAIN_SUCCESS);
        ck_assert_uint_eq(n_barred, chain_ledger_barred(b->ledger, author, channel, T0 + at_ms * MS + 1));
    }
    return code;
}

START_TEST(who_reaches_the_threshold_is_barred_for_a_time)
{
    ck_assert_int_eq(take(1000, 0, 1), CHAIN_SUCCESS);
    ck_assert_int_eq(take(2000, 0, 1), CHAIN_SUCCESS);
    ck_assert(!chain_ledger_barred(b->ledger, 0, 1, T0 + 2500 * MS));
    ck_assert_int_eq(take(3000, 0, 1), CHAIN_SUCCESS); /* the third is given, and the last */
    ck_assert_int_eq(take(4000, 0, 1), CHAIN_BLACKLISTED);
    ck_assert_int_eq(take(4001, 0, 2), CHAIN_SUCCESS);  /* another band */
    ck_assert_int_eq(take(4002, 1, 1), CHAIN_SUCCESS);  /* another station */
    ck_assert_int_eq(take(22999, 0, 1), CHAIN_BLACKLISTED);
    ck_assert_int_eq(take(23000, 0, 1), CHAIN_SUCCESS);
    const struct chain_access *a = chain_ledger_access(b->ledger, 0, 1);
    ck_assert_uint_eq(a->n, 4);
    ck_assert_int_eq(a->at_ns[0], T0 + 1000 * MS);
    ck_assert_int_eq(a->at_ns[3], T0 + 23000 * MS);
    ck_assert_int_eq(a->barred_until_ns, T0 + 23000 * MS);
}
END_TEST

START_TEST(the_window_slides)
{
    for (int64_t at_ms = 1000; at_ms <= 61000; at_ms += 5000) /* never three within 10 s: the third is 10 s after the first */
        ck_assert_int_eq(take(at_ms, 0, 1), CHAIN_SUCCESS);
    ck_assert(!chain_ledger_barred(b->ledger, 0, 1, T0 + 61001 * MS));
    ck_assert_int_eq(take(65999, 0, 1), CHAIN_SUCCESS); /* 56000 is 9.999 s ago */
    ck_assert(chain_ledger_barred(b->ledger, 0, 1, T0 + 66000 * MS));
}
END_TEST

START_TEST(a_refused_grant_is_no_access)
{
    struct chain_op first = op_grant(b, 1);
    ck_assert_int_eq(run_op(b, 1000 * MS, 1, &first), CHAIN_SUCCESS);
    for (int64_t i = 0; i < 5; i++)
        ck_assert_int_eq(take(1001 + i, 0, 1), CHAIN_GRANT_CONFLICT);
    ck_assert_uint_eq(chain_ledger_access(b->ledger, 0, 1)->n, 0);
    ck_assert(!chain_ledger_barred(b->ledger, 0, 1, T0 + 2000 * MS));
}
END_TEST

START_TEST(history_keeps_the_last_sixteen)
{
    b->genesis.access_threshold = 0;
    b->genesis.access_window_ns = 0;
    b->genesis.bar_ns = 0;
    go();
    for (int64_t i = 0; i < 40; i++)
        ck_assert_int_eq(take(1000 + 10 * i, 0, 1), CHAIN_SUCCESS);
    const struct chain_access *a = chain_ledger_access(b->ledger, 0, 1);
    ck_assert_uint_eq(a->n, CHAIN_MAX_ACCESS);
    for (int64_t i = 0; i < CHAIN_MAX_ACCESS; i++)
        ck_assert_int_eq(a->at_ns[i], T0 + (1000 + 10 * (i + 24)) * MS);
    ck_assert_ptr_null(chain_ledger_access(b->ledger, 4, 0));
    ck_assert_ptr_null(chain_ledger_access(b->ledger, 0, 4));
    ck_assert(!chain_ledger_barred(b->ledger, UINT32_MAX, 0, 0));
    ck_assert(!chain_ledger_barred(b->ledger, 0, UINT32_MAX, 0));
}
END_TEST

START_TEST(the_highest_threshold_is_reached_too)
{
    b->genesis.access_threshold = CHAIN_MAX_ACCESS;
    go();
    for (int64_t i = 0; i < CHAIN_MAX_ACCESS; i++) {
        ck_assert(!chain_ledger_barred(b->ledger, 0, 1, T0 + (1000 + 10 * i) * MS));
        ck_assert_int_eq(take(1000 + 10 * i, 0, 1), CHAIN_SUCCESS);
    }
    ck_assert_int_eq(take(1500, 0, 1), CHAIN_BLACKLISTED);
}
END_TEST

START_TEST(leaving_and_coming_back_does_not_lift_a_bar)
{
    for (int64_t i = 0; i < 3; i++)
        ck_assert_int_eq(take(1000 + i, 0, 1), CHAIN_SUCCESS);
    struct chain_op leave = {.kind = CHAIN_OP_DEREGISTER}, reg = op_register();
    ck_assert_int_eq(run_op(b, 2000 * MS, 0, &leave), CHAIN_SUCCESS);
    ck_assert_int_eq(run_op(b, 2001 * MS, 0, &reg), CHAIN_SUCCESS);
    ck_assert_int_eq(take(2002, 0, 1), CHAIN_BLACKLISTED);
}
END_TEST

START_TEST(who_is_barred_is_nobodys_peer_there)
{
    for (int64_t i = 0; i < 3; i++)
        ck_assert_int_eq(take(1000 + i, 0, 1), CHAIN_SUCCESS);
    struct chain_op shared = op_grant(b, 1), elsewhere = op_grant(b, 2);
    shared.grant.n_peers = elsewhere.grant.n_peers = 2;
    shared.grant.peers[0] = elsewhere.grant.peers[0] = 2;
    ck_assert_int_eq(run_op(b, 2000 * MS, 1, &shared), CHAIN_BLACKLISTED);
    ck_assert_int_eq(run_op(b, 2001 * MS, 1, &elsewhere), CHAIN_SUCCESS);
    ck_assert_int_eq(run_op(b, (1002 + 20000) * MS, 1, &shared), CHAIN_SUCCESS);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("access");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, who_reaches_the_threshold_is_barred_for_a_time);
    tcase_add_test(tc, the_window_slides);
    tcase_add_test(tc, a_refused_grant_is_no_access);
    tcase_add_test(tc, history_keeps_the_last_sixteen);
    tcase_add_test(tc, the_highest_threshold_is_reached_too);
    tcase_add_test(tc, leaving_and_coming_back_does_not_lift_a_bar);
    tcase_add_test(tc, who_is_barred_is_nobodys_peer_there);
    suite_add_tcase(suite, tc);
}
