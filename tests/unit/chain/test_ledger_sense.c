#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_sense"
#include "tests/unit/check_main.h"

static struct bench *b;
static const uint32_t nothing[4] = {0, 0, 0, 0};

static void set_up(void)
{
    b = bench_open(4);
    register_all(b, 1 * MS);
}

static void tear_down(void)
{
    bench_close(b);
}

static enum chain_response commit(int64_t at_ns, uint32_t station, uint64_t k, uint32_t bits)
{
    struct chain_op reveal = op_reveal(b, station, window_number(b, k), bits), op = op_commit(station, &reveal);
    return run_op(b, at_ns, station, &op);
}

static enum chain_response reveal(int64_t at_ns, uint32_t station, uint64_t k, uint32_t bits)
{
    struct chain_op op = op_reveal(b, station, window_number(b, k), bits);
    return run_op(b, at_ns, station, &op);
}

START_TEST(a_window_is_decided_once_everybody_has_revealed)
{
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_int_eq(commit(111 * MS + i, i, 0, 2), CHAIN_SUCCESS);
    ck_assert(chain_ledger_committed(b->ledger, 3, window_number(b, 0)));
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(count_events(b, CHAIN_LE_WINDOW_FUSED), 0);
        ck_assert_int_eq(reveal(120 * MS + i, i, 0, 2), CHAIN_SUCCESS);
        ck_assert(!chain_ledger_committed(b->ledger, i, window_number(b, 0)));
    }
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WINDOW_FUSED), 4);
    for (uint32_t c = 0; c < 4; c++) {
        const struct chain_ledger_event *event = find_event(b, CHAIN_LE_WINDOW_FUSED, c);
        ck_assert_uint_eq(event->channel, c);
        ck_assert_uint_eq(event->id, window_number(b, 0));
        ck_assert_uint_eq(event->n_reports, 4);
        ck_assert_uint_eq(event->n_positive, c == 1 ? 4 : 0);
        ck_assert_int_eq(event->occupied, c == 1);
        ck_assert_int_eq(event->code, CHAIN_SUCCESS);
    }
    ck_assert_uint_eq(count_events(b, CHAIN_LE_INCUMBENT), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_INCUMBENT, 0)->channel, 1);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 1)->status, CHAIN_CHANNEL_INCUMBENT);
    ck_assert_uint_eq(chain_ledger_channel(b->ledger, 1)->since_window, window_number(b, 0));
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 2)->status, CHAIN_CHANNEL_UNKNOWN);
    ck_assert_int_eq(reveal(130 * MS, 0, 0, 2), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(commit(131 * MS, 0, 0, 2), CHAIN_UNSYNC_OP_PARAM);
}
END_TEST

START_TEST(a_silent_station_delays_the_verdict_until_fuse_after)
{
    for (uint32_t i = 0; i < 4; i++)
        commit(111 * MS + i, i, 0, 0);
    for (uint32_t i = 0; i < 3; i++)
        reveal(120 * MS + i, i, 0, 0);
    run_block(b, window_end(b, 0) + 150 * MS - 1);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WINDOW_FUSED), 0);
    /* what the deciding block itself reveals still counts */
    ck_assert_int_eq(reveal(window_end(b, 0) + 150 * MS, 3, 0, 0), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WINDOW_FUSED), 4);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 0)->n_reports, 4);
}
END_TEST

START_TEST(a_station_that_registers_late_is_not_waited_for)
{
    bench_start(b);
    memset(b->next_nonce, 0, sizeof b->next_nonce);
    struct chain_op op = op_register();
    for (uint32_t i = 0; i < 3; i++)
        add_op(b, i, &op);
    run_block(b, 1 * MS);
    run_op(b, 105 * MS, 3, &op); /* inside the window */
    sense_window(b, 0, 7, nothing);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WINDOW_FUSED), 4);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 0)->n_reports, 3);
}
END_TEST

