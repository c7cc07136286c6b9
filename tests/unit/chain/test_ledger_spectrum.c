#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_spectrum"
#include "tests/unit/check_main.h"

static struct bench *b;

enum { AUTHORITY = 3, TAIL_MS = 600 + 2 + 1 }; /* stop, twice max_skew, drift guard */

/* Station 3 is the authority; all are at one place, and channels 1 to 3 are white without anybody sensing. */
static void start(uint32_t reuse_m, bool in_white_space, int64_t abandon_ns)
{
    b->genesis.has_authority = true;
    b->genesis.authority = AUTHORITY;
    b->genesis.reuse_m = reuse_m;
    b->genesis.lease_in_white_space = in_white_space;
    b->genesis.abandon_ns = abandon_ns;
    b->genesis.white_after = 0;
    const char *bad = NULL;
    ck_assert_msg(chain_genesis_finish(&b->genesis, NULL, &bad) == 0, "%s", bad ? bad : "");
    b->ring.members = b->genesis.members;
    memset(b->next_nonce, 0, sizeof b->next_nonce);
    bench_start(b);
    register_all(b, 1 * MS);
}

static void setup(void)
{
    b = bench_open(4);
    start(0, false, 0);
}

static void teardown(void)
{
    bench_close(b);
}

/* Around the place where all stations are; channel 2's band. */
static struct chain_op op_spectrum(enum chain_spectrum_kind kind, int64_t from_ms, int64_t until_ms)
{
    struct chain_op op = {.kind = CHAIN_OP_SPECTRUM};
    op.spectrum = (struct chain_spectrum){.kind = kind,
                                          .low_hz = b->genesis.channels[2].low_hz,
                                          .high_hz = b->genesis.channels[2].high_hz,
                                          .from_ns = T0 + from_ms * MS,
                                          .until_ns = T0 + until_ms * MS,
                                          .lat_e7 = 523000000,
                                          .lon_e7 = 132000000,
                                          .radius_m = 20000,
                                          .protection_cdbm_mhz = kind == CHAIN_SPECTRUM_INCUMBENT ? -10000 : 2500};
    return op;
}

static enum chain_response record(int64_t at_ms, enum chain_spectrum_kind kind, int64_t from_ms, int64_t until_ms)
{
    struct chain_op op = op_spectrum(kind, from_ms, until_ms);
    return run_op(b, at_ms * MS, AUTHORITY, &op);
}

static enum chain_response withdraw(int64_t at_ms, uint32_t author, uint64_t id)
{
    struct chain_op op = {.kind = CHAIN_OP_WITHDRAW, .withdraw = {.record_id = id}};
    return run_op(b, at_ms * MS, author, &op);
}

static enum chain_response request(int64_t at_ms, uint32_t author, uint32_t channel)
{
    struct chain_op op = op_grant(b, channel);
    return run_op(b, at_ms * MS, author, &op);
}

static enum chain_response heartbeat(int64_t at_ms, uint32_t author, uint64_t id)
{
    struct chain_op op = op_lease(CHAIN_OP_HEARTBEAT, id);
    return run_op(b, at_ms * MS, author, &op);
}

static enum chain_response move(int64_t at_ms, uint32_t author, int32_t lat_e7)
{
    struct chain_op op = {.kind = CHAIN_OP_MOVE, .move = {.lat_e7 = lat_e7, .lon_e7 = 132000000}};
    return run_op(b, at_ms * MS, author, &op);
}

enum { HERE = 523000000, THERE = 533000000, NEAR = 523100000 }; /* latitudes: THERE is 111 km off, NEAR 1.1 km */

