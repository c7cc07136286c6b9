#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_reward"
#include "tests/unit/check_main.h"

static struct bench *b;

static void go(void)
{
    const char *bad = "";
    ck_assert_msg(chain_genesis_finish(&b->genesis, NULL, &bad) == 0, "%s", bad);
    bench_start(b);
}

static void set_up(void)
{
    b = bench_open(4);
    b->genesis.white_after = 0;
    b->genesis.supply = 1000;
    b->genesis.endowment = 100;
    b->genesis.grant_price = 40;
    b->genesis.share_rebate = 15;
    b->genesis.refund_permille = 500;
    b->genesis.sense_reward = 7;
    go();
    register_all(b, 1 * MS);
}

static void tear_down(void)
{
    ck_assert_msg(!chain_ledger_audit(b->ledger), "%s", chain_ledger_audit(b->ledger));
    bench_close(b);
    b = NULL;
}

static enum chain_response say(int64_t at_ms, uint32_t author, struct chain_op op)
{
    return run_op(b, at_ms * MS, author, &op);
}

static struct chain_op op_pay(uint32_t to, uint64_t amount)
{
    return (struct chain_op){.kind = CHAIN_OP_PAY, .pay = {to, amount}};
}

static uint64_t has(uint32_t key)
{
    return chain_ledger_balance(b->ledger, key);
}

START_TEST(a_station_is_endowed_as_far_as_the_treasury_reaches)
{
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(has(i), 100);
    ck_assert_uint_eq(chain_ledger_treasury(b->ledger), 600);
    b->genesis.supply = 250;
    go();
    register_all(b, 1 * MS);
    ck_assert_uint_eq(has(1), 100);
    ck_assert_uint_eq(has(2), 50);
    ck_assert_uint_eq(has(3), 0);
    ck_assert_uint_eq(chain_ledger_treasury(b->ledger), 0);
    ck_assert_ptr_null(chain_ledger_audit(b->ledger));
}
END_TEST

START_TEST(a_grant_costs_and_an_early_end_gives_back)
{
    /* 60 s for 40 units; given back after 15 s: three quarters are left, half of them come back */
    ck_assert_int_eq(say(1000, 0, op_grant(b, 1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), 60);
    ck_assert_uint_eq(grant_by_id(b, 1)->paid, 40);
    ck_assert_int_eq(say(16000, 0, op_lease(CHAIN_OP_RELINQUISH, 1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), 75);
    ck_assert_uint_eq(chain_ledger_treasury(b->ledger), 625);
    /* at once: half; and never twice */
    ck_assert_int_eq(say(20000, 0, op_grant(b, 1)), CHAIN_SUCCESS);
    add_op(b, 0, &(struct chain_op){.kind = CHAIN_OP_RELINQUISH, .lease = {2}});
    add_op(b, 0, &(struct chain_op){.kind = CHAIN_OP_RELINQUISH, .lease = {2}});
    run_block(b, 20001 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_RELINQUISHED), 1);
    ck_assert_uint_eq(has(0), 75 - 40 + 19); /* 1 ms of 60 s is gone */
    /* one that runs out gives nothing */
    ck_assert_int_eq(say(30000, 1, op_grant(b, 2)), CHAIN_SUCCESS);
    run_block(b, 95000 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EXPIRED), 1);
    ck_assert_uint_eq(has(1), 60);
    ck_assert_int_eq(say(95001, 1, op_lease(CHAIN_OP_RELINQUISH, 3)), CHAIN_TERMINATED_GRANT);
    ck_assert_uint_eq(has(1), 60);
}
END_TEST

