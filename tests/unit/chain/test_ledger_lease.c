#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_lease"
#include "tests/unit/check_main.h"

static struct bench *b;

static void set_up(void)
{
    b = bench_open(4);
    register_all(b, 1 * MS);
    sense_windows(b, 0, 4, 2); /* channel 1 incumbent, 2 and 3 white space, 0 control */
}

static void tear_down(void)
{
    bench_close(b);
}

static enum chain_response request(int64_t at_ns, uint32_t author, uint32_t channel)
{
    struct chain_op op = op_grant(b, channel);
    return run_op(b, at_ns, author, &op);
}

static enum chain_response heartbeat(int64_t at_ns, uint32_t author, uint64_t id)
{
    struct chain_op op = op_lease(CHAIN_OP_HEARTBEAT, id);
    return run_op(b, at_ns, author, &op);
}

static enum chain_response relinquish(int64_t at_ns, uint32_t author, uint64_t id)
{
    struct chain_op op = op_lease(CHAIN_OP_RELINQUISH, id);
    return run_op(b, at_ns, author, &op);
}

START_TEST(a_grant_goes_from_granted_to_authorized_by_its_heartbeat)
{
    ck_assert_int_eq(request(1000 * MS, 0, 2), CHAIN_SUCCESS);
    const struct chain_ledger_event *event = find_event(b, CHAIN_LE_GRANTED, 0);
    ck_assert_uint_eq(event->station, 0);
    ck_assert_uint_eq(event->channel, 2);
    ck_assert_uint_eq(event->id, 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_TX, 0)->id, 1);
    const struct chain_grant *g = grant_by_id(b, 1);
    ck_assert_int_eq(g->state, CHAIN_GRANT_GRANTED);
    ck_assert_int_eq(g->transmit_expire_ns, 0);
    ck_assert_int_eq(g->grant_expire_ns, T0 + 61000 * MS);
    ck_assert_int_eq(heartbeat(1020 * MS, 0, 1), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_AUTHORIZED), 1);
    ck_assert_int_eq(g->state, CHAIN_GRANT_AUTHORIZED);
    ck_assert_int_eq(g->transmit_expire_ns, T0 + 3420 * MS);
    ck_assert_int_eq(heartbeat(1620 * MS, 0, 1), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_HEARTBEAT), 1);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_AUTHORIZED), 0);
    ck_assert_int_eq(g->transmit_expire_ns, T0 + 4020 * MS);
}
END_TEST