START_TEST(one_report_alone_decides_nothing)
{
    uint32_t bits[4] = {15, 15, 15, 15};
    sense_window(b, 0, 1, bits);
    run_block(b, window_end(b, 0) + 150 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WINDOW_FUSED), 4);
    const struct chain_ledger_event *event = find_event(b, CHAIN_LE_WINDOW_FUSED, 1);
    ck_assert_int_eq(event->code, CHAIN_UNSYNC_OP_PARAM);
    ck_assert(!event->occupied);
    ck_assert_uint_eq(event->n_reports, 1);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 1)->status, CHAIN_CHANNEL_UNKNOWN);
    ck_assert_uint_eq(chain_ledger_reputation(b->ledger, 0), 125); /* as at first */
}
END_TEST

START_TEST(one_false_alarm_of_four_is_outvoted_and_two_are_not)
{
    uint32_t one[4] = {0, 0, 4, 0}, two[4] = {4, 0, 4, 0};
    sense_window(b, 0, 15, one);
    ck_assert(!find_event(b, CHAIN_LE_WINDOW_FUSED, 2)->occupied);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 2)->n_positive, 1);
    sense_window(b, 1, 15, two);
    ck_assert(find_event(b, CHAIN_LE_WINDOW_FUSED, 2)->occupied);
}
END_TEST

START_TEST(one_positive_of_two_is_not_enough)
{
    uint32_t one[4] = {4, 0, 0, 0};
    sense_window(b, 0, 3, one);
    run_block(b, window_end(b, 0) + 150 * MS);
    ck_assert(!find_event(b, CHAIN_LE_WINDOW_FUSED, 2)->occupied);
    ck_assert_int_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 2)->code, CHAIN_SUCCESS);
}
END_TEST