START_TEST(who_cannot_pay_gets_no_grant)
{
    ck_assert_int_eq(say(2, 0, op_grant(b, 1)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(3, 0, op_grant(b, 2)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(4, 0, op_grant(b, 3)), CHAIN_FUNDS);
    ck_assert_uint_eq(has(0), 20);
    ck_assert_uint_eq(chain_ledger_n_grants(b->ledger), 2);
    ck_assert_int_eq(say(5, 1, op_pay(0, 20)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(6, 0, op_grant(b, 3)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), 0);
}
END_TEST

START_TEST(sharing_makes_a_grant_cheaper_but_never_paid_for)
{
    struct chain_op op = op_grant(b, 1);
    op.grant.n_peers = 1;
    op.grant.peers[0] = 1;
    ck_assert_int_eq(say(2, 0, op), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), 75);
    op = op_grant(b, 2);
    op.grant.n_peers = 3;
    for (uint32_t i = 0; i < 3; i++)
        op.grant.peers[i] = i + 1;
    ck_assert_int_eq(say(3, 0, op), CHAIN_SUCCESS); /* 3 x 15 is more than 40 */
    ck_assert_uint_eq(has(0), 75);
    ck_assert_int_eq(say(4, 0, op_lease(CHAIN_OP_RELINQUISH, 2)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), 75); /* nothing paid, nothing back */
    op = op_grant(b, 2);
    for (uint64_t i = 0; i < 3; i++) { /* round and round makes nobody rich */
        uint64_t before = has(1);
        ck_assert_int_eq(say(5 + 2 * (int64_t)i, 1, op), CHAIN_SUCCESS);
        ck_assert_int_eq(say(6 + 2 * (int64_t)i, 1, op_lease(CHAIN_OP_RELINQUISH, 3 + i)), CHAIN_SUCCESS);
        ck_assert_uint_lt(has(1), before);
    }
}
END_TEST

START_TEST(the_suspended_do_not_pay_for_the_time_after)
{
    ck_assert_int_eq(say(2, 0, op_grant(b, 1)), CHAIN_SUCCESS);
    uint32_t bits[CHAIN_MAX_KEYS] = {2, 2, 2, 2};
    sense_window(b, 59, UINT64_MAX, bits); /* 14.9 s */
    ck_assert(grant_by_id(b, 1)->suspended);
    uint64_t before = has(0);
    ck_assert_int_eq(say(45000, 0, op_lease(CHAIN_OP_RELINQUISH, 1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), before + 15); /* of 20, three quarters: not the quarter that is left now */
}
END_TEST

/* Station 3 is the authority; stations 50 km apart may hold one band; the silent lose their leases after 5 s. */
static void start_with_places(void)
{
    b->genesis.has_authority = true;
    b->genesis.authority = 3;
    b->genesis.reuse_m = 50000;
    b->genesis.abandon_ns = 5000 * MS;
    go();
    b->ring.members = b->genesis.members;
    memset(b->next_nonce, 0, sizeof b->next_nonce);
    register_all(b, 1 * MS);
}

static struct chain_op op_move(int32_t lat_e7)
{
    return (struct chain_op){.kind = CHAIN_OP_MOVE, .move = {.lat_e7 = lat_e7, .lon_e7 = 132000000}};
}

START_TEST(a_lease_that_a_move_ends_gives_back_whoever_moved)
{
    start_with_places();
    ck_assert_int_eq(say(10, 1, op_move(700000000)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(1000, 0, op_grant(b, 1)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(1000 + 15, 1, op_grant(b, 1)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(1000 + 15 + 3000, 1, op_move(523000000)), CHAIN_SUCCESS); /* to where station 0 holds it */
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EXPIRED), 1);
    ck_assert_uint_eq(has(1), 60 + 19); /* 3 s of 60 are gone */
    ck_assert_uint_eq(grant_by_id(b, 2)->paid, 2);
    uint64_t before = has(0);
    ck_assert_int_eq(say(4300, 0, op_lease(CHAIN_OP_RELINQUISH, 1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), before + 18);
    /* a peer moves to where another holds the band */
    ck_assert_int_eq(say(4400, 2, op_move(700000000)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(5000, 2, op_grant(b, 1)), CHAIN_SUCCESS);
    before = has(0);
    struct chain_op shared = op_grant(b, 1);
    shared.grant.n_peers = 1;
    shared.grant.peers[0] = 1;
    ck_assert_int_eq(say(5010, 0, shared), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), before - 25);
    ck_assert_int_eq(say(5010 + 600, 1, op_move(700000000)), CHAIN_SUCCESS);
    ck_assert_int_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->station, 0);
    ck_assert_uint_eq(has(0), before - 25 + 12);
}
END_TEST

START_TEST(an_abandoned_lease_gives_back_and_so_does_a_suspended_one_that_runs_out)
{
    start_with_places();
    ck_assert_int_eq(say(1000, 0, op_grant(b, 1)), CHAIN_SUCCESS);
    run_block(b, 7000 * MS); /* 6 s of 60 are gone */
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EXPIRED), 1);
    ck_assert_uint_eq(has(0), 60 + 18);
    run_block(b, 8000 * MS);
    ck_assert_uint_eq(has(0), 78); /* once */
    b->genesis.abandon_ns = 0;
    go();
    memset(b->next_nonce, 0, sizeof b->next_nonce);
    register_all(b, 1 * MS);
    ck_assert_int_eq(say(2, 0, op_grant(b, 1)), CHAIN_SUCCESS);
    uint32_t bits[CHAIN_MAX_KEYS] = {2, 2, 2, 2};
    sense_window(b, 59, UINT64_MAX, bits); /* 14.9 s */
    ck_assert(grant_by_id(b, 1)->suspended);
    uint64_t before = has(0);
    run_block(b, 100000 * MS);
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_IDLE);
    ck_assert_uint_eq(has(0), before + 15);
}
END_TEST

START_TEST(a_lease_that_is_cut_short_gives_the_part_back_that_is_cut_and_its_end_the_rest)
{
    start_with_places();
    ck_assert_int_eq(say(1000, 0, op_grant(b, 1)), CHAIN_SUCCESS); /* until 61 s */
    struct chain_op op = {.kind = CHAIN_OP_SPECTRUM};
    op.spectrum = (struct chain_spectrum){.kind = CHAIN_SPECTRUM_INCUMBENT,
                                          .low_hz = b->genesis.channels[1].low_hz,
                                          .high_hz = b->genesis.channels[1].high_hz,
                                          .from_ns = T0 + (31000 + 603) * MS,
                                          .until_ns = T0 + 90000 * MS,
                                          .lat_e7 = 523000000,
                                          .lon_e7 = 132000000,
                                          .radius_m = 20000,
                                          .protection_cdbm_mhz = -10000};
    ck_assert_int_eq(say(2000, 3, op), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_SHORTENED), 1);
    ck_assert_int_eq(grant_by_id(b, 1)->grant_expire_ns, T0 + 31000 * MS);
    ck_assert_uint_eq(has(0), 60 + 10);            /* half of 40 for half of the time, by half */
    ck_assert_uint_eq(grant_by_id(b, 1)->paid, 20);
    ck_assert_int_eq(say(4000, 0, op_lease(CHAIN_OP_RELINQUISH, 1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), 60 + 19);            /* as without the cut: 57 s of 60, by half */
}
END_TEST

START_TEST(honest_reports_earn_and_others_do_not)
{
    uint32_t bits[CHAIN_MAX_KEYS] = {0, 0, 0, 2};
    sense_window(b, 0, 15, bits);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_uint_eq(has(i), i < 3 ? 107 : 100);
    ck_assert_uint_eq(chain_ledger_treasury(b->ledger), 600 - 21);
    sense_window(b, 1, 1, bits); /* alone: void */
    run_block(b, window_end(b, 1) + 200 * MS);
    ck_assert_uint_eq(has(0), 107);
    for (uint64_t k = 2; k < 40; k++) /* until nothing is left to earn */
        sense_window(b, k, 15, bits);
    ck_assert_uint_eq(chain_ledger_treasury(b->ledger), 0);
    ck_assert_uint_eq(has(0) + has(1) + has(2) + has(3), 1000);
}
END_TEST

START_TEST(units_are_paid_by_who_has_them)
{
    ck_assert_int_eq(say(2, 0, op_pay(1, 100)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), 0);
    ck_assert_uint_eq(has(1), 200);
    ck_assert_int_eq(say(3, 0, op_pay(1, 1)), CHAIN_FUNDS);
    ck_assert_int_eq(say(4, 1, op_pay(1, 1)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(5, 1, op_pay(4, 1)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(6, 1, op_pay(UINT32_MAX, 1)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(7, 1, op_pay(2, 0)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(8, 1, op_pay(2, UINT64_MAX)), CHAIN_FUNDS);
    ck_assert_int_eq(say(9, 1, op_pay(2, 201)), CHAIN_FUNDS);
    ck_assert_int_eq(say(10, 1, op_pay(2, 200)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(2), 300);
}
END_TEST

START_TEST(the_largest_numbers_neither_overflow_nor_get_lost)
{
    b->genesis.supply = CHAIN_MAX_SUPPLY;
    b->genesis.endowment = CHAIN_MAX_SUPPLY;
    b->genesis.grant_price = UINT32_MAX;
    b->genesis.share_rebate = UINT32_MAX;
    b->genesis.sense_reward = b->genesis.accuse_reward = UINT32_MAX;
    b->genesis.refund_permille = 1000;
    b->genesis.grant_ns = INT64_C(366) * 86400 * 1000 * MS;
    go();
    register_all(b, 1 * MS);
    ck_assert_uint_eq(has(0), CHAIN_MAX_SUPPLY);
    ck_assert_uint_eq(has(1), 0);
    struct chain_op shared = op_grant(b, 2);
    shared.grant.n_peers = 3;
    for (uint32_t i = 0; i < 3; i++)
        shared.grant.peers[i] = i;
    ck_assert_int_eq(say(2, 3, shared), CHAIN_SUCCESS); /* 3 x UINT32_MAX off */
    ck_assert_int_eq(say(3, 1, op_grant(b, 1)), CHAIN_FUNDS);
    ck_assert_int_eq(say(4, 0, op_grant(b, 1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), CHAIN_MAX_SUPPLY - UINT32_MAX);
    ck_assert_int_eq(say(5, 0, op_lease(CHAIN_OP_RELINQUISH, 2)), CHAIN_SUCCESS);
    ck_assert_uint_le(has(0), CHAIN_MAX_SUPPLY);
    ck_assert_uint_eq(has(0), CHAIN_MAX_SUPPLY - 1); /* 1 ms of a year costs less than a unit, which is not given back */
    ck_assert_int_eq(say(6, 0, op_pay(1, has(0))), CHAIN_SUCCESS);
    ck_assert_int_eq(say(7, 1, op_pay(0, 1)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(8, 0, op_pay(1, 1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(has(0), 0);
    sense_windows(b, 4, 6, 0);
    ck_assert_uint_eq(has(0) + has(1) + has(2) + has(3) + chain_ledger_treasury(b->ledger), CHAIN_MAX_SUPPLY);
}
END_TEST

START_TEST(at_the_end_of_time_nothing_overflows)
{
    b->genesis.bar_ns = b->genesis.access_window_ns = INT64_C(366) * 86400 * 1000 * MS;
    b->genesis.access_threshold = 1;
    b->genesis.grant_ns = INT64_C(366) * 86400 * 1000 * MS;
    go();
    register_all(b, 1 * MS);
    int64_t last_ms = (CHAIN_MAX_TIME_NS - T0) / MS;
    ck_assert_int_eq(say(last_ms - 2, 0, op_grant(b, 1)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(last_ms - 1, 0, op_lease(CHAIN_OP_HEARTBEAT, 1)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(last_ms, 0, op_lease(CHAIN_OP_RELINQUISH, 1)), CHAIN_SUCCESS);
    ck_assert_int_ge(chain_ledger_access(b->ledger, 0, 1)->barred_until_ns, CHAIN_MAX_TIME_NS);
    for (int i = 0; i < 3; i++) { /* empty batches go on by 1 ns each */
        int rc = chain_ledger_apply(b->ledger, NULL, 0, false, &b->header, b->events, CHAIN_MAX_LEDGER_EVENTS, &b->n_events);
        ck_assert_int_eq(rc, 0);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("reward");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_station_is_endowed_as_far_as_the_treasury_reaches);
    tcase_add_test(tc, a_grant_costs_and_an_early_end_gives_back);
    tcase_add_test(tc, who_cannot_pay_gets_no_grant);
    tcase_add_test(tc, sharing_makes_a_grant_cheaper_but_never_paid_for);
    tcase_add_test(tc, the_suspended_do_not_pay_for_the_time_after);
    tcase_add_test(tc, a_lease_that_a_move_ends_gives_back_whoever_moved);
    tcase_add_test(tc, an_abandoned_lease_gives_back_and_so_does_a_suspended_one_that_runs_out);
    tcase_add_test(tc, a_lease_that_is_cut_short_gives_the_part_back_that_is_cut_and_its_end_the_rest);
    tcase_add_test(tc, honest_reports_earn_and_others_do_not);
    tcase_add_test(tc, units_are_paid_by_who_has_them);
    tcase_add_test(tc, the_largest_numbers_neither_overflow_nor_get_lost);
    tcase_add_test(tc, at_the_end_of_time_nothing_overflows);
    suite_add_tcase(suite, tc);
}
