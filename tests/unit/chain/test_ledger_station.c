#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_station"
#include "tests/unit/check_main.h"

static struct bench *b;

static void set_up(void)
{
    b = bench_open(4);
    b->genesis.white_after = 0; /* channels are white from the start */
    b->genesis.put_keys = 4;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
}

static void tear_down(void)
{
    ck_assert_msg(!chain_ledger_audit(b->ledger), "%s", chain_ledger_audit(b->ledger));
    bench_close(b);
    b = NULL;
}

static struct chain_op op_move(int32_t lat_e7, int32_t lon_e7, int32_t height_cm)
{
    return (struct chain_op){.kind = CHAIN_OP_MOVE, .move = {lat_e7, lon_e7, height_cm}};
}

static enum chain_response say(int64_t at_ms, uint32_t author, struct chain_op op)
{
    return run_op(b, at_ms * MS, author, &op);
}

START_TEST(a_station_moves_within_the_world)
{
    ck_assert_int_eq(say(1, 0, op_move(0, 0, 0)), CHAIN_REG_PENDING);
    register_all(b, 2 * MS);
    struct chain_hash before = b->header.state_root;
    ck_assert_int_eq(say(3, 0, op_move(900000000, -1800000000, 10000000)), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_MOVED), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_MOVED, 0)->station, 0);
    ck_assert_mem_ne(before.octets, b->header.state_root.octets, CHAIN_HASH_BYTES);
    ck_assert_int_eq(say(4, 0, op_move(900000001, 0, 0)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(5, 0, op_move(0, 1800000001, 0)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(6, 0, op_move(0, 0, 10000001)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(7, 0, op_move(INT32_MIN, INT32_MIN, INT32_MIN)), CHAIN_INVALID_VALUE);
}
END_TEST

START_TEST(a_storm_of_registrations_changes_nothing)
{
    register_all(b, 1 * MS);
    struct chain_op reg = op_register();
    for (int i = 0; i < 200; i++)
        add_op(b, (uint32_t)i % 4, &reg);
    run_block(b, 2 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_REGISTERED), 0);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_REFUSED), 200);
    for (size_t i = 0; i < 200; i++)
        ck_assert_int_eq(find_event(b, CHAIN_LE_REFUSED, i)->code, CHAIN_INVALID_VALUE);
}
END_TEST

START_TEST(who_leaves_loses_its_leases_and_senses_no_more)
{
    register_all(b, 1 * MS);
    struct chain_op first = op_grant(b, 1), second = op_grant(b, 2), other = op_grant(b, 3), beat = op_lease(CHAIN_OP_HEARTBEAT, 1);
    ck_assert_int_eq(say(2, 0, first), CHAIN_SUCCESS);
    ck_assert_int_eq(say(3, 0, second), CHAIN_SUCCESS);
    ck_assert_int_eq(say(4, 1, other), CHAIN_SUCCESS);
    ck_assert_int_eq(say(5, 0, beat), CHAIN_SUCCESS);
    ck_assert_int_eq(say(6, 0, (struct chain_op){.kind = CHAIN_OP_DEREGISTER}), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_RELINQUISHED), 2);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_DEREGISTERED), 1);
    ck_assert(!chain_ledger_registered(b->ledger, 0));
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_IDLE);
    ck_assert_int_eq(grant_by_id(b, 2)->state, CHAIN_GRANT_IDLE);
    ck_assert_int_eq(grant_by_id(b, 3)->state, CHAIN_GRANT_GRANTED);
    /* it may still be on the air: the band rests as after any other end */
    ck_assert(!chain_ledger_channel_free(b->ledger, 1, T0 + 7 * MS));
    ck_assert(chain_ledger_channel_free(b->ledger, 2, T0 + 7 * MS));
    ck_assert_int_eq(say(7, 0, beat), CHAIN_DEREGISTER);
    ck_assert_int_eq(say(8, 0, second), CHAIN_DEREGISTER);
    ck_assert_int_eq(say(9, 0, op_move(0, 0, 0)), CHAIN_DEREGISTER);
    ck_assert_int_eq(say(10, 0, (struct chain_op){.kind = CHAIN_OP_DEREGISTER}), CHAIN_DEREGISTER);
    struct chain_op reveal = op_reveal(b, 0, window_number(b, 0), 0), commit = op_commit(0, &reveal);
    ck_assert_int_eq(run_op(b, window_end(b, 0) + 1 * MS, 0, &commit), CHAIN_DEREGISTER);
}
END_TEST

START_TEST(nobody_waits_for_what_a_station_that_left_has_sensed)
{
    register_all(b, 1 * MS);
    struct chain_op ops[4], commits[4];
    for (uint32_t i = 0; i < 4; i++) {
        ops[i] = op_reveal(b, i, window_number(b, 0), 0);
        commits[i] = op_commit(i, &ops[i]);
        add_op(b, i, &commits[i]);
    }
    run_block(b, window_end(b, 0) + 1 * MS);
    struct chain_op leave = {.kind = CHAIN_OP_DEREGISTER};
    add_op(b, 3, &leave);
    for (uint32_t i = 0; i < 3; i++)
        add_op(b, i, &ops[i]);
    run_block(b, window_end(b, 0) + 2 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WINDOW_FUSED), 4); /* all that are there have spoken */
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 0)->n_reports, 3);
}
END_TEST