START_TEST(commitments_come_in_time_from_registered_stations_once)
{
    int64_t end_ns = window_end(b, 0);
    ck_assert_int_eq(commit(end_ns - 1 * MS - 1, 0, 0, 0), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(commit(end_ns - 1 * MS, 0, 0, 0), CHAIN_SUCCESS); /* max_skew early */
    ck_assert_int_eq(commit(end_ns, 0, 0, 4), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(commit(end_ns + 1, 1, UINT64_MAX - window_number(b, 0), 0), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(commit(end_ns + 2, 1, 1, 0), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(commit(end_ns + 150 * MS - 1, 1, 0, 0), CHAIN_SUCCESS);
    ck_assert_int_eq(commit(end_ns + 150 * MS + 1, 2, 0, 0), CHAIN_UNSYNC_OP_PARAM);
}
END_TEST

START_TEST(nobody_commits_after_the_first_reveal)
{
    ck_assert_int_eq(commit(111 * MS, 0, 0, 0), CHAIN_SUCCESS);
    ck_assert_int_eq(commit(112 * MS, 1, 0, 0), CHAIN_SUCCESS);
    ck_assert_int_eq(reveal(window_end(b, 0) + 75 * MS, 0, 0, 0), CHAIN_SUCCESS);
    ck_assert_int_eq(commit(window_end(b, 0) + 76 * MS, 2, 0, 0), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(reveal(window_end(b, 0) + 77 * MS, 1, 0, 0), CHAIN_SUCCESS);
}
END_TEST

START_TEST(nobody_reveals_before_all_have_committed_or_half_the_time_is_over)
{
    int64_t end_ns = window_end(b, 0), next_ns = window_end(b, 1);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(commit(end_ns + i, i, 0, 0), CHAIN_SUCCESS);
    ck_assert_int_eq(reveal(end_ns + 75 * MS - 1, 0, 0, 0), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(reveal(end_ns + 75 * MS, 0, 0, 0), CHAIN_SUCCESS);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(commit(next_ns + 2 * i, i, 1, 0), CHAIN_SUCCESS);
        ck_assert_int_eq(reveal(next_ns + 2 * i + 1, i, 1, 0), i == 3 ? CHAIN_SUCCESS : CHAIN_UNSYNC_OP_PARAM);
    }
}
END_TEST

/* Those who agree beforehand commit as early as anybody may and reveal at once, before the honest ones' commitments are on the ledger. */
static void hurry(uint32_t n_liars, uint64_t from, bool is_taken)
{
    const uint32_t truth = is_taken ? 2 : 0;
    for (uint64_t k = from; k < from + 50; k++) {
        int64_t end_ns = window_end(b, k);
        struct chain_op reveals[10], commits[10];
        for (uint32_t i = 0; i < 10; i++) {
            reveals[i] = op_reveal(b, i, window_number(b, k), i < n_liars ? 2 - truth : truth);
            commits[i] = op_commit(i, &reveals[i]);
        }
        for (int phase = 0; phase < 2; phase++) {
            for (uint32_t i = 0; i < n_liars; i++)
                add_op(b, i, phase == 0 ? &commits[i] : &reveals[i]);
            run_block(b, phase == 0 ? end_ns - b->genesis.max_skew_ns : end_ns + 4 * MS);
        }
        ck_assert_uint_eq(count_events(b, CHAIN_LE_REFUSED), n_liars);
        for (uint32_t i = n_liars; i < 10; i++)
            add_op(b, i, &commits[i]);
        run_block(b, end_ns + 9 * MS);
        ck_assert_uint_eq(count_events(b, CHAIN_LE_REFUSED), 0);
        for (uint32_t i = 0; i < 10; i++)
            add_op(b, i, &reveals[i]);
        run_block(b, end_ns + 14 * MS);
        const struct chain_ledger_event *verdict = find_event(b, CHAIN_LE_WINDOW_FUSED, 1);
        ck_assert_ptr_nonnull(verdict);
        ck_assert_int_eq(verdict->code, CHAIN_SUCCESS);
        ck_assert_uint_eq(verdict->n_reports, 10);
        ck_assert_int_eq(verdict->occupied, is_taken);
    }
}

START_TEST(liars_that_commit_and_reveal_first_neither_decide_nor_blind_the_ledger)
{
    bench_close(b);
    b = bench_open(10);
    register_all(b, 1 * MS);
    sense_windows(b, 0, 40, 0); /* everybody has a full voice */
    for (uint32_t n_liars = 1; n_liars <= 3; n_liars++) {
        hurry(n_liars, 100 * n_liars, true);
        hurry(n_liars, 100 * n_liars + 50, false);
    }
}
END_TEST

START_TEST(a_station_reveals_when_all_have_committed_or_half_the_time_is_over)
{
    uint64_t window = window_number(b, 0);
    int64_t end_ns = window_end(b, 0);
    ck_assert(!chain_ledger_may_reveal(b->ledger, window, T0 + end_ns + 149 * MS));
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(commit(end_ns + i, i, 0, 0), CHAIN_SUCCESS);
        ck_assert_int_eq(chain_ledger_may_reveal(b->ledger, window, T0 + end_ns + 5), i == 3);
        ck_assert_int_eq(chain_ledger_may_reveal(b->ledger, window, T0 + end_ns + 75 * MS - 1), i == 3);
        ck_assert(chain_ledger_may_reveal(b->ledger, window, T0 + end_ns + 75 * MS));
    }
    ck_assert_int_eq(commit(window_end(b, 1), 0, 1, 0), CHAIN_SUCCESS);
    ck_assert(!chain_ledger_may_reveal(b->ledger, window_number(b, 1), T0 + window_end(b, 1)));
    ck_assert_int_eq(reveal(window_end(b, 1) + 75 * MS, 0, 1, 0), CHAIN_SUCCESS);
    ck_assert(chain_ledger_may_reveal(b->ledger, window_number(b, 1), T0 + window_end(b, 1)));
}
END_TEST

START_TEST(a_reveal_takes_an_earlier_block_and_the_committed_report)
{
    struct chain_op r = op_reveal(b, 0, window_number(b, 0), 2), c = op_commit(0, &r);
    add_op(b, 0, &c);
    add_op(b, 0, &r);
    run_block(b, 191 * MS);
    ck_assert_int_eq(find_event(b, CHAIN_LE_TX, 0)->code, CHAIN_SUCCESS);
    ck_assert_int_eq(find_event(b, CHAIN_LE_TX, 1)->code, CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(reveal(192 * MS, 0, 0, 3), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(reveal(193 * MS, 1, 0, 2), CHAIN_UNSYNC_OP_PARAM);
    r.reveal.salt[15] ^= 1;
    ck_assert_int_eq(run_op(b, 194 * MS, 0, &r), CHAIN_INVALID_VALUE);
    r = op_reveal(b, 0, window_number(b, 0), 2);
    r.reveal.n_channels = 3;
    ck_assert_int_eq(run_op(b, 195 * MS, 0, &r), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(reveal(196 * MS, 0, 0, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(reveal(197 * MS, 0, 0, 2), CHAIN_UNSYNC_OP_PARAM);
}
END_TEST

START_TEST(a_commitment_copied_from_another_station_cannot_be_opened)
{
    struct chain_op r = op_reveal(b, 0, window_number(b, 0), 2), c = op_commit(0, &r);
    ck_assert_int_eq(run_op(b, 191 * MS, 0, &c), CHAIN_SUCCESS);
    ck_assert_int_eq(run_op(b, 192 * MS, 1, &c), CHAIN_SUCCESS);
    ck_assert_int_eq(run_op(b, 193 * MS, 0, &r), CHAIN_SUCCESS);
    ck_assert_int_eq(run_op(b, 194 * MS, 1, &r), CHAIN_INVALID_VALUE);
}
END_TEST

START_TEST(white_space_takes_consecutive_free_windows)
{
    sense_windows(b, 0, 2, 0);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 2)->status, CHAIN_CHANNEL_UNKNOWN);
    ck_assert_uint_eq(chain_ledger_channel(b->ledger, 2)->free_windows, 2);
    sense_windows(b, 3, 5, 0); /* window 2 was missed: the row starts again */
    ck_assert_uint_eq(chain_ledger_channel(b->ledger, 2)->free_windows, 2);
    sense_windows(b, 5, 6, 0);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 2)->status, CHAIN_CHANNEL_WHITE);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WHITE_SPACE), 4);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WHITE_SPACE, 2)->id, window_number(b, 5));
    sense_windows(b, 6, 7, 0);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WHITE_SPACE), 0);
    sense_windows(b, 7, 8, 4);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 2)->status, CHAIN_CHANNEL_INCUMBENT);
    sense_windows(b, 8, 10, 0);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 2)->status, CHAIN_CHANNEL_INCUMBENT);
    sense_windows(b, 10, 11, 0);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 2)->status, CHAIN_CHANNEL_WHITE);
}
END_TEST

