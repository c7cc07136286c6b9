#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_evidence"
#include "tests/unit/check_main.h"

static struct bench *b;

static void start(uint32_t n, const char *engine)
{
    if (b)
        bench_close(b);
    b = bench_open(n);
    strcpy(b->genesis.engine, engine);
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    register_all(b, 1 * MS);
}

static void set_up(void)
{
    start(4, "pbft");
}

static void tear_down(void)
{
    bench_close(b);
    b = NULL;
}

static struct chain_op op_evidence(uint32_t channel, uint8_t kind, int64_t from_ms, int64_t at_ms)
{
    struct chain_op op = {.kind = CHAIN_OP_EVIDENCE};
    op.evidence.channel = channel;
    op.evidence.kind = kind;
    op.evidence.from_ns = T0 + from_ms * MS;
    op.evidence.at_ns = T0 + at_ms * MS;
    op.evidence.confidence_permille = 990;
    op.evidence.n_frames = 20;
    op.evidence.n_good = 2;
    return op;
}

static enum chain_response witness(int64_t at_ms, uint32_t author, uint32_t channel, uint8_t kind, int64_t from_ms, int64_t until_ms)
{
    struct chain_op op = op_evidence(channel, kind, from_ms, until_ms);
    return run_op(b, at_ms * MS, author, &op);
}

START_TEST(two_witnesses_of_four_confirm_one_record_once)
{
    ck_assert_int_eq(witness(5000, 0, 0, 4, 4000, 4100), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE), 1);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE_CONFIRMED), 0);
    ck_assert_int_eq(witness(5001, 0, 0, 4, 4050, 4200), CHAIN_SUCCESS); /* the same one again */
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE), 0);
    ck_assert_int_eq(witness(5002, 2, 0, 4, 3900, 4050), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE), 1);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE_CONFIRMED), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_EVIDENCE_CONFIRMED, 0)->station, 2);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_EVIDENCE_CONFIRMED, 0)->id, 1);
    ck_assert_int_eq(witness(5003, 3, 0, 4, 4000, 4100), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE), 1);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE_CONFIRMED), 0);
    ck_assert_uint_eq(chain_ledger_n_evidence(b->ledger), 1);
    const struct chain_evidence *e = chain_ledger_evidence(b->ledger, 0);
    ck_assert_uint_eq(e->witnesses, 13);
    ck_assert(e->confirmed);
    ck_assert_int_eq(e->from_ns, T0 + 3900 * MS);
    ck_assert_int_eq(e->at_ns, T0 + 4200 * MS);
}
END_TEST

START_TEST(other_channels_kinds_and_times_are_other_records)
{
    witness(9000, 0, 0, 4, 4000, 4100);
    witness(9001, 1, 1, 4, 4000, 4100);
    witness(9002, 1, 0, 5, 4000, 4100);
    witness(9003, 1, 0, 4, 5101, 5200); /* more than a second later */
    ck_assert_uint_eq(chain_ledger_n_evidence(b->ledger), 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert(!chain_ledger_evidence(b->ledger, i)->confirmed);
        ck_assert_uint_eq(chain_ledger_evidence(b->ledger, i)->id, i + 1);
    }
    witness(9004, 1, 0, 4, 5100, 5150); /* just within: joins the first */
    ck_assert(chain_ledger_evidence(b->ledger, 0)->confirmed);
}
END_TEST

START_TEST(more_liars_need_more_witnesses)
{
    start(7, "pbft");
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(witness(5000 + i, i, 0, 1, 4000, 4100), CHAIN_SUCCESS);
        ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE_CONFIRMED), i == 2);
    }
    start(7, "raft");
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_int_eq(witness(5000 + i, i, 0, 1, 4000, 4100), CHAIN_SUCCESS);
        ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE_CONFIRMED), i == 1);
    }
}
END_TEST

