#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_member"
#include "tests/unit/check_main.h"

enum { HOUR_MS = 3600000 };

static struct bench *b;
static struct keyring spare; /* keys that nobody listed */

static void start_with(uint32_t n, const char *engine, uint32_t n_members)
{
    if (b)
        bench_close(b);
    b = bench_open(2);
    strcpy(b->genesis.engine, engine);
    make_keyring(&b->ring, n_members, n);
    b->genesis.members = b->ring.members;
}

static void go(void)
{
    const char *bad = "";
    ck_assert_msg(chain_genesis_finish(&b->genesis, NULL, &bad) == 0, "%s", bad);
    b->ring.members = b->genesis.members;
    bench_start(b);
}

static void set_up(void)
{
    make_keyring(&spare, CHAIN_MAX_MEMBERS, CHAIN_MAX_KEYS);
    start_with(6, "pbft", 4);
    go();
}

static void tear_down(void)
{
    ck_assert_msg(!chain_ledger_audit(b->ledger), "%s", chain_ledger_audit(b->ledger));
    bench_close(b);
    b = NULL;
}

/* A key that no genesis of this file lists. */
static struct chain_op op_admit(uint8_t i)
{
    struct chain_op op = {.kind = CHAIN_OP_ADMIT, .admit = {.key = {0xee, i}}};
    return op;
}

static struct chain_op op_seat(bool add, uint32_t key_id)
{
    return (struct chain_op){.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = add, .key_id = key_id}};
}

static enum chain_response say(int64_t at_ms, uint32_t author, struct chain_op op)
{
    return run_op(b, at_ms * MS, author, &op);
}

static const struct chain_members *members(void)
{
    return chain_ledger_members(b->ledger);
}