START_TEST(a_later_window_takes_the_earlier_ones_with_it)
{
    b->genesis.fuse_after_ns = 1000 * MS;
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    memset(b->next_nonce, 0, sizeof b->next_nonce);
    register_all(b, 1 * MS);
    sense_window(b, 0, 7, nothing); /* one is missing: open */
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WINDOW_FUSED), 0);
    sense_window(b, 1, 15, nothing);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_WINDOW_FUSED), 8);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 0)->id, window_number(b, 0));
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 7)->id, window_number(b, 1));
    ck_assert_int_eq(reveal(500 * MS, 3, 0, 0), CHAIN_UNSYNC_OP_PARAM);
}
END_TEST

START_TEST(a_liar_loses_its_say)
{
    uint32_t bits[4] = {0, 0, 0, 12}; /* the last one cries wolf on two channels */
    for (uint32_t k = 0; k < 5; k++) {
        uint32_t before = chain_ledger_reputation(b->ledger, 3);
        ck_assert_uint_eq(chain_ledger_reputation(b->ledger, 0), 1000 * (4 + k) / 32);
        sense_window(b, k, 15, bits);
        ck_assert_uint_lt(chain_ledger_reputation(b->ledger, 3), before);
    }
    /* with one honest false alarm it would have made two */
    bits[0] = 4;
    sense_window(b, 5, 15, bits);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 2)->n_positive, 2);
    ck_assert(!find_event(b, CHAIN_LE_WINDOW_FUSED, 2)->occupied);
    /* and honest words bring it back */
    uint32_t least = chain_ledger_reputation(b->ledger, 3);
    sense_windows(b, 6, 8, 0);
    ck_assert_uint_gt(chain_ledger_reputation(b->ledger, 3), least);
}
END_TEST

