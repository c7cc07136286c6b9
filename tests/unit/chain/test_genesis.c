#include "chain/genesis.h"

#include <errno.h>

#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/genesis"
#include "tests/unit/check_main.h"

static struct keyring ring;
static struct chain_genesis g;

static void set_up(void)
{
    g = make_genesis(&ring, 4);
}

START_TEST(a_genesis_comes_back_and_names_the_same_chain)
{
    uint8_t wire[CHAIN_MAX_GENESIS_BYTES], again[CHAIN_MAX_GENESIS_BYTES];
    long len = chain_genesis_encode(&g, wire, sizeof wire);
    ck_assert_int_gt(len, 0);
    struct chain_genesis back;
    struct chain_hash hash;
    ck_assert_int_eq(chain_genesis_decode(&back, wire, (size_t)len), 0);
    ck_assert_int_eq(chain_genesis_finish(&back, &hash, NULL), 0);
    ck_assert_mem_eq(back.members.chain_id, g.members.chain_id, 8);
    ck_assert_mem_eq(hash.octets, g.members.chain_id, 8);
    ck_assert_int_eq(chain_genesis_encode(&back, again, sizeof again), len);
    ck_assert_mem_eq(again, wire, (size_t)len);
    for (size_t i = 0; i < (size_t)len; i++) {
        ck_assert_int_eq(chain_genesis_decode(&back, wire, i), -EBADMSG);
        ck_assert_int_eq(chain_genesis_encode(&g, again, i), -ENOSPC);
    }
}
END_TEST

START_TEST(every_octet_of_a_genesis_counts)
{
    uint8_t wire[CHAIN_MAX_GENESIS_BYTES];
    size_t len = (size_t)chain_genesis_encode(&g, wire, sizeof wire);
    for (size_t i = 0; i < len; i++) {
        struct chain_genesis back;
        wire[i] ^= 1;
        if (chain_genesis_decode(&back, wire, len) == 0 && chain_genesis_finish(&back, NULL, NULL) == 0)
            ck_assert_mem_ne(back.members.chain_id, g.members.chain_id, 8);
        wire[i] ^= 1;
    }
}
END_TEST

START_TEST(the_largest_genesis_fits)
{
    struct keyring many;
    make_keyring(&many, CHAIN_MAX_MEMBERS, CHAIN_MAX_KEYS);
    g.members = many.members;
    g.n_channels = CHAIN_MAX_CHANNELS;
    for (uint32_t c = 0; c < CHAIN_MAX_CHANNELS; c++)
        g.channels[c] = (struct chain_channel){.low_hz = 999999999900 + c, .high_hz = 999999999901 + c, .quiet_phase_ns = 240 * MS};
    strcpy(g.name, "abcdefghijklmnopqrstuvwxyz01234");
    g.has_authority = true;
    g.authority = 63;
    g.admit_votes = 32;
    g.witness_range_m = g.grant_price = g.share_rebate = g.sense_reward = g.accuse_reward = UINT32_MAX;
    g.access_threshold = CHAIN_MAX_ACCESS;
    g.access_window_ns = g.bar_ns = INT64_C(366) * 86400 * 1000 * MS;
    g.supply = g.endowment = CHAIN_MAX_SUPPLY;
    g.refund_permille = 1000;
    g.put_keys = CHAIN_MAX_PUT_KEYS;
    g.reuse_m = UINT32_MAX;
    g.lease_in_white_space = g.fuse_plain = true;
    const char *bad = "";
    ck_assert_msg(chain_genesis_finish(&g, NULL, &bad) == 0, "%s", bad);
}
END_TEST

#define EXPECT_BAD(change, field)                                                                                                          \
    do {                                                                                                                                   \
        set_up();                                                                                                                          \
        change;                                                                                                                            \
        const char *bad = "none";                                                                                                          \
        ck_assert_int_eq(chain_genesis_finish(&g, NULL, &bad), -EINVAL);                                                                   \
        ck_assert_str_eq(bad, field);                                                                                                      \
    } while (0)