START_TEST(evidence_of_the_future_of_long_ago_and_of_nothing_is_refused)
{
    struct chain_op op = op_evidence(0, 1, 4000, 5002);
    ck_assert_int_eq(run_op(b, 5000 * MS, 0, &op), CHAIN_UNSYNC_OP_PARAM);
    op = op_evidence(0, 1, 4000, 5002);
    ck_assert_int_eq(run_op(b, 5001 * MS, 0, &op), CHAIN_SUCCESS); /* max_skew ahead */
    ck_assert_int_eq(run_op(b, (5002 + 3600000) * MS + 1, 0, &op), CHAIN_UNSYNC_OP_PARAM);
    op = op_evidence(4, 1, 4000, 5000);
    ck_assert_int_eq(run_op(b, 3700000 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_evidence(0, 1, 5001, 5000);
    ck_assert_int_eq(run_op(b, 3700001 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_evidence(0, 1, 4000, 5000);
    op.evidence.from_ns = INT64_MIN;
    ck_assert_int_eq(run_op(b, 3700002 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op.evidence.from_ns = 0;
    op.evidence.at_ns = INT64_MAX;
    ck_assert_int_eq(run_op(b, 3700003 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_evidence(0, 1, 4000, 5000);
    op.evidence.confidence_permille = 1001;
    ck_assert_int_eq(run_op(b, 3700004 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_evidence(0, 1, 4000, 5000);
    op.evidence.n_good = 21;
    ck_assert_int_eq(run_op(b, 3700005 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_evidence(0, 1, 3000000, 3600001);
    ck_assert_int_eq(run_op(b, 3700006 * MS, 0, &op), CHAIN_INVALID_VALUE); /* over ten minutes */
}
END_TEST

START_TEST(who_floods_the_table_pushes_out_its_own_records)
{
    witness(10000, 0, 0, 1, 100, 200);
    witness(10001, 1, 0, 1, 100, 200);
    for (int64_t i = 0; i < 200; i++)
        ck_assert_int_eq(witness(1000000 + i, 3, 1, (uint8_t)i, 900000, 900001), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_n_evidence(b->ledger), CHAIN_MAX_EVIDENCE);
    ck_assert_uint_eq(chain_ledger_evidence(b->ledger, 0)->id, 1);
    ck_assert(chain_ledger_evidence(b->ledger, 0)->confirmed);
    ck_assert_uint_eq(chain_ledger_evidence(b->ledger, CHAIN_MAX_EVIDENCE - 1)->kind, 199);
    witness(1000300, 0, 2, 1, 900000, 900001); /* a newcomer displaces the oldest */
    ck_assert_uint_gt(chain_ledger_evidence(b->ledger, 0)->id, 1);
    for (size_t i = 1; i < CHAIN_MAX_EVIDENCE; i++)
        ck_assert_uint_gt(chain_ledger_evidence(b->ledger, i)->id, chain_ledger_evidence(b->ledger, i - 1)->id);
}
END_TEST

/* Moves a station so many 1e-7 degrees north of where all are registered. */
static void move_north(int64_t at_ms, uint32_t station, int32_t by_e7)
{
    struct chain_op reg = op_register(), move = {.kind = CHAIN_OP_MOVE, .move = {reg.reg.lat_e7 + by_e7, reg.reg.lon_e7, 0}};
    ck_assert_int_eq(run_op(b, at_ms * MS, station, &move), CHAIN_SUCCESS);
}

static void set_range(uint32_t range_m)
{
    b->genesis.witness_range_m = range_m;
    b->genesis.white_after = 0;
    b->genesis.bar_ns = 30000 * MS;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    register_all(b, 1 * MS);
}

START_TEST(witnesses_of_one_thing_are_near_each_other)
{
    set_range(1000); /* 1e-7 degrees are 1.11195 cm: 1000 m are 89932 of them */
    move_north(2, 1, 89940);
    move_north(3, 2, 89925);
    ck_assert_int_eq(witness(5000, 0, 0, 4, 4000, 4100), CHAIN_SUCCESS);
    ck_assert_int_eq(witness(5001, 1, 0, 4, 4000, 4100), CHAIN_SUCCESS); /* eight centimetres too far: a record of its own */
    ck_assert_uint_eq(chain_ledger_n_evidence(b->ledger), 2);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE_CONFIRMED), 0);
    ck_assert_int_eq(witness(5002, 2, 0, 4, 4000, 4100), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE_CONFIRMED), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_EVIDENCE_CONFIRMED, 0)->id, 1);
    /* it is where the witness was when it spoke that counts */
    move_north(5003, 0, 900000);
    ck_assert_int_eq(witness(5004, 3, 0, 4, 4000, 4100), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_evidence(b->ledger, 0)->witnesses, 13);
}
END_TEST

static enum chain_response accuse(int64_t at_ms, uint32_t author, uint32_t channel, uint32_t suspect, int64_t from_ms, int64_t until_ms)
{
    struct chain_op op = {.kind = CHAIN_OP_UNAUTHORISED};
    op.unauthorised.channel = channel;
    op.unauthorised.suspect = suspect;
    op.unauthorised.from_ns = T0 + from_ms * MS;
    op.unauthorised.at_ns = T0 + until_ms * MS;
    op.unauthorised.level_cdb = -4000;
    return run_op(b, at_ms * MS, author, &op);
}

START_TEST(a_confirmed_unauthorised_user_loses_the_band)
{
    set_range(0);
    struct chain_op other = op_grant(b, 2), own = op_grant(b, 1), beat = op_lease(CHAIN_OP_HEARTBEAT, 2);
    ck_assert_int_eq(run_op(b, 3000 * MS, 3, &other), CHAIN_SUCCESS);
    ck_assert_int_eq(accuse(5000, 0, 1, 3, 4000, 4100), CHAIN_SUCCESS);
    ck_assert_int_eq(accuse(5001, 0, 1, 3, 4000, 4100), CHAIN_SUCCESS); /* one witness twice is one */
    ck_assert(!chain_ledger_barred(b->ledger, 3, 1, T0 + 5002 * MS));
    ck_assert_int_eq(run_op(b, 5002 * MS, 3, &own), CHAIN_SUCCESS); /* the deed comes after the use */
    ck_assert_int_eq(run_op(b, 5003 * MS, 3, &beat), CHAIN_SUCCESS);
    ck_assert_int_eq(accuse(5004, 1, 1, 3, 4050, 4200), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE_CONFIRMED), 1);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_SUSPENDED), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_SUSPENDED, 0)->id, 2);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_BARRED), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_BARRED, 0)->station, 3);
    ck_assert_int_eq(run_op(b, 5005 * MS, 3, &beat), CHAIN_SUSPENDED_GRANT);
    ck_assert(!grant_by_id(b, 1)->suspended); /* its other band is its own */
    ck_assert_int_eq(accuse(5006, 2, 1, 3, 4050, 4200), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_BARRED), 0);
    ck_assert_int_eq(run_op(b, 30000 * MS, 3, &own), CHAIN_BLACKLISTED);
    ck_assert_int_eq(run_op(b, 35004 * MS - 1, 3, &own), CHAIN_BLACKLISTED);
    ck_assert_int_eq(run_op(b, 35004 * MS, 3, &own), CHAIN_SUCCESS);
    ck_assert_msg(!chain_ledger_audit(b->ledger), "%s", chain_ledger_audit(b->ledger));
}
END_TEST