START_TEST(a_station_that_misses_a_primary_loses_and_does_not_hide_it)
{
    uint32_t bits[4] = {4, 4, 4, 0};
    sense_window(b, 0, 15, bits);
    ck_assert(find_event(b, CHAIN_LE_WINDOW_FUSED, 2)->occupied);
    ck_assert_uint_eq(chain_ledger_reputation(b->ledger, 3), 121);
    ck_assert_uint_eq(chain_ledger_reputation(b->ledger, 0), 1000 * 5 / 32);
}
END_TEST

START_TEST(newcomers_on_probation_do_not_overrule_those_who_proved_themselves)
{
    bench_close(b);
    b = bench_open(7);
    struct chain_op op = op_register();
    for (uint32_t i = 0; i < 2; i++)
        add_op(b, i, &op);
    run_block(b, 1 * MS);
    uint32_t bits[7] = {0};
    for (uint64_t k = 0; k < 40; k++)
        sense_window(b, k, 3, bits);
    ck_assert_uint_eq(chain_ledger_reputation(b->ledger, 0), 1000);
    for (uint32_t i = 2; i < 7; i++)
        add_op(b, i, &op);
    run_block(b, window_end(b, 39) + 30 * MS);
    for (uint32_t i = 2; i < 7; i++)
        bits[i] = 8; /* five together say that channel 3 is taken */
    sense_window(b, 40, 127, bits);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 3)->n_positive, 5);
    ck_assert(!find_event(b, CHAIN_LE_WINDOW_FUSED, 3)->occupied);
    /* one word of theirs beside one of an old hand is no second word either */
    bits[0] = 8;
    for (uint32_t i = 3; i < 7; i++)
        bits[i] = 0;
    sense_window(b, 41, 127, bits);
    ck_assert(!find_event(b, CHAIN_LE_WINDOW_FUSED, 3)->occupied);
    bits[0] = bits[2] = 0;
    for (uint64_t k = 42; k < 72; k++)
        sense_window(b, k, 127, bits);
    bits[0] = bits[3] = 8; /* after thirty windows in which it agreed, it is; but two of seven are less than a third */
    sense_window(b, 72, 127, bits);
    ck_assert(!find_event(b, CHAIN_LE_WINDOW_FUSED, 3)->occupied);
    bits[4] = 8;
    sense_window(b, 73, 127, bits);
    ck_assert(find_event(b, CHAIN_LE_WINDOW_FUSED, 3)->occupied);
}
END_TEST

/* Two that always disagree leave nobody with a say beside the other: the ledger must not stay deaf for good. */
START_TEST(what_is_held_against_stations_fades_while_too_few_have_a_say)
{
    bench_close(b);
    b = bench_open(2);
    register_all(b, 1 * MS);
    uint32_t bits[2] = {15, 0};
    uint64_t k = 0;
    size_t n_void = 0;
    for (; k < 200; k++) {
        sense_window(b, k, 3, bits);
        n_void += find_event(b, CHAIN_LE_WINDOW_FUSED, 0)->code == CHAIN_UNSYNC_OP_PARAM;
        ck_assert(!find_event(b, CHAIN_LE_WINDOW_FUSED, 0)->occupied);
    }
    ck_assert_uint_gt(n_void, 0);
    bits[1] = 15;
    for (; k < 400; k++)
        sense_window(b, k, 3, bits);
    ck_assert_int_eq(find_event(b, CHAIN_LE_WINDOW_FUSED, 0)->code, CHAIN_SUCCESS);
    ck_assert(find_event(b, CHAIN_LE_WINDOW_FUSED, 0)->occupied);
}
END_TEST

