#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_convict"
#include "tests/unit/check_main.h"

static struct bench *b;

static void set_up(void)
{
    b = bench_open(6);
    b->genesis.members.n = 4;
    b->genesis.has_authority = true;
    b->genesis.authority = 5;
    b->genesis.supply = 100;
    b->genesis.accuse_reward = 30;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    b->ring.members = b->genesis.members;
    b->sign = true;
    bench_start(b);
}

static void tear_down(void)
{
    ck_assert_msg(!chain_ledger_audit(b->ledger), "%s", chain_ledger_audit(b->ledger));
    bench_close(b);
    b = NULL;
}

/* Key signs two contents from its seat in members. */
static struct chain_op op_twice(const struct chain_members *members, uint32_t key, uint8_t kind, uint64_t seq)
{
    struct chain_op op = {.kind = CHAIN_OP_EQUIVOCATION};
    op.equivocation = (struct chain_equivocation){.kind = kind, .epoch = members->epoch, .author = chain_members_seat(members, key), .view = 3, .seq = seq,
                                                  .digest = {{{1}}, {{2}}}};
    for (int i = 0; i < 2; i++) {
        struct chain_msg msg = {.kind = kind, .author = op.equivocation.author, .view = 3, .seq = seq, .digest = op.equivocation.digest[i]};
        struct chain_signer signer = chain_signer_ed25519(&b->ring.keys[key]);
        ck_assert_int_eq(signer.sign(signer.ctx, members, &msg), 0);
        memcpy(op.equivocation.sig[i], msg.sig, CHAIN_SIG_BYTES);
    }
    return op;
}

static enum chain_response say(int64_t at_ms, uint32_t author, struct chain_op op)
{
    return run_op(b, at_ms * MS, author, &op);
}

static struct chain_op op_seat(bool add, uint32_t key_id)
{
    return (struct chain_op){.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = add, .key_id = key_id}};
}

START_TEST(two_signatures_of_one_seat_convict_it)
{
    static const uint8_t kinds[] = {CHAIN_MSG_HEADER_VOTE, CHAIN_MSG_PBFT_PRE_PREPARE, CHAIN_MSG_PBFT_PREPARE, CHAIN_MSG_PBFT_COMMIT};
    for (uint32_t key = 0; key < 4; key++) {
        ck_assert_int_eq(say(1 + key, 4, op_twice(chain_ledger_members(b->ledger), key, kinds[key], 9)), CHAIN_SUCCESS);
        ck_assert_uint_eq(chain_ledger_convicted(b->ledger), (2u << key) - 1);
        ck_assert_uint_eq(find_event(b, CHAIN_LE_CONVICTED, 0)->station, key);
        ck_assert_uint_eq(find_event(b, CHAIN_LE_CONVICTED, 0)->id, 0);
    }
    ck_assert_uint_eq(chain_ledger_balance(b->ledger, 4), 100); /* 30 each, as far as the treasury reached */
    ck_assert_uint_eq(chain_ledger_treasury(b->ledger), 0);
    ck_assert_int_eq(say(9, 4, op_twice(chain_ledger_members(b->ledger), 2, CHAIN_MSG_HEADER_VOTE, 10)), CHAIN_INVALID_VALUE); /* known */
}
END_TEST

START_TEST(two_view_changes_to_one_view_convict)
{
    const struct chain_members *m = chain_ledger_members(b->ledger);
    ck_assert_int_eq(say(1, 4, op_twice(m, 2, CHAIN_MSG_PBFT_VIEW_CHANGE, 9)), CHAIN_INVALID_VALUE); /* it has no height */
    ck_assert_int_eq(say(2, 4, op_twice(m, 2, CHAIN_MSG_PBFT_NEW_VIEW, 0)), CHAIN_INVALID_VALUE);
    ck_assert_uint_eq(chain_ledger_convicted(b->ledger), 0);
    struct chain_op op = op_twice(m, 2, CHAIN_MSG_PBFT_VIEW_CHANGE, 0);
    op.equivocation.view = 4; /* signed for another view */
    ck_assert_int_eq(say(3, 4, op), CHAIN_CERT_ERROR);
    op.equivocation.view = 3;
    ck_assert_int_eq(say(4, 4, op), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_convicted(b->ledger), 4);
}
END_TEST

