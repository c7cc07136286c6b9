#define SUITE_NAME "station/slots"
#include "tests/unit/check_main.h"

#include "apps/station/slots.h"
#include "chain/cbor.h"

static int64_t airtime_ns(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    (void)ctx, (void)rate_index;
    return 20000 + ((int64_t)mpdu_len * 8 + 54 + 23) / 24 * 4000;
}

static struct app_slots_config config_of(uint32_t self, uint32_t n, const struct mac_profile *profile)
{
    return (struct app_slots_config){
        .self = self, .n_stations = n, .profile = profile, .rate_index = profile->basic_rate, .airtime_ns = airtime_ns, .vote_octets = app_slots_vote_octets(&chain_pbft_ops)};
}

/* A bundle is an array of one message. */
static size_t vote_octets(uint8_t kind, const uint8_t *body, size_t body_len)
{
    struct chain_members members = {.n = 13, .n_keys = 13, .epoch = 200};
    memset(members.chain_id, 0xee, sizeof members.chain_id);
    chain_members_seat_in_order(&members);
    struct chain_msg msg = {.kind = kind, .author = 12, .view = 65535, .seq = UINT32_MAX, .body = body, .body_len = body_len};
    if (body_len > 0)
        ck_assert_int_eq(chain_msg_digest(&members, kind, body, body_len, &msg.digest), 0);
    uint8_t octets[512];
    long len = chain_msg_encode(&members, &msg, octets, sizeof octets);
    ck_assert_int_gt(len, 0);
    return 1 + (size_t)len;
}

START_TEST(a_bundle_with_one_vote_fits_a_slot_of_its_engine)
{
    uint8_t body[32];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, UINT32_MAX); /* counter of leader messages in the term */
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_bool(&w, false);
    size_t raft = vote_octets(CHAIN_MSG_RAFT_APPEND_REPLY, body, w.len), pbft = vote_octets(CHAIN_MSG_PBFT_PREPARE, NULL, 0);
    ck_assert_uint_le(raft, app_slots_vote_octets(&chain_raft_ops));
    ck_assert_uint_le(pbft, app_slots_vote_octets(&chain_pbft_ops));
    ck_assert_uint_ge(raft + 12, app_slots_vote_octets(&chain_raft_ops)); /* and wastes little */
    ck_assert_uint_ge(pbft + 12, app_slots_vote_octets(&chain_pbft_ops));
}
END_TEST

START_TEST(every_plan_may_be_followed_and_lists_each_member_once_a_round)
{
    struct mac_profile profile = mac_profile_dot11_10(40000);
    for (uint32_t n = 2; n <= 13; n++)
        for (unsigned rounds = 1; rounds <= 2; rounds++)
            for (int64_t verify_ns = 0; verify_ns <= 2000000; verify_ns += 500000) {
                struct app_slots_config cfg = config_of(n / 2, n, &profile);
                cfg.verify_ns = cfg.persist_ns = verify_ns;
                struct chain_node_send send = {.to = CHAIN_TO_ALL, .urgency = CHAIN_URGENT_PROPOSAL, .rounds = rounds, .signatures = 3};
                struct mac_slot_plan plan;
                ck_assert(app_slots_plan(&cfg, &send, &plan));
                ck_assert_int_eq(mac_slot_plan_check(&plan, n, 8, profile.sifs_ns, INT64_C(1000000000)), MAC_SLOT_GOOD);
                ck_assert_uint_eq(plan.n_phases, rounds);
                ck_assert_int_ge(plan.phases[0].offset_ns, 4 * verify_ns);
                ck_assert_uint_eq(plan.phases[rounds - 1].n, n);
                ck_assert_int_eq(plan.phases[rounds - 1].order[n - 1], cfg.self);
                ck_assert_uint_eq(plan.phases[0].n, rounds == 2 ? n - 1 : n);
            }
}
END_TEST

START_TEST(what_asks_nothing_of_all_reserves_nothing)
{
    struct mac_profile profile = mac_profile_dot11_10(40000);
    struct app_slots_config cfg = config_of(0, 4, &profile);
    struct mac_slot_plan plan;
    struct chain_node_send send = {.to = CHAIN_TO_ALL, .urgency = CHAIN_URGENT_PROPOSAL};
    ck_assert(!app_slots_plan(&cfg, &send, &plan));
    send.rounds = 1;
    send.to = 2;
    ck_assert(!app_slots_plan(&cfg, &send, &plan));
    send.to = CHAIN_TO_ALL;
    send.urgency = CHAIN_URGENT_GOSSIP;
    ck_assert(!app_slots_plan(&cfg, &send, &plan));
    send.urgency = CHAIN_URGENT_PROPOSAL;
    ck_assert(app_slots_plan(&cfg, &send, &plan));
    cfg.n_stations = 1;
    ck_assert(!app_slots_plan(&cfg, &send, &plan));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("slots");
    tcase_add_test(tc, a_bundle_with_one_vote_fits_a_slot_of_its_engine);
    tcase_add_test(tc, every_plan_may_be_followed_and_lists_each_member_once_a_round);
    tcase_add_test(tc, what_asks_nothing_of_all_reserves_nothing);
    suite_add_tcase(suite, tc);
}