START_TEST(with_white_after_zero_channels_are_white_until_an_incumbent_is_sensed)
{
    b->genesis.white_after = 0;
    const char *bad = NULL;
    ck_assert_msg(chain_genesis_finish(&b->genesis, NULL, &bad) == 0, "%s", bad ? bad : "");
    b->ring.members = b->genesis.members;
    memset(b->next_nonce, 0, sizeof b->next_nonce);
    bench_start(b);
    for (uint32_t c = 0; c < 4; c++) {
        ck_assert_int_eq(chain_ledger_channel(b->ledger, c)->status, c == 0 ? CHAIN_CHANNEL_UNKNOWN : CHAIN_CHANNEL_WHITE);
        ck_assert_int_eq(chain_ledger_channel(b->ledger, c)->since_ns, c == 0 ? 0 : T0);
        ck_assert_int_eq(chain_ledger_channel_free(b->ledger, c, T0 + 1), c != 0);
    }
    register_all(b, 1 * MS);
    struct chain_op grant = op_grant(b, 2), control = op_grant(b, 0);
    ck_assert_int_eq(run_op(b, 2 * MS, 1, &grant), CHAIN_SUCCESS);
    ck_assert_int_eq(run_op(b, 3 * MS, 1, &control), CHAIN_UNSUPPORTED_SPECTRUM);
    /* an incumbent takes the channel back, and one window without it gives it free */
    sense_windows(b, 0, 1, 4);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 2)->status, CHAIN_CHANNEL_INCUMBENT);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 1)->status, CHAIN_CHANNEL_WHITE);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_SUSPENDED), 1);
    ck_assert_int_eq(run_op(b, window_end(b, 0) + 30 * MS, 0, &grant), CHAIN_INTERFERENCE);
    sense_windows(b, 1, 2, 0);
    ck_assert_int_eq(chain_ledger_channel(b->ledger, 2)->status, CHAIN_CHANNEL_WHITE);
    ck_assert_uint_eq(chain_ledger_channel(b->ledger, 2)->since_window, window_number(b, 1));
    ck_assert_int_eq(run_op(b, window_end(b, 1) + 30 * MS, 0, &grant), CHAIN_SUCCESS);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("sense");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_window_is_decided_once_everybody_has_revealed);
    tcase_add_test(tc, a_silent_station_delays_the_verdict_until_fuse_after);
    tcase_add_test(tc, a_station_that_registers_late_is_not_waited_for);
    tcase_add_test(tc, one_report_alone_decides_nothing);
    tcase_add_test(tc, one_false_alarm_of_four_is_outvoted_and_two_are_not);
    tcase_add_test(tc, one_positive_of_two_is_not_enough);
    tcase_add_test(tc, commitments_come_in_time_from_registered_stations_once);
    tcase_add_test(tc, nobody_commits_after_the_first_reveal);
    tcase_add_test(tc, nobody_reveals_before_all_have_committed_or_half_the_time_is_over);
    tcase_add_test(tc, liars_that_commit_and_reveal_first_neither_decide_nor_blind_the_ledger);
    tcase_add_test(tc, a_station_reveals_when_all_have_committed_or_half_the_time_is_over);
    tcase_add_test(tc, a_reveal_takes_an_earlier_block_and_the_committed_report);
    tcase_add_test(tc, a_commitment_copied_from_another_station_cannot_be_opened);
    tcase_add_test(tc, white_space_takes_consecutive_free_windows);
    tcase_add_test(tc, a_later_window_takes_the_earlier_ones_with_it);
    tcase_add_test(tc, a_liar_loses_its_say);
    tcase_add_test(tc, a_station_that_misses_a_primary_loses_and_does_not_hide_it);
    tcase_add_test(tc, newcomers_on_probation_do_not_overrule_those_who_proved_themselves);
    tcase_add_test(tc, what_is_held_against_stations_fades_while_too_few_have_a_say);
    tcase_add_test(tc, with_white_after_zero_channels_are_white_until_an_incumbent_is_sensed);
    suite_add_tcase(suite, tc);
}