START_TEST(who_comes_back_brings_its_past_along)
{
    b->genesis.supply = 100;
    b->genesis.endowment = 10;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    register_all(b, 1 * MS);
    uint32_t bits[CHAIN_MAX_KEYS] = {0, 0, 0, 14}; /* station 3 cries wolf on three channels */
    for (uint64_t k = 0; k < 4; k++)
        sense_window(b, k, UINT64_MAX, bits);
    uint32_t reputation = chain_ledger_reputation(b->ledger, 3);
    ck_assert_uint_lt(reputation, chain_ledger_reputation(b->ledger, 0));
    ck_assert_int_eq(say(1200, 3, (struct chain_op){.kind = CHAIN_OP_DEREGISTER}), CHAIN_SUCCESS);
    ck_assert_int_eq(say(1201, 3, op_register()), CHAIN_SUCCESS);
    ck_assert(chain_ledger_registered(b->ledger, 3));
    ck_assert_uint_eq(chain_ledger_reputation(b->ledger, 3), reputation);
    ck_assert_uint_eq(chain_ledger_balance(b->ledger, 3), 10); /* one endowment */
}
END_TEST

START_TEST(records_of_applications_are_kept_by_hash_and_replaced)
{
    const uint8_t *value = (const uint8_t *)"what somebody needs";
    struct chain_op op = {.kind = CHAIN_OP_PUT, .put = {.key = 3, .value = value, .value_len = 19}};
    struct chain_hash hash;
    ck_assert_ptr_null(chain_ledger_put(b->ledger, 1, 3));
    ck_assert_int_eq(say(1, 1, op), CHAIN_SUCCESS); /* it takes no station */
    chain_hash_of(value, 19, &hash);
    const struct chain_put *put = chain_ledger_put(b->ledger, 1, 3);
    ck_assert_ptr_nonnull(put);
    ck_assert_mem_eq(put->value_hash.octets, hash.octets, CHAIN_HASH_BYTES);
    ck_assert_uint_eq(put->height, 1);
    ck_assert_ptr_null(chain_ledger_put(b->ledger, 0, 3));
    ck_assert_ptr_null(chain_ledger_put(b->ledger, 1, 2));
    op.put.value_len = 0;
    ck_assert_int_eq(say(2, 1, op), CHAIN_SUCCESS);
    chain_hash_of(value, 0, &hash);
    ck_assert_mem_eq(put->value_hash.octets, hash.octets, CHAIN_HASH_BYTES);
    ck_assert_uint_eq(put->height, 2);
    op.put.key = 4;
    ck_assert_int_eq(say(3, 1, op), CHAIN_INVALID_VALUE);
    op.put.key = UINT32_MAX;
    ck_assert_int_eq(say(4, 1, op), CHAIN_INVALID_VALUE);
    ck_assert_ptr_null(chain_ledger_put(b->ledger, 1, 4));
    ck_assert_ptr_null(chain_ledger_put(b->ledger, 99, 0));
}
END_TEST

START_TEST(without_room_for_records_none_is_kept)
{
    b->genesis.put_keys = 0;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    ck_assert_int_eq(say(1, 1, (struct chain_op){.kind = CHAIN_OP_PUT}), CHAIN_INVALID_VALUE);
    ck_assert_ptr_null(chain_ledger_put(b->ledger, 1, 0));
}
END_TEST

START_TEST(every_record_that_fits_is_kept)
{
    b->genesis.put_keys = CHAIN_MAX_PUT_KEYS;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    struct chain_op op = {.kind = CHAIN_OP_PUT};
    for (uint32_t i = 0; i < 4 * CHAIN_MAX_PUT_KEYS; i++) {
        uint8_t value[2] = {(uint8_t)i, (uint8_t)(i >> 8)};
        op.put.key = i / 4;
        op.put.value = value;
        op.put.value_len = 2;
        add_op(b, i % 4, &op);
        if (i % 64 == 63)
            run_block(b, i * MS);
    }
    for (uint32_t i = 0; i < 4 * CHAIN_MAX_PUT_KEYS; i++) {
        uint8_t value[2] = {(uint8_t)i, (uint8_t)(i >> 8)};
        struct chain_hash hash;
        chain_hash_of(value, 2, &hash);
        ck_assert_mem_eq(chain_ledger_put(b->ledger, i % 4, i / 4)->value_hash.octets, hash.octets, CHAIN_HASH_BYTES);
        ck_assert_uint_eq(chain_ledger_put(b->ledger, i % 4, i / 4)->height, i / 64 + 1);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("station");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_station_moves_within_the_world);
    tcase_add_test(tc, a_storm_of_registrations_changes_nothing);
    tcase_add_test(tc, who_leaves_loses_its_leases_and_senses_no_more);
    tcase_add_test(tc, nobody_waits_for_what_a_station_that_left_has_sensed);
    tcase_add_test(tc, who_comes_back_brings_its_past_along);
    tcase_add_test(tc, records_of_applications_are_kept_by_hash_and_replaced);
    tcase_add_test(tc, without_room_for_records_none_is_kept);
    tcase_add_test(tc, every_record_that_fits_is_kept);
    suite_add_tcase(suite, tc);
}
