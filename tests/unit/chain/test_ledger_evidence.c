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

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("evidence");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, two_witnesses_of_four_confirm_one_record_once);
    tcase_add_test(tc, other_channels_kinds_and_times_are_other_records);
    tcase_add_test(tc, more_liars_need_more_witnesses);
    tcase_add_test(tc, evidence_of_the_future_of_long_ago_and_of_nothing_is_refused);
    tcase_add_test(tc, who_floods_the_table_pushes_out_its_own_records);
    suite_add_tcase(suite, tc);
}