START_TEST(a_quorum_of_members_admits_a_key)
{
    ck_assert_int_eq(say(1, 0, op_admit(1)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(2, 0, op_admit(1)), CHAIN_SUCCESS); /* once more is the same voice */
    ck_assert_int_eq(say(3, 2, op_admit(1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(members()->n_keys, 6);
    ck_assert_uint_eq(chain_ledger_n_motions(b->ledger), 1);
    ck_assert_uint_eq(chain_ledger_motion(b->ledger, 0)->voices, 5);
    ck_assert_int_eq(say(4, 3, op_admit(1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_ADMITTED), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_ADMITTED, 0)->station, 6);
    ck_assert_uint_eq(chain_ledger_n_motions(b->ledger), 0);
    ck_assert_uint_eq(members()->n_keys, 7);
    ck_assert_uint_eq(members()->keys[6][1], 1);
    ck_assert_uint_eq(members()->n, 4);
    ck_assert_uint_eq(members()->epoch, 0);
    ck_assert_int_eq(say(5, 1, op_admit(1)), CHAIN_INVALID_VALUE); /* it is listed */
}
END_TEST

START_TEST(an_admitted_key_sends_transactions_and_another_does_not)
{
    start_with(4, "raft", 1);
    go();
    b->sign = true;
    bench_start(b);
    memcpy(b->genesis.members.keys[4], spare.members.keys[40], CHAIN_KEY_BYTES); /* what the fixture signs and encodes with */
    b->ring.keys[4] = spare.keys[40];
    struct chain_op admit = {.kind = CHAIN_OP_ADMIT}, reg = op_register();
    memcpy(admit.admit.key, spare.members.keys[40], CHAIN_KEY_BYTES);
    b->genesis.members.n_keys = 5;
    ck_assert_int_eq(run_op(b, 1 * MS, 4, &reg), CHAIN_MISSING_PARAM);
    ck_assert_int_eq(run_op(b, 2 * MS, 0, &admit), CHAIN_SUCCESS);
    ck_assert_int_eq(run_op(b, 3 * MS, 4, &reg), CHAIN_SUCCESS);
    ck_assert(chain_ledger_registered(b->ledger, 4));
    b->ring.keys[4] = spare.keys[41];
    ck_assert_int_eq(run_op(b, 4 * MS, 4, &reg), CHAIN_CERT_ERROR);
}
END_TEST

START_TEST(genesis_says_how_many_admit)
{
    static const struct {
        uint32_t admit_votes, needed;
    } rows[] = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {0, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start_with(4, "pbft", 4);
        b->genesis.admit_votes = rows[i].admit_votes;
        go();
        for (uint32_t voice = 0; voice < rows[i].needed; voice++) {
            ck_assert_uint_eq(members()->n_keys, 4);
            ck_assert_int_eq(say(1 + voice, voice, op_admit(9)), CHAIN_SUCCESS);
        }
        ck_assert_uint_eq(members()->n_keys, 5);
    }
}
END_TEST

START_TEST(the_authority_alone_does_what_members_do_together)
{
    start_with(6, "pbft", 4);
    b->genesis.has_authority = true;
    b->genesis.authority = 5;
    go();
    ck_assert_int_eq(say(1, 0, op_admit(1)), CHAIN_SUCCESS); /* a motion that the authority takes over */
    ck_assert_int_eq(say(2, 5, op_admit(1)), CHAIN_SUCCESS);
    ck_assert_uint_eq(members()->n_keys, 7);
    ck_assert_uint_eq(chain_ledger_n_motions(b->ledger), 0);
    ck_assert_int_eq(say(3, 5, op_seat(true, 6)), CHAIN_SUCCESS);
    ck_assert_uint_eq(members()->n, 5);
    ck_assert_uint_eq(members()->epoch, 1);
    ck_assert_uint_eq(members()->seats[4], 6);
    ck_assert_uint_eq(chain_members_seat(members(), 6), 4);
}
END_TEST

START_TEST(who_is_neither_member_nor_authority_moves_nothing)
{
    ck_assert_int_eq(say(1, 4, op_admit(1)), CHAIN_NOT_ENTITLED);
    ck_assert_int_eq(say(2, 5, op_seat(true, 5)), CHAIN_NOT_ENTITLED);
    ck_assert_uint_eq(chain_ledger_n_motions(b->ledger), 0);
}
END_TEST

START_TEST(keys_are_bounded)
{
    start_with(4, "raft", 1);
    go();
    for (uint8_t i = 0; i < CHAIN_MAX_KEYS - 4; i++)
        ck_assert_int_eq(say(1 + i, 0, op_admit(i)), CHAIN_SUCCESS);
    ck_assert_uint_eq(members()->n_keys, CHAIN_MAX_KEYS);
    ck_assert_int_eq(say(200, 0, op_admit(200)), CHAIN_LIMIT);
    ck_assert_uint_eq(members()->n_keys, CHAIN_MAX_KEYS);
    struct chain_op nothing = {.kind = CHAIN_OP_ADMIT};
    ck_assert_int_eq(say(201, 0, nothing), CHAIN_INVALID_VALUE);
}
END_TEST

START_TEST(each_member_has_two_motions_open_and_they_age)
{
    for (uint8_t i = 0; i < 2; i++)
        ck_assert_int_eq(say(1 + i, 0, op_admit(i)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(3, 0, op_admit(2)), CHAIN_LIMIT);
    ck_assert_int_eq(say(4, 0, op_seat(true, 4)), CHAIN_LIMIT);
    ck_assert_int_eq(say(5, 1, op_admit(3)), CHAIN_SUCCESS); /* the others can */
    ck_assert_int_eq(say(6, 0, op_admit(3)), CHAIN_SUCCESS); /* and it can join them */
    ck_assert_uint_eq(chain_ledger_n_motions(b->ledger), 3);
    ck_assert_int_eq(say(1 + HOUR_MS - 1, 0, op_admit(2)), CHAIN_LIMIT);
    ck_assert_int_eq(say(1 + HOUR_MS, 0, op_admit(2)), CHAIN_SUCCESS); /* the first is forgotten */
    ck_assert_uint_eq(chain_ledger_n_motions(b->ledger), 3);
    ck_assert_uint_eq(chain_ledger_motion(b->ledger, 0)->key[1], 1);
}
END_TEST

START_TEST(a_storm_of_admissions_fills_no_more_than_its_share)
{
    start_with(40, "raft", 32);
    go();
    for (uint32_t author = 0; author < 32; author++)
        for (uint8_t i = 0; i < 8; i++)
            ck_assert_int_eq(say(1 + author * 8 + i, author, op_admit((uint8_t)(author * 8 + i))), i < 2 ? CHAIN_SUCCESS : CHAIN_LIMIT);
    ck_assert_uint_eq(chain_ledger_n_motions(b->ledger), CHAIN_MAX_MOTIONS);
    ck_assert_uint_eq(members()->n_keys, 40);
}
END_TEST

START_TEST(a_reconfiguration_takes_effect_after_its_block)
{
    struct chain_op add = op_seat(true, 5);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(members()->epoch, 0);
        add_op(b, i, &add);
    }
    struct chain_op other = op_seat(true, 4), admit = op_admit(7);
    add_op(b, 3, &other);
    for (uint32_t i = 0; i < 3; i++) /* still four members, of which three are a quorum */
        add_op(b, i, &admit);
    run_block(b, 1 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_RECONFIGURED), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_RECONFIGURED, 0)->station, 5);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_RECONFIGURED, 0)->id, 1);
    ck_assert_int_eq(find_event(b, CHAIN_LE_REFUSED, 0)->code, CHAIN_BUSY);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_REFUSED), 1);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_ADMITTED), 1);
    static const uint8_t seats[5] = {0, 1, 2, 3, 5};
    ck_assert_uint_eq(members()->epoch, 1);
    ck_assert_uint_eq(members()->n, 5);
    ck_assert_mem_eq(members()->seats, seats, 5);
    ck_assert_uint_eq(chain_members_seat(members(), 4), CHAIN_MAX_MEMBERS);
    /* key 4 comes in between: seats ascend by key id */
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(say(2 + i, i, op_seat(true, 4)), CHAIN_SUCCESS);
    ck_assert_uint_eq(members()->epoch, 1); /* five members: the quorum is four */
    ck_assert_int_eq(say(5, 5, op_seat(true, 4)), CHAIN_SUCCESS);
    ck_assert_uint_eq(members()->epoch, 2);
    ck_assert_uint_eq(members()->seats[4], 4);
    ck_assert_uint_eq(members()->seats[5], 5);
    /* one that has lost its seat has no voice */
    for (uint32_t i = 0; i < 4; i++) /* six: again four */
        ck_assert_int_eq(say(6 + i, i, op_seat(false, 5)), CHAIN_SUCCESS);
    ck_assert_uint_eq(members()->epoch, 3);
    ck_assert_uint_eq(members()->n, 5);
    ck_assert_int_eq(say(20, 5, op_admit(8)), CHAIN_NOT_ENTITLED);
}
END_TEST