START_TEST(requests_are_refused_with_the_codes_of_winnf_ts_0016)
{
    struct chain_op op = op_grant(b, 2);
    op.grant.high_hz--;
    ck_assert_int_eq(run_op(b, 1000 * MS, 0, &op), CHAIN_UNSUPPORTED_SPECTRUM);
    op.grant.high_hz = op.grant.low_hz;
    ck_assert_int_eq(run_op(b, 1001 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_grant(b, 2);
    op.grant.max_eirp_cdbm_mhz = 3001;
    ck_assert_int_eq(run_op(b, 1002 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_grant(b, 2);
    op.grant.n_peers = 1;
    op.grant.peers[0] = 0; /* itself */
    ck_assert_int_eq(run_op(b, 1003 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op.grant.peers[0] = 77;
    ck_assert_int_eq(run_op(b, 1004 * MS, 0, &op), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(request(1005 * MS, 0, 0), CHAIN_UNSUPPORTED_SPECTRUM); /* control */
    ck_assert_int_eq(request(1006 * MS, 0, 1), CHAIN_INTERFERENCE);
    ck_assert_int_eq(request(1007 * MS, 0, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(request(1008 * MS, 1, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(request(1009 * MS, 0, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(request(1010 * MS, 1, 3), CHAIN_SUCCESS);
    ck_assert_int_eq(heartbeat(1011 * MS, 1, 1), CHAIN_INVALID_VALUE); /* another's */
    ck_assert_int_eq(heartbeat(1012 * MS, 1, 3), CHAIN_INVALID_VALUE); /* never given */
    ck_assert_int_eq(heartbeat(1013 * MS, 1, 0), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(relinquish(1014 * MS, 1, 1), CHAIN_INVALID_VALUE);
    ck_assert_uint_eq(chain_ledger_n_grants(b->ledger), 2);
}
END_TEST

START_TEST(transmit_expiry_takes_the_authorisation_and_a_heartbeat_gives_it_again)
{
    request(1000 * MS, 0, 2);
    heartbeat(1000 * MS + 1, 0, 1);
    run_block(b, 3400 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EXPIRED), 0);
    run_block(b, 3400 * MS + 1);
    const struct chain_ledger_event *event = find_event(b, CHAIN_LE_EXPIRED, 0);
    ck_assert_ptr_nonnull(event);
    ck_assert_int_eq(event->code, CHAIN_SUCCESS);
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_GRANTED);
    run_block(b, 3500 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EXPIRED), 0);
    ck_assert_int_eq(heartbeat(3600 * MS, 0, 1), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_AUTHORIZED), 1);
}
END_TEST

START_TEST(a_grant_ends_with_its_grant_expire_time)
{
    request(1000 * MS, 0, 2);
    ck_assert_int_eq(heartbeat(60900 * MS, 0, 1), CHAIN_SUCCESS);
    ck_assert_int_eq(grant_by_id(b, 1)->transmit_expire_ns, T0 + 61000 * MS); /* not beyond the grant's end */
    ck_assert_int_eq(heartbeat(61000 * MS, 0, 1), CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->code, CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_IDLE);
    ck_assert_int_eq(grant_by_id(b, 1)->ended_ns, T0 + 61000 * MS);
    ck_assert_int_eq(relinquish(61001 * MS, 0, 1), CHAIN_TERMINATED_GRANT);
}
END_TEST

START_TEST(an_incumbent_suspends_and_nothing_authorises_again)
{
    request(1000 * MS, 0, 2);
    request(1001 * MS, 1, 3);
    heartbeat(1002 * MS, 0, 1);
    heartbeat(1003 * MS, 1, 2);
    sense_windows(b, 4, 5, 4);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_SUSPENDED), 1);
    const struct chain_ledger_event *event = find_event(b, CHAIN_LE_SUSPENDED, 0);
    ck_assert_uint_eq(event->station, 0);
    ck_assert_uint_eq(event->id, 1);
    ck_assert_int_eq(event->code, CHAIN_SUSPENDED_GRANT);
    const struct chain_grant *g = grant_by_id(b, 1);
    ck_assert(g->suspended);
    ck_assert_int_eq(g->state, CHAIN_GRANT_GRANTED);
    ck_assert_int_eq(g->suspended_ns, b->header.time_ns);
    ck_assert_int_eq(grant_by_id(b, 2)->state, CHAIN_GRANT_AUTHORIZED);
    ck_assert_int_eq(heartbeat(1140 * MS, 0, 1), CHAIN_SUSPENDED_GRANT);
    sense_windows(b, 5, 8, 0);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 2)->status, CHAIN_CHANNEL_WHITE);
    ck_assert_int_eq(heartbeat(2000 * MS, 0, 1), CHAIN_SUSPENDED_GRANT);
    ck_assert_int_eq(relinquish(2001 * MS, 0, 1), CHAIN_SUCCESS);
    ck_assert_int_eq(heartbeat(2002 * MS, 0, 1), CHAIN_TERMINATED_GRANT);
}
END_TEST

/* transmitExpireTime + stop + 2 max_skew + drift guard of the fixture */
enum { GUARD_MS = 600 + 2 + 1 };

static void check_guard(int64_t expire_ms)
{
    ck_assert_int_eq(request((expire_ms + GUARD_MS) * MS - 1, 1, 2), CHAIN_GRANT_CONFLICT);
    ck_assert(!chain_ledger_channel_free(b->ledger, 2, T0 + (expire_ms + GUARD_MS) * MS - 1));
    ck_assert(chain_ledger_channel_free(b->ledger, 2, T0 + (expire_ms + GUARD_MS) * MS));
    ck_assert_int_eq(request((expire_ms + GUARD_MS) * MS, 1, 2), CHAIN_SUCCESS);
}

START_TEST(relinquishing_does_not_shorten_the_guard)
{
    request(1000 * MS, 0, 2);
    heartbeat(1001 * MS, 0, 1);
    ck_assert_int_eq(relinquish(1002 * MS, 0, 1), CHAIN_SUCCESS);
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_IDLE);
    check_guard(1001 + 2400);
}
END_TEST

START_TEST(suspension_does_not_shorten_the_guard)
{
    request(1000 * MS, 0, 2);
    heartbeat(1001 * MS, 0, 1);
    sense_windows(b, 4, 5, 4);
    sense_windows(b, 5, 8, 0);
    check_guard(1001 + 2400);
}
END_TEST

START_TEST(a_grant_that_never_was_authorised_leaves_no_guard)
{
    request(1000 * MS, 0, 2);
    ck_assert_int_eq(relinquish(1001 * MS, 0, 1), CHAIN_SUCCESS);
    ck_assert_int_eq(request(1001 * MS + 1, 1, 2), CHAIN_SUCCESS);
}
END_TEST

START_TEST(the_guard_counts_from_the_last_heartbeat)
{
    request(1000 * MS, 0, 2);
    heartbeat(1001 * MS, 0, 1);
    heartbeat(5000 * MS, 0, 1);
    relinquish(5001 * MS, 0, 1);
    check_guard(5000 + 2400);
}
END_TEST

START_TEST(old_grants_make_room_and_live_ones_stay)
{
    ck_assert_int_eq(request(1000 * MS, 3, 3), CHAIN_SUCCESS); /* grant 1 lives on */
    for (uint64_t i = 0; i < 100; i++) {
        ck_assert_int_eq(request(1001 * MS + (int64_t)i * 2 * MS, 0, 2), CHAIN_SUCCESS);
        ck_assert_int_eq(relinquish(1002 * MS + (int64_t)i * 2 * MS, 0, 2 + i), CHAIN_SUCCESS);
    }
    ck_assert_uint_eq(chain_ledger_n_grants(b->ledger), CHAIN_MAX_GRANTS);
    ck_assert_uint_eq(chain_ledger_grant(b->ledger, 0)->id, 1);
    ck_assert_int_eq(chain_ledger_grant(b->ledger, 0)->state, CHAIN_GRANT_GRANTED);
    for (size_t i = 1; i < CHAIN_MAX_GRANTS; i++)
        ck_assert_uint_gt(chain_ledger_grant(b->ledger, i)->id, chain_ledger_grant(b->ledger, i - 1)->id);
    ck_assert_uint_eq(chain_ledger_grant(b->ledger, CHAIN_MAX_GRANTS - 1)->id, 101);
    ck_assert_int_eq(heartbeat(2000 * MS, 0, 2), CHAIN_TERMINATED_GRANT); /* forgotten, but it was one */
}
END_TEST

START_TEST(a_full_table_of_suspended_grants_refuses_more)
{
    b->genesis.grant_ns = 600000 * MS;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    memset(b->next_nonce, 0, sizeof b->next_nonce);
    register_all(b, 1 * MS);
    sense_windows(b, 0, 4, 2);
    uint64_t k = 4;
    int64_t at_ns = 0;
    for (size_t i = 0; i < CHAIN_MAX_GRANTS; i++) {
        at_ns = window_end(b, k) - 100 * MS;
        ck_assert_int_eq(request(at_ns, 0, 2), CHAIN_SUCCESS);
        sense_windows(b, k, k + 1, 4);
        sense_windows(b, k + 1, k + 4, 0);
        k += 4;
    }
    ck_assert_int_eq(request(window_end(b, k), 1, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(relinquish(window_end(b, k) + 1, 0, 7), CHAIN_SUCCESS);
    ck_assert_int_eq(request(window_end(b, k) + 2, 1, 2), CHAIN_SUCCESS);
    ck_assert_ptr_null(grant_by_id(b, 7));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("lease");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_grant_goes_from_granted_to_authorized_by_its_heartbeat);
    tcase_add_test(tc, requests_are_refused_with_the_codes_of_winnf_ts_0016);
    tcase_add_test(tc, transmit_expiry_takes_the_authorisation_and_a_heartbeat_gives_it_again);
    tcase_add_test(tc, a_grant_ends_with_its_grant_expire_time);
    tcase_add_test(tc, an_incumbent_suspends_and_nothing_authorises_again);
    tcase_add_test(tc, relinquishing_does_not_shorten_the_guard);
    tcase_add_test(tc, suspension_does_not_shorten_the_guard);
    tcase_add_test(tc, a_grant_that_never_was_authorised_leaves_no_guard);
    tcase_add_test(tc, the_guard_counts_from_the_last_heartbeat);
    tcase_add_test(tc, old_grants_make_room_and_live_ones_stay);
    tcase_add_test(tc, a_full_table_of_suspended_grants_refuses_more);
    suite_add_tcase(suite, tc);
}