START_TEST(records_are_the_authoritys_alone_numbered_bounded_and_forgotten_when_over)
{
    struct chain_op op = op_spectrum(CHAIN_SPECTRUM_INCUMBENT, 0, 5000);
    ck_assert_int_eq(run_op(b, 10 * MS, 0, &op), CHAIN_NOT_ENTITLED);
    ck_assert_int_eq(withdraw(11, 0, 1), CHAIN_NOT_ENTITLED);
    ck_assert_int_eq(withdraw(12, AUTHORITY, 1), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(record(5000, CHAIN_SPECTRUM_INCUMBENT, 0, 5000), CHAIN_UNSYNC_OP_PARAM);
    for (uint32_t i = 0; i < CHAIN_MAX_SPECTRUM; i++) {
        ck_assert_int_eq(record(5001 + i, CHAIN_SPECTRUM_INCUMBENT, 0, 6000 + i), CHAIN_SUCCESS);
        ck_assert_uint_eq(find_event(b, CHAIN_LE_RECORDED, 0)->id, i + 1);
    }
    ck_assert_int_eq(record(5500, CHAIN_SPECTRUM_INCUMBENT, 0, 7000), CHAIN_LIMIT);
    ck_assert_int_eq(withdraw(5501, AUTHORITY, 7), CHAIN_SUCCESS);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_WITHDRAWN, 0)->id, 7);
    ck_assert_int_eq(withdraw(5502, AUTHORITY, 7), CHAIN_INVALID_VALUE);
    ck_assert_uint_eq(chain_ledger_n_records(b->ledger), CHAIN_MAX_SPECTRUM - 1);
    run_block(b, 6000 * MS - 1);
    ck_assert_uint_eq(chain_ledger_n_records(b->ledger), CHAIN_MAX_SPECTRUM - 1);
    run_block(b, 6000 * MS);
    ck_assert_uint_eq(chain_ledger_n_records(b->ledger), CHAIN_MAX_SPECTRUM - 2);
    ck_assert_uint_eq(chain_ledger_record(b->ledger, 0)->id, 2);
    run_block(b, 8000 * MS);
    ck_assert_uint_eq(chain_ledger_n_records(b->ledger), 0);
    ck_assert_ptr_null(chain_ledger_record(b->ledger, 0));
}
END_TEST

START_TEST(fields_that_make_no_sense_are_refused)
{
    struct chain_op good = op_spectrum(CHAIN_SPECTRUM_INCUMBENT, 0, 5000);
    for (int i = 0; i < 6; i++) {
        struct chain_op op = good;
        if (i == 0)
            op.spectrum.high_hz = op.spectrum.low_hz;
        else if (i == 1)
            op.spectrum.until_ns = op.spectrum.from_ns;
        else if (i == 2)
            op.spectrum.lat_e7 = 900000001;
        else if (i == 3)
            op.spectrum.lon_e7 = -1800000001;
        else if (i == 4)
            op.spectrum.from_ns = -1;
        else
            op.spectrum.until_ns = CHAIN_MAX_TIME_NS + 1;
        ck_assert_int_eq(run_op(b, (10 + i) * MS, AUTHORITY, &op), CHAIN_INVALID_VALUE);
    }
    ck_assert_int_eq(run_op(b, 20 * MS, AUTHORITY, &good), CHAIN_SUCCESS);
}
END_TEST

START_TEST(a_request_inside_an_incumbents_band_time_and_place_is_refused)
{
    record(10, CHAIN_SPECTRUM_INCUMBENT, 0, 9000);
    ck_assert_int_eq(request(20, 0, 2), CHAIN_INTERFERENCE);
    struct chain_op op = op_grant(b, 2);
    ck_assert_int_eq(chain_ledger_judge_grant(b->ledger, 0, &op, T0 + 20 * MS), CHAIN_INTERFERENCE);
    ck_assert_int_eq(chain_ledger_judge_grant(b->ledger, 0, &op, T0 + 9000 * MS), CHAIN_SUCCESS);
    ck_assert_int_eq(request(21, 0, 1), CHAIN_SUCCESS); /* another band */
    ck_assert_int_eq(move(22, 1, THERE), CHAIN_SUCCESS);
    op.grant.n_peers = 1;
    op.grant.peers[0] = 0;
    ck_assert_int_eq(run_op(b, 23 * MS, 1, &op), CHAIN_INTERFERENCE); /* its peer answers from inside */
    op.grant.n_peers = 0;
    ck_assert_int_eq(chain_ledger_judge_grant(b->ledger, 1, &op, T0 + 23 * MS), CHAIN_SUCCESS);
    ck_assert_int_eq(run_op(b, 24 * MS, 1, &op), CHAIN_SUCCESS);
    op = op_lease(CHAIN_OP_RELINQUISH, 2);
    ck_assert_int_eq(run_op(b, 25 * MS, 1, &op), CHAIN_SUCCESS);
    op = op_grant(b, 2);
    op.grant.max_eirp_cdbm_mhz = -10000; /* what the incumbent bears */
    ck_assert_int_eq(run_op(b, 26 * MS, 0, &op), CHAIN_SUCCESS);
    op = op_lease(CHAIN_OP_RELINQUISH, 3);
    ck_assert_int_eq(run_op(b, 27 * MS, 0, &op), CHAIN_SUCCESS);
    ck_assert_int_eq(request(8999, 0, 2), CHAIN_INTERFERENCE);
    ck_assert_int_eq(request(9000, 0, 2), CHAIN_SUCCESS); /* over */
}
END_TEST