START_TEST(each_field_out_of_range_is_named)
{
    EXPECT_BAD(g.name[0] = 0, "name");
    EXPECT_BAD(g.name[0] = '\n', "name");
    EXPECT_BAD(memset(g.name, 'a', sizeof g.name), "name");
    EXPECT_BAD(strcpy(g.engine, "paxos"), "engine");
    EXPECT_BAD(g.time_ns = -1, "time_ns");
    EXPECT_BAD(g.time_ns = INT64_MAX, "time_ns");
    EXPECT_BAD(g.members.n = 0, "members.n");
    EXPECT_BAD(g.members.n = 33, "members.n");
    EXPECT_BAD(g.members.n_keys = 3, "members.n_keys");
    EXPECT_BAD(g.members.n_keys = 65, "members.n_keys");
    EXPECT_BAD(memcpy(g.members.keys[3], g.members.keys[0], 32), "members.keys");
    EXPECT_BAD(memset(g.members.keys[1], 0, 32), "members.keys");
    EXPECT_BAD(g.n_channels = 0, "n_channels");
    EXPECT_BAD(g.n_channels = 9, "n_channels");
    EXPECT_BAD(g.channels[1].high_hz = g.channels[1].low_hz, "channels.high_hz");
    EXPECT_BAD(g.channels[3].high_hz = UINT64_MAX, "channels.high_hz");
    EXPECT_BAD(g.channels[1].low_hz--, "channels.low_hz");
    EXPECT_BAD(g.channels[1].quiet_phase_ns = -1, "channels.quiet_phase_ns");
    EXPECT_BAD(g.channels[1].quiet_phase_ns = 240 * MS + 1, "channels.quiet_phase_ns");
    EXPECT_BAD(g.quiet_period_ns = 0, "quiet_period_ns");
    EXPECT_BAD(g.quiet_period_ns = INT64_MAX, "quiet_period_ns");
    EXPECT_BAD(g.quiet_length_ns = 0, "quiet_length_ns");
    EXPECT_BAD(g.quiet_length_ns = 250 * MS + 1, "quiet_length_ns");
    EXPECT_BAD(g.max_skew_ns = -1, "max_skew_ns");
    EXPECT_BAD(g.transmit_expire_ns = 0, "transmit_expire_ns");
    EXPECT_BAD(g.heartbeat_ns = g.transmit_expire_ns, "heartbeat_ns");
    EXPECT_BAD(g.heartbeat_ns = 0, "heartbeat_ns");
    EXPECT_BAD(g.stop_ns = -1, "stop_ns");
    EXPECT_BAD(g.grant_ns = g.transmit_expire_ns - 1, "grant_ns");
    EXPECT_BAD(g.grant_ns = INT64_MAX, "grant_ns");
    EXPECT_BAD(g.drift_guard_ns = g.transmit_expire_ns, "drift_guard_ns");
    EXPECT_BAD(g.max_eirp_cdbm_mhz = 20001, "max_eirp_cdbm_mhz");
    EXPECT_BAD(g.local_p_fa_ppb = 0, "local_p_fa_ppb");
    EXPECT_BAD(g.local_p_fa_ppb = 500000001, "local_p_fa_ppb");
    EXPECT_BAD(g.fuse_min_positive = 0, "fuse_min_positive");
    EXPECT_BAD(g.fuse_min_positive = 5, "fuse_min_positive");
    EXPECT_BAD(g.white_after = 1000001, "white_after");
    EXPECT_BAD(g.fuse_after_ns = 0, "fuse_after_ns");
    EXPECT_BAD(g.fuse_after_ns = 4 * g.quiet_period_ns + 1, "fuse_after_ns");
    EXPECT_BAD(g.min_block_interval_ns = -1, "min_block_interval_ns");
    EXPECT_BAD(g.max_ahead_ns = -1, "max_ahead_ns");
    EXPECT_BAD(g.max_batch_bytes = 1023, "max_batch_bytes");
    EXPECT_BAD(g.max_batch_bytes = SIZE_MAX, "max_batch_bytes");
    EXPECT_BAD((g.has_authority = true, g.authority = 4), "authority");
    EXPECT_BAD(g.authority = 1, "authority");
    EXPECT_BAD(g.admit_votes = 5, "admit_votes");
    EXPECT_BAD(g.access_threshold = CHAIN_MAX_ACCESS + 1, "access_window_ns");
    EXPECT_BAD((g.access_threshold = CHAIN_MAX_ACCESS + 1, g.access_window_ns = 1, g.bar_ns = 1), "access_threshold");
    EXPECT_BAD((g.access_threshold = 3, g.access_window_ns = 1), "bar_ns");
    EXPECT_BAD(g.access_window_ns = -1, "access_window_ns");
    EXPECT_BAD(g.bar_ns = INT64_MAX, "bar_ns");
    EXPECT_BAD(g.supply = CHAIN_MAX_SUPPLY + 1, "supply");
    EXPECT_BAD(g.endowment = 1, "endowment");
    EXPECT_BAD(g.refund_permille = 1001, "refund_permille");
    EXPECT_BAD(g.abandon_ns = -1, "abandon_ns");
    EXPECT_BAD(g.lease_in_white_space = true, "lease_in_white_space");
    EXPECT_BAD(g.put_keys = CHAIN_MAX_PUT_KEYS + 1, "put_keys");
}
END_TEST