START_TEST(what_proves_nothing_convicts_nobody)
{
    const struct chain_members *m = chain_ledger_members(b->ledger);
    struct chain_op op = op_twice(m, 1, CHAIN_MSG_PBFT_PREPARE, 9);
    op.equivocation.sig[1][5] ^= 1;
    ck_assert_int_eq(say(1, 4, op), CHAIN_CERT_ERROR);
    op = op_twice(m, 1, CHAIN_MSG_PBFT_PREPARE, 9);
    op.equivocation.sig[0][63] ^= 1;
    ck_assert_int_eq(say(2, 4, op), CHAIN_CERT_ERROR);
    op = op_twice(m, 1, CHAIN_MSG_PBFT_PREPARE, 9);
    op.equivocation.digest[1] = op.equivocation.digest[0]; /* the same thing twice */
    memcpy(op.equivocation.sig[1], op.equivocation.sig[0], CHAIN_SIG_BYTES);
    ck_assert_int_eq(say(3, 4, op), CHAIN_INVALID_VALUE);
    op = op_twice(m, 1, CHAIN_MSG_PBFT_PREPARE, 9);
    op.equivocation.author = 2; /* somebody else */
    ck_assert_int_eq(say(4, 4, op), CHAIN_CERT_ERROR);
    op.equivocation.author = 4; /* nobody */
    ck_assert_int_eq(say(5, 4, op), CHAIN_INVALID_VALUE);
    op.equivocation.author = UINT32_MAX;
    ck_assert_int_eq(say(6, 4, op), CHAIN_INVALID_VALUE);
    op = op_twice(m, 1, CHAIN_MSG_PBFT_PREPARE, 9);
    op.equivocation.seq = 10; /* another height */
    ck_assert_int_eq(say(7, 4, op), CHAIN_CERT_ERROR);
    op = op_twice(m, 1, CHAIN_MSG_TX, 9); /* what may well be said twice */
    ck_assert_int_eq(say(8, 4, op), CHAIN_INVALID_VALUE);
    op = op_twice(m, 1, CHAIN_MSG_RAFT_APPEND, 9);
    ck_assert_int_eq(say(9, 4, op), CHAIN_INVALID_VALUE);
    op = op_twice(m, 1, CHAIN_MSG_PBFT_PREPARE, 9);
    op.equivocation.epoch = 1;
    ck_assert_int_eq(say(10, 4, op), CHAIN_UNSYNC_OP_PARAM);
    op.equivocation.epoch = UINT32_MAX; /* the epoch before the first, if numbers wrapped */
    ck_assert_int_eq(say(11, 4, op), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_uint_eq(chain_ledger_convicted(b->ledger), 0);
    ck_assert_uint_eq(chain_ledger_balance(b->ledger, 4), 0);
}
END_TEST

START_TEST(nobody_is_rewarded_for_accusing_itself)
{
    ck_assert_int_eq(say(1, 1, op_twice(chain_ledger_members(b->ledger), 1, CHAIN_MSG_HEADER_VOTE, 9)), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_convicted(b->ledger), 2);
    ck_assert_uint_eq(chain_ledger_balance(b->ledger, 1), 0);
}
END_TEST

START_TEST(the_convicted_have_no_voice_until_the_next_epoch)
{
    ck_assert_int_eq(say(1, 4, op_twice(chain_ledger_members(b->ledger), 1, CHAIN_MSG_HEADER_VOTE, 9)), CHAIN_SUCCESS);
    struct chain_op admit = {.kind = CHAIN_OP_ADMIT, .admit = {.key = {1}}};
    ck_assert_int_eq(say(2, 1, admit), CHAIN_NOT_ENTITLED);
    ck_assert_int_eq(say(3, 0, admit), CHAIN_SUCCESS);
    ck_assert_int_eq(say(4, 2, admit), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_members(b->ledger)->n_keys, 6);
    ck_assert_int_eq(say(5, 5, op_seat(true, 4)), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_convicted(b->ledger), 0);
    ck_assert_int_eq(say(6, 1, admit), CHAIN_SUCCESS);
}
END_TEST

START_TEST(a_voice_given_before_a_conviction_is_lost)
{
    struct chain_op admit = {.kind = CHAIN_OP_ADMIT, .admit = {.key = {1}}};
    ck_assert_int_eq(say(1, 1, admit), CHAIN_SUCCESS);
    ck_assert_int_eq(say(2, 0, admit), CHAIN_SUCCESS);
    ck_assert_int_eq(say(3, 4, op_twice(chain_ledger_members(b->ledger), 1, CHAIN_MSG_HEADER_VOTE, 9)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(4, 2, admit), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_members(b->ledger)->n_keys, 6); /* three voices, one of which counts nothing */
    ck_assert_int_eq(say(5, 3, admit), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_members(b->ledger)->n_keys, 7);
}
END_TEST

START_TEST(a_new_epoch_is_no_way_out)
{
    struct chain_members then = *chain_ledger_members(b->ledger);
    struct chain_op first = op_twice(&then, 3, CHAIN_MSG_HEADER_VOTE, 9), second = op_twice(&then, 2, CHAIN_MSG_HEADER_VOTE, 9);
    struct chain_op gone = op_twice(&then, 0, CHAIN_MSG_HEADER_VOTE, 9);
    ck_assert_int_eq(say(1, 4, first), CHAIN_SUCCESS);
    ck_assert_int_eq(say(2, 5, op_seat(false, 0)), CHAIN_SUCCESS); /* seats 0, 1, 2 are keys 1, 2, 3 now */
    ck_assert_int_eq(say(3, 4, first), CHAIN_INVALID_VALUE);       /* that was paid for */
    ck_assert_uint_eq(chain_ledger_convicted(b->ledger), 0);
    ck_assert_int_eq(say(4, 4, second), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_convicted(b->ledger), 2); /* key 2 sits on seat 1 */
    ck_assert_int_eq(say(5, 4, second), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(6, 4, gone), CHAIN_SUCCESS); /* it has no seat to lose */
    ck_assert_uint_eq(chain_ledger_convicted(b->ledger), 2);
    struct chain_members now = *chain_ledger_members(b->ledger);
    ck_assert_int_eq(say(7, 4, op_twice(&now, 3, CHAIN_MSG_HEADER_VOTE, 20)), CHAIN_SUCCESS);
    ck_assert_uint_eq(chain_ledger_convicted(b->ledger), 6);
    ck_assert_int_eq(say(8, 5, op_seat(true, 0)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(9, 4, op_twice(&then, 1, CHAIN_MSG_HEADER_VOTE, 9)), CHAIN_UNSYNC_OP_PARAM); /* two epochs ago */
}
END_TEST

START_TEST(a_block_looks_at_eight_accusations)
{
    const struct chain_members *m = chain_ledger_members(b->ledger);
    struct chain_op op = op_twice(m, 1, CHAIN_MSG_PBFT_PREPARE, 9);
    op.equivocation.sig[1][5] ^= 1;
    for (int i = 0; i < 10; i++)
        add_op(b, 4, &op);
    run_block(b, 1 * MS);
    for (size_t i = 0; i < 10; i++)
        ck_assert_int_eq(find_event(b, CHAIN_LE_REFUSED, i)->code, i < 8 ? CHAIN_CERT_ERROR : CHAIN_LIMIT);
    ck_assert_int_eq(say(2, 4, op_twice(m, 1, CHAIN_MSG_PBFT_PREPARE, 9)), CHAIN_SUCCESS); /* the next one does again */
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("convict");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, two_signatures_of_one_seat_convict_it);
    tcase_add_test(tc, two_view_changes_to_one_view_convict);
    tcase_add_test(tc, what_proves_nothing_convicts_nobody);
    tcase_add_test(tc, nobody_is_rewarded_for_accusing_itself);
    tcase_add_test(tc, the_convicted_have_no_voice_until_the_next_epoch);
    tcase_add_test(tc, a_voice_given_before_a_conviction_is_lost);
    tcase_add_test(tc, a_new_epoch_is_no_way_out);
    tcase_add_test(tc, a_block_looks_at_eight_accusations);
    suite_add_tcase(suite, tc);
}