START_TEST(an_incumbent_that_appears_suspends_the_leases_in_its_place_and_no_others)
{
    start(50000, false, 0);
    move(5, 1, THERE);
    ck_assert_int_eq(request(10, 0, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(request(11, 1, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(request(12, 2, 1), CHAIN_SUCCESS);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(heartbeat(20 + i, i, i + 1), CHAIN_SUCCESS);
    record(30, CHAIN_SPECTRUM_INCUMBENT, 0, 9000);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_SUSPENDED), 1);
    ck_assert_int_eq(find_event(b, CHAIN_LE_SUSPENDED, 0)->code, CHAIN_SUSPENDED_GRANT);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_SUSPENDED, 0)->id, 1);
    ck_assert_int_eq(heartbeat(40, 0, 1), CHAIN_SUSPENDED_GRANT);
    ck_assert_int_eq(heartbeat(41, 1, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(heartbeat(42, 2, 3), CHAIN_SUCCESS);
}
END_TEST

/* One that is announced finds the band silent: leases end a tail before it, by every clock. */
START_TEST(leases_end_in_time_before_an_incumbent_that_is_announced)
{
    record(10, CHAIN_SPECTRUM_INCUMBENT, 5000, 9000);
    ck_assert_int_eq(request(20, 0, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(grant_by_id(b, 1)->grant_expire_ns, T0 + (5000 - TAIL_MS) * MS);
    ck_assert_int_eq(heartbeat(3000, 0, 1), CHAIN_SUCCESS);
    ck_assert_int_eq(grant_by_id(b, 1)->transmit_expire_ns, T0 + (5000 - TAIL_MS) * MS);
    ck_assert_int_eq(heartbeat(5000 - TAIL_MS, 0, 1), CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(request(5000 - TAIL_MS + 1, 0, 2), CHAIN_INTERFERENCE);
    ck_assert_int_eq(request(9000, 0, 2), CHAIN_SUCCESS);
    /* a lease that was there before is cut short, though not below what its holder was promised */
    ck_assert_int_eq(heartbeat(9001, 0, 2), CHAIN_SUCCESS);
    record(9010, CHAIN_SPECTRUM_INCUMBENT, 20000, 30000);
    ck_assert_int_eq(grant_by_id(b, 2)->grant_expire_ns, T0 + (20000 - TAIL_MS) * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_SHORTENED), 1);
    record(9020, CHAIN_SPECTRUM_INCUMBENT, 11000, 12000);
    ck_assert_int_eq(grant_by_id(b, 2)->grant_expire_ns, T0 + (9001 + 2400) * MS);
    run_block(b, (11000 - 1) * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_SUSPENDED), 0);
    run_block(b, 11000 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_SUSPENDED), 1);
}
END_TEST

START_TEST(where_leases_need_white_space_there_is_none_without_a_record)
{
    start(0, true, 0);
    ck_assert_int_eq(request(10, 0, 2), CHAIN_UNSUPPORTED_SPECTRUM);
    record(20, CHAIN_SPECTRUM_WHITE_SPACE, 100, 7000);
    ck_assert_int_eq(request(99, 0, 2), CHAIN_UNSUPPORTED_SPECTRUM);
    struct chain_op op = op_grant(b, 2);
    op.grant.max_eirp_cdbm_mhz = 2501;
    ck_assert_int_eq(run_op(b, 100 * MS, 0, &op), CHAIN_UNSUPPORTED_SPECTRUM);
    ck_assert_int_eq(request(101, 0, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(grant_by_id(b, 1)->grant_expire_ns, T0 + 7000 * MS);
    ck_assert_int_eq(request(102, 0, 1), CHAIN_UNSUPPORTED_SPECTRUM);
    ck_assert_int_eq(heartbeat(103, 0, 1), CHAIN_SUCCESS);
    ck_assert_int_eq(move(104, 0, THERE), CHAIN_SUCCESS);
    ck_assert_int_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->code, CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(request(3200, 1, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(withdraw(3300, AUTHORITY, 1), CHAIN_SUCCESS);
    ck_assert_int_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->code, CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(grant_by_id(b, 2)->state, CHAIN_GRANT_IDLE);
    ck_assert_int_eq(heartbeat(3301, 1, 2), CHAIN_TERMINATED_GRANT);
}
END_TEST

START_TEST(stations_far_apart_hold_the_same_band_and_near_ones_do_not)
{
    start(50000, false, 0);
    move(5, 1, THERE);
    ck_assert_int_eq(request(10, 0, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(request(11, 2, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(request(12, 1, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(request(13, 1, 2), CHAIN_GRANT_CONFLICT); /* its own */
    ck_assert_int_eq(heartbeat(20, 0, 1), CHAIN_SUCCESS);
    ck_assert_int_eq(heartbeat(21, 1, 2), CHAIN_SUCCESS);
    struct chain_op op = op_lease(CHAIN_OP_RELINQUISH, 1);
    ck_assert_int_eq(run_op(b, 30 * MS, 0, &op), CHAIN_SUCCESS);
    /* the guard tail is one of places, too */
    ck_assert_int_eq(request(40, 2, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(move(41, 2, -HERE), CHAIN_SUCCESS);
    ck_assert_int_eq(request(42, 2, 2), CHAIN_SUCCESS);
    ck_assert_int_eq(request(20 + 2400 + TAIL_MS - 1, 0, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(request(20 + 2400 + TAIL_MS, 0, 2), CHAIN_SUCCESS);
}
END_TEST

START_TEST(who_moves_to_where_its_lease_is_not_valid_loses_it)
{
    start(50000, false, 0);
    move(5, 1, THERE);
    request(10, 0, 2);
    request(11, 1, 2);
    heartbeat(20, 0, 1);
    heartbeat(21, 1, 2);
    ck_assert_int_eq(move(30, 0, NEAR), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EXPIRED), 0);
    ck_assert_int_eq(move(31, 1, HERE), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EXPIRED), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->id, 2);
    ck_assert_int_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->code, CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(heartbeat(32, 1, 2), CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(heartbeat(33, 0, 1), CHAIN_SUCCESS);
    ck_assert_ptr_null(chain_ledger_audit(b->ledger));
}
END_TEST

START_TEST(a_peer_that_moves_takes_the_lease_along)
{
    start(50000, false, 0);
    move(5, 1, THERE);
    struct chain_op op = op_grant(b, 2);
    op.grant.n_peers = 1;
    op.grant.peers[0] = 2;
    ck_assert_int_eq(run_op(b, 10 * MS, 0, &op), CHAIN_SUCCESS);
    ck_assert_int_eq(request(11, 1, 2), CHAIN_SUCCESS);
    move(20, 2, THERE);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_EXPIRED), 1);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->id, 1);
    ck_assert_int_eq(grant_by_id(b, 2)->state, CHAIN_GRANT_GRANTED);
}
END_TEST

/* Station 0 was on the air HERE until just now, and station 1 asks there; then 2 asks where 0 went. */
static void check_trail(int64_t silent_ms)
{
    ck_assert_int_eq(request(40, 1, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_ptr_null(chain_ledger_audit(b->ledger));
    ck_assert_int_eq(request(silent_ms - 1, 1, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(request(silent_ms, 1, 2), CHAIN_SUCCESS);
    ck_assert_ptr_null(chain_ledger_audit(b->ledger));
}

START_TEST(a_holder_that_gives_up_and_moves_leaves_its_guard_behind)
{
    enum { SILENT_MS = 20 + 2400 + TAIL_MS };
    start(50000, false, 0);
    request(10, 0, 2);
    heartbeat(20, 0, 1);
    struct chain_op back = op_lease(CHAIN_OP_RELINQUISH, 1);
    ck_assert_int_eq(run_op(b, 30 * MS, 0, &back), CHAIN_SUCCESS);
    ck_assert_int_eq(move(31, 0, THERE), CHAIN_SUCCESS);
    check_trail(SILENT_MS);
    /* leaving and coming back elsewhere is a move */
    start(50000, false, 0);
    request(10, 0, 2);
    heartbeat(20, 0, 1);
    struct chain_op leave = {.kind = CHAIN_OP_DEREGISTER}, again = op_register();
    ck_assert_int_eq(run_op(b, 30 * MS, 0, &leave), CHAIN_SUCCESS);
    again.reg.lat_e7 = THERE;
    ck_assert_int_eq(run_op(b, 31 * MS, 0, &again), CHAIN_SUCCESS);
    check_trail(SILENT_MS);
    /* so is a peer's, which stood 44 km from its holder; who asks is 11 km off on the other side */
    start(50000, false, 0);
    move(4, 1, HERE - 1000000);
    move(5, 0, HERE + 4000000);
    struct chain_op shared = op_grant(b, 2);
    shared.grant.n_peers = 1;
    shared.grant.peers[0] = 2;
    ck_assert_int_eq(run_op(b, 10 * MS, 0, &shared), CHAIN_SUCCESS);
    heartbeat(20, 0, 1);
    ck_assert_int_eq(move(30, 2, HERE + 4000000), CHAIN_SUCCESS);
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_AUTHORIZED);
    check_trail(SILENT_MS);
}
END_TEST

START_TEST(a_way_of_several_steps_is_kept_until_its_last_place_is_silent)
{
    enum { SILENT_MS = 50 + 2400 + TAIL_MS, NEXT = 523900000, STEP = 524200000 }; /* 10 km and 13.4 km from HERE */
    start(7000, false, 0);
    move(5, 1, THERE);
    request(10, 0, 2);
    heartbeat(20, 0, 1);
    move(30, 0, NEAR);
    heartbeat(50, 0, 1);
    move(60, 0, NEXT);
    const struct chain_grant *g = grant_by_id(b, 1);
    ck_assert_int_eq(g->state, CHAIN_GRANT_AUTHORIZED);
    ck_assert_int_eq(g->moved_ns, T0 + 60 * MS);
    ck_assert_int_eq(g->trail_until_ns, T0 + SILENT_MS * MS);
    ck_assert_int_eq(g->trail_lat_e7, HERE);
    ck_assert_uint_ge(g->trail_m, 1110); /* .01 degrees are 1112 m */
    ck_assert_uint_le(g->trail_m, 1114);
    ck_assert_int_eq(request(70, 1, 2), CHAIN_SUCCESS); /* far from the way */
    ck_assert_int_eq(request(71, 2, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(move(72, 1, NEAR), CHAIN_SUCCESS); /* and who comes upon it loses its own */
    ck_assert_int_eq(grant_by_id(b, 2)->state, CHAIN_GRANT_IDLE);
    ck_assert_int_eq(request(SILENT_MS - 1, 2, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(request(SILENT_MS, 2, 2), CHAIN_SUCCESS);
    /* the next step begins a way of its own */
    heartbeat(SILENT_MS + 1, 0, 1);
    move(SILENT_MS + 2, 0, STEP);
    ck_assert_int_eq(grant_by_id(b, 1)->trail_lat_e7, NEXT);
    ck_assert_uint_eq(grant_by_id(b, 1)->trail_m, 0);
    ck_assert_ptr_null(chain_ledger_audit(b->ledger));
}
END_TEST

/* Station 0 goes on northwards, 2.2 km at a time, and keeps its lease alive on the way. */
START_TEST(who_goes_on_moving_under_a_lease_loses_it_before_its_guard_grows_wide)
{
    enum { REUSE_M = 5000, FIRST = 523200000, STEP = 200000, AHEAD_MS = 2400 + TAIL_MS };
    start(REUSE_M, false, 0);
    move(5, 1, THERE);
    request(10, 0, 2);
    int64_t at_ms = 20;
    int n = 0;
    for (; grant_by_id(b, 1)->state != CHAIN_GRANT_IDLE; n++, at_ms += 20) {
        ck_assert_int_lt(n, 10);
        ck_assert_int_eq(heartbeat(at_ms, 0, 1), CHAIN_SUCCESS);
        ck_assert_int_eq(move(at_ms + 10, 0, FIRST + n * STEP), CHAIN_SUCCESS);
        ck_assert_uint_le(grant_by_id(b, 1)->trail_m, 2 * REUSE_M);
    }
    ck_assert_int_eq(n, 5); /* the fifth place is 11,119 m off */
    ck_assert_int_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->code, CHAIN_TERMINATED_GRANT);
    ck_assert_uint_ge(grant_by_id(b, 1)->trail_m, 8890); /* where it was last with a lease */
    ck_assert_uint_le(grant_by_id(b, 1)->trail_m, 8900);
    /* what it goes to afterwards, without a lease, widens nothing */
    int64_t silent_ms = at_ms - 20 + AHEAD_MS;
    move(at_ms, 0, -HERE);
    move(at_ms + 1, 0, THERE);
    ck_assert_uint_le(grant_by_id(b, 1)->trail_m, 8900);
    move(at_ms + 2, 0, 530000000);
    ck_assert_int_eq(request(at_ms + 3, 2, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(request(at_ms + 4, 1, 2), CHAIN_SUCCESS); /* 77 km off */
    ck_assert_ptr_null(chain_ledger_audit(b->ledger));
    ck_assert_int_eq(request(silent_ms - 1, 2, 2), CHAIN_GRANT_CONFLICT);
    ck_assert_int_eq(request(silent_ms, 2, 2), CHAIN_SUCCESS);
}
END_TEST

/* At its own pace, with its guards over between the steps, a lease comes as far as it likes; not so without its peers. */
START_TEST(a_lease_moves_with_all_its_stations_or_ends)
{
    start(50000, false, 0);
    struct chain_op shared = op_grant(b, 2);
    shared.grant.n_peers = 1;
    shared.grant.peers[0] = 1;
    move(5, 1, THERE);
    ck_assert_int_eq(run_op(b, 10 * MS, 0, &shared), CHAIN_INVALID_VALUE); /* 111 km apart */
    ck_assert_int_eq(chain_ledger_judge_grant(b->ledger, 0, &shared, T0 + 10 * MS), CHAIN_INVALID_VALUE);
    shared.grant.peers[0] = 2;
    ck_assert_int_eq(run_op(b, 11 * MS, 0, &shared), CHAIN_SUCCESS);
    ck_assert_int_eq(move(12, 0, HERE + 4000000), CHAIN_SUCCESS); /* never authorised: it guards nothing yet */
    ck_assert_int_eq(move(13, 2, HERE + 8000000), CHAIN_SUCCESS);
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_GRANTED);
    ck_assert_ptr_null(chain_ledger_audit(b->ledger));
    ck_assert_int_eq(move(14, 2, HERE + 8500000), CHAIN_SUCCESS); /* 50.04 km from its holder */
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_IDLE);
    ck_assert_int_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->station, 0);
}
END_TEST

START_TEST(a_grant_whose_holder_is_gone_ends_after_a_while)
{
    start(0, false, 3000 * MS);
    ck_assert_int_eq(request(10, 0, 2), CHAIN_SUCCESS); /* never a heartbeat */
    ck_assert_int_eq(request(11, 0, 3), CHAIN_SUCCESS);
    ck_assert_int_eq(heartbeat(100, 0, 2), CHAIN_SUCCESS);
    run_block(b, 3010 * MS - 1);
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_GRANTED);
    run_block(b, 3010 * MS);
    ck_assert_int_eq(grant_by_id(b, 1)->state, CHAIN_GRANT_IDLE);
    ck_assert_int_eq(find_event(b, CHAIN_LE_EXPIRED, 0)->code, CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(request(3011, 1, 2), CHAIN_SUCCESS); /* it never sent */
    run_block(b, (100 + 2400 + 3000) * MS - 1);
    ck_assert_int_eq(grant_by_id(b, 2)->state, CHAIN_GRANT_GRANTED);
    ck_assert_int_eq(heartbeat(100 + 2400 + 3000, 0, 2), CHAIN_TERMINATED_GRANT);
    ck_assert_int_eq(request(5600, 1, 3), CHAIN_SUCCESS);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("spectrum");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, records_are_the_authoritys_alone_numbered_bounded_and_forgotten_when_over);
    tcase_add_test(tc, fields_that_make_no_sense_are_refused);
    tcase_add_test(tc, a_request_inside_an_incumbents_band_time_and_place_is_refused);
    tcase_add_test(tc, an_incumbent_that_appears_suspends_the_leases_in_its_place_and_no_others);
    tcase_add_test(tc, leases_end_in_time_before_an_incumbent_that_is_announced);
    tcase_add_test(tc, where_leases_need_white_space_there_is_none_without_a_record);
    tcase_add_test(tc, stations_far_apart_hold_the_same_band_and_near_ones_do_not);
    tcase_add_test(tc, who_moves_to_where_its_lease_is_not_valid_loses_it);
    tcase_add_test(tc, a_peer_that_moves_takes_the_lease_along);
    tcase_add_test(tc, a_holder_that_gives_up_and_moves_leaves_its_guard_behind);
    tcase_add_test(tc, a_way_of_several_steps_is_kept_until_its_last_place_is_silent);
    tcase_add_test(tc, who_goes_on_moving_under_a_lease_loses_it_before_its_guard_grows_wide);
    tcase_add_test(tc, a_lease_moves_with_all_its_stations_or_ends);
    tcase_add_test(tc, a_grant_whose_holder_is_gone_ends_after_a_while);
    suite_add_tcase(suite, tc);
}