START_TEST(every_field_changes_the_chain_id)
{
    uint8_t id[8];
    memcpy(id, g.members.chain_id, 8);
    int64_t *times[] = {&g.time_ns, &g.quiet_period_ns, &g.quiet_length_ns, &g.max_skew_ns, &g.transmit_expire_ns, &g.heartbeat_ns,
                        &g.stop_ns, &g.grant_ns,        &g.drift_guard_ns,  &g.fuse_after_ns, &g.min_block_interval_ns, &g.max_ahead_ns,
                        &g.channels[2].quiet_phase_ns, &g.abandon_ns};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        ++*times[i];
        ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
        ck_assert_mem_ne(g.members.chain_id, id, 8);
        --*times[i];
    }
    uint32_t *numbers[] = {&g.admit_votes, &g.witness_range_m, &g.grant_price, &g.share_rebate, &g.refund_permille, &g.sense_reward,
                           &g.accuse_reward, &g.put_keys, &g.reuse_m};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        ++*numbers[i];
        ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
        ck_assert_mem_ne(g.members.chain_id, id, 8);
        --*numbers[i];
    }
    uint8_t other[8];
    g.access_window_ns = g.bar_ns = 7;
    g.supply = 10;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    memcpy(other, g.members.chain_id, 8);
    ck_assert_mem_ne(other, id, 8);
    g.access_threshold = 2;
    g.endowment = 5;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    ck_assert_mem_ne(g.members.chain_id, other, 8);
    g.access_window_ns = g.bar_ns = 0;
    g.supply = g.endowment = g.access_threshold = 0;
    g.has_authority = true;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    ck_assert_mem_ne(g.members.chain_id, id, 8);
    memcpy(other, g.members.chain_id, 8);
    g.lease_in_white_space = true;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    ck_assert_mem_ne(g.members.chain_id, other, 8);
    g.lease_in_white_space = g.has_authority = false;
    g.fuse_plain = true;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    ck_assert_mem_ne(g.members.chain_id, id, 8);
    g.fuse_plain = false;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    ck_assert_mem_eq(g.members.chain_id, id, 8);
    g.channels[0].control = false;
    ck_assert_int_eq(chain_genesis_finish(&g, NULL, NULL), 0);
    ck_assert_mem_ne(g.members.chain_id, id, 8);
}
END_TEST

START_TEST(quiet_windows_are_found_by_their_end)
{
    uint64_t window;
    int64_t start_ns, end_ns;
    g.channels[1].quiet_phase_ns = 200 * MS;
    chain_genesis_quiet_after(&g, 1, -5, &window, &start_ns, &end_ns);
    ck_assert_uint_eq(window, 0);
    ck_assert_int_eq(start_ns, 200 * MS);
    chain_genesis_quiet_after(&g, 1, 210 * MS - 1, &window, &start_ns, &end_ns);
    ck_assert_uint_eq(window, 0);
    ck_assert_int_eq(end_ns, 210 * MS);
    chain_genesis_quiet_after(&g, 1, 210 * MS, &window, &start_ns, &end_ns);
    ck_assert_uint_eq(window, 1);
    ck_assert_int_eq(start_ns, 450 * MS);
    for (int64_t t_ns = T0; t_ns < T0 + 1000 * MS; t_ns += 777777) {
        chain_genesis_quiet_after(&g, 2, t_ns, &window, &start_ns, &end_ns);
        ck_assert_int_gt(end_ns, t_ns);
        ck_assert_int_le(end_ns - g.quiet_period_ns, t_ns);
        ck_assert_int_eq(start_ns, (int64_t)window * g.quiet_period_ns + 100 * MS);
    }
    int64_t span_start_ns, span_end_ns;
    ck_assert(chain_genesis_window_span(&g, 3, &span_start_ns, &span_end_ns));
    ck_assert_int_eq(span_start_ns, 850 * MS);
    ck_assert_int_eq(span_end_ns, 960 * MS);
    ck_assert(!chain_genesis_window_span(&g, UINT64_MAX, &span_start_ns, &span_end_ns));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("genesis");
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, a_genesis_comes_back_and_names_the_same_chain);
    tcase_add_test(tc, every_octet_of_a_genesis_counts);
    tcase_add_test(tc, the_largest_genesis_fits);
    tcase_add_test(tc, each_field_out_of_range_is_named);
    tcase_add_test(tc, every_field_changes_the_chain_id);
    tcase_add_test(tc, quiet_windows_are_found_by_their_end);
    suite_add_tcase(suite, tc);
}