START_TEST(who_was_covered_by_a_lease_is_not_accused)
{
    set_range(0);
    struct chain_op grant = op_grant(b, 1), beat = op_lease(CHAIN_OP_HEARTBEAT, 1), back = op_lease(CHAIN_OP_RELINQUISH, 1);
    grant.grant.n_peers = 1;
    grant.grant.peers[0] = 2;
    ck_assert_int_eq(run_op(b, 3000 * MS, 3, &grant), CHAIN_SUCCESS);
    ck_assert_int_eq(accuse(3001, 0, 1, 3, 3000, 3001), CHAIN_SUCCESS); /* granted is not authorised */
    ck_assert_int_eq(run_op(b, 3500 * MS, 3, &beat), CHAIN_SUCCESS);   /* until 5900, silent at 6500 */
    ck_assert_int_eq(accuse(4001, 0, 1, 3, 3600, 4000), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(accuse(4002, 0, 1, 2, 3600, 4000), CHAIN_INVALID_VALUE); /* its peer answers it */
    ck_assert_int_eq(accuse(4003, 0, 1, 1, 3600, 4000), CHAIN_SUCCESS);
    ck_assert_int_eq(accuse(4004, 0, 2, 3, 3600, 4000), CHAIN_SUCCESS); /* another channel */
    ck_assert_int_eq(run_op(b, 4100 * MS, 3, &back), CHAIN_SUCCESS);
    ck_assert_int_eq(accuse(7000, 0, 1, 3, 6500, 6900), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(accuse(7001, 0, 1, 3, 6501, 6900), CHAIN_SUCCESS);
}
END_TEST

START_TEST(who_accuses_itself_nobody_or_a_control_channel_is_refused)
{
    set_range(0);
    ck_assert_int_eq(accuse(5000, 0, 1, 0, 4000, 4100), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(accuse(5001, 0, 1, 4, 4000, 4100), CHAIN_INVALID_VALUE); /* no such key */
    ck_assert_int_eq(accuse(5002, 0, 0, 1, 4000, 4100), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(accuse(5003, 0, 4, 1, 4000, 4100), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(accuse(5004, 0, 1, 1, 4100, 4000), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(accuse(5005, 0, 1, 1, 4000, 5007), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(accuse(5006, 0, 1, 1, -700000, 4000), CHAIN_INVALID_VALUE);
    struct chain_op op = op_evidence(1, CHAIN_EVIDENCE_UNAUTHORISED, 4000, 4100); /* the kind is not jamming */
    ck_assert_int_eq(run_op(b, 5007 * MS, 0, &op), CHAIN_INVALID_VALUE);
}
END_TEST

START_TEST(use_by_nobody_known_is_recorded_and_bars_nobody)
{
    set_range(0);
    ck_assert_int_eq(accuse(5000, 0, 1, CHAIN_MAX_KEYS, 4000, 4100), CHAIN_SUCCESS);
    ck_assert_int_eq(accuse(5001, 1, 1, 3, 4000, 4100), CHAIN_SUCCESS); /* a record of its own */
    ck_assert_int_eq(accuse(5002, 2, 1, CHAIN_MAX_KEYS, 4000, 4100), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EVIDENCE_CONFIRMED), 1);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_BARRED), 0);
    ck_assert_uint_eq(chain_ledger_n_evidence(b->ledger), 2);
    ck_assert_uint_eq(chain_ledger_evidence(b->ledger, 0)->suspect, CHAIN_MAX_KEYS);
    ck_assert_uint_eq(chain_ledger_evidence(b->ledger, 1)->suspect, 3);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("evidence");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, two_witnesses_of_four_confirm_one_record_once);
    tcase_add_test(tc, other_channels_kinds_and_times_are_other_records);
    tcase_add_test(tc, more_liars_need_more_witnesses);
    tcase_add_test(tc, evidence_of_the_future_of_long_ago_and_of_nothing_is_refused);
    tcase_add_test(tc, who_floods_the_table_pushes_out_its_own_records);
    tcase_add_test(tc, witnesses_of_one_thing_are_near_each_other);
    tcase_add_test(tc, a_confirmed_unauthorised_user_loses_the_band);
    tcase_add_test(tc, who_was_covered_by_a_lease_is_not_accused);
    tcase_add_test(tc, who_accuses_itself_nobody_or_a_control_channel_is_refused);
    tcase_add_test(tc, use_by_nobody_known_is_recorded_and_bars_nobody);
    suite_add_tcase(suite, tc);
}