START_TEST(seats_are_neither_given_nor_taken_twice)
{
    ck_assert_int_eq(say(1, 0, op_seat(true, 1)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(2, 0, op_seat(false, 4)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(3, 0, op_seat(true, 6)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(4, 0, op_seat(true, UINT32_MAX)), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(say(5, 0, op_seat(false, 64)), CHAIN_INVALID_VALUE);
}
END_TEST

START_TEST(members_are_never_fewer_than_one_nor_more_than_32)
{
    start_with(40, "raft", 1);
    go();
    ck_assert_int_eq(say(1, 0, op_seat(false, 0)), CHAIN_LIMIT);
    b->genesis.has_authority = true;
    go();
    for (uint32_t key = 1; key < 32; key++)
        ck_assert_int_eq(say(key, 0, op_seat(true, key)), CHAIN_SUCCESS);
    ck_assert_uint_eq(members()->n, 32);
    ck_assert_uint_eq(members()->epoch, 31);
    ck_assert_int_eq(say(100, 0, op_seat(true, 33)), CHAIN_LIMIT);
    for (uint32_t key = 0; key < 31; key++)
        ck_assert_int_eq(say(101 + key, 0, op_seat(false, key)), CHAIN_SUCCESS); /* the authority needs no seat */
    ck_assert_uint_eq(members()->n, 1);
    ck_assert_uint_eq(members()->seats[0], 31);
    ck_assert_int_eq(say(200, 0, op_seat(false, 31)), CHAIN_LIMIT);
}
END_TEST

START_TEST(a_new_epoch_forgets_what_was_moved_about_seats)
{
    ck_assert_int_eq(say(1, 0, op_seat(true, 4)), CHAIN_SUCCESS);
    ck_assert_int_eq(say(2, 0, op_admit(1)), CHAIN_SUCCESS);
    for (uint32_t i = 1; i < 4; i++)
        ck_assert_int_eq(say(2 + i, i, op_seat(true, 5)), CHAIN_SUCCESS);
    ck_assert_uint_eq(members()->epoch, 1);
    ck_assert_uint_eq(chain_ledger_n_motions(b->ledger), 1);
    ck_assert_int_eq(chain_ledger_motion(b->ledger, 0)->kind, CHAIN_MOTION_ADMIT);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("member");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_quorum_of_members_admits_a_key);
    tcase_add_test(tc, an_admitted_key_sends_transactions_and_another_does_not);
    tcase_add_test(tc, genesis_says_how_many_admit);
    tcase_add_test(tc, the_authority_alone_does_what_members_do_together);
    tcase_add_test(tc, who_is_neither_member_nor_authority_moves_nothing);
    tcase_add_test(tc, keys_are_bounded);
    tcase_add_test(tc, each_member_has_two_motions_open_and_they_age);
    tcase_add_test(tc, a_storm_of_admissions_fills_no_more_than_its_share);
    tcase_add_test(tc, a_reconfiguration_takes_effect_after_its_block);
    tcase_add_test(tc, seats_are_neither_given_nor_taken_twice);
    tcase_add_test(tc, members_are_never_fewer_than_one_nor_more_than_32);
    tcase_add_test(tc, a_new_epoch_forgets_what_was_moved_about_seats);
    suite_add_tcase(suite, tc);
}
