/* The state's entries in words: every table is described, and what is no entry is refused. */
#include "apps/ledger_entry.h"
#include "chain/ledger_state.h"
#include "chain/ledger_entries.h"
#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "ledger_entry"

/* Something in every table, also what only a dispute leaves there. */
static void fill(struct chain_ledger *l)
{
    l->convicted = 5;
    l->former.n = 2;
    l->former.seats[1] = 3;
    l->former.convicted = 2;
    l->stations[1] = (struct chain_station){.registered = true, .registered_ns = T0, .call_sign = "AD1", .lat_e7 = -481234567, .lon_e7 = 1160000000,
                                            .height_cm = -50, .sensing = {.p_d_ppb = 900000000, .p_fa_ppb = 100000, .agreed = 28}};
    l->nonces[2] = (struct chain_nonces){.top = UINT64_MAX, .used = {5}};
    l->n_windows = 1;
    l->windows[0].window = 9;
    l->windows[0].by_station[1] = (struct chain_sensing){.committed = true, .commit_height = 4};
    l->windows[0].by_station[2] = (struct chain_sensing){.committed = true, .revealed = true, .commit_height = 4, .occupied = 6};
    l->n_grants = 1;
    l->grants[0] = (struct chain_grant){.id = 7, .holder = 1, .channel = 1, .n_peers = 2, .peers = {2, 3}, .max_eirp_cdbm_mhz = -1350,
                                        .state = CHAIN_GRANT_AUTHORIZED, .granted_ns = T0, .grant_expire_ns = T0 + 1, .transmit_expire_ns = T0, .paid = 8,
                                        .moved_ns = T0, .trail_until_ns = T0 + 2, .trail_lat_e7 = 481000000, .trail_lon_e7 = -116000000, .trail_m = 70};
    l->n_evidence = 2;
    l->evidence[0] = (struct chain_evidence){.id = 1, .channel = 2, .kind = CHAIN_EVIDENCE_UNAUTHORISED, .suspect = 3, .from_ns = T0, .at_ns = T0,
                                             .witnesses = 10, .confirmed = true};
    l->evidence[1] = (struct chain_evidence){.id = 2, .suspect = CHAIN_MAX_KEYS, .witnesses = UINT64_C(1) << 63};
    l->n_motions = 2;
    l->motions[0] = (struct chain_motion){.id = 1, .kind = CHAIN_MOTION_ADMIT, .key = {0xab}, .opened_ns = T0, .voices = 1};
    l->motions[1] = (struct chain_motion){.id = 2, .kind = CHAIN_MOTION_UNSEAT, .key_id = 3, .opener = 2, .opened_ns = T0, .voices = 6};
    l->balances[3] = CHAIN_MAX_SUPPLY;
    l->access[1][2] = (struct chain_access){.n = 2, .at_ns = {T0, T0 + 1}, .barred_until_ns = T0 + 2};
    l->puts[3] = (struct chain_put){.height = 6, .value_hash = {{0xcd}}};
    l->hop.current = (struct chain_hop_epoch){.epoch = 3, .mask = 6, .from_ns = T0, .commitment = {{0xef}}};
    l->hop.issuer = 2;
    l->hop.repaired = 5;
    l->hop.sealed_to = 2;
    l->hop.boxes[1][0] = 0x12;
    l->hop.held_until_ns[2] = T0 + 3;
    l->n_records = 1;
    l->records[0] = (struct chain_spectrum_record){.id = 3, .begun = true, .what = {.kind = CHAIN_SPECTRUM_WHITE_SPACE, .low_hz = 1, .high_hz = 2,
                                                   .until_ns = T0, .lat_e7 = 1, .lon_e7 = -1, .radius_m = 5, .protection_cdbm_mhz = -11405}};
}

static struct bench *open_filled(void)
{
    struct bench *b = bench_open(4);
    b->genesis.put_keys = 4;
    give_hop_set(&b->genesis);
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    fill(b->ledger);
    return b;
}

static json_t *describe(const struct bench *b, uint64_t table, uint64_t id, uint64_t sub)
{
    static struct chain_ledger_entry e;
    ck_assert(chain_ledger_find_entry(b->ledger, table, id, sub, &e));
    return app_ledger_entry_json(&b->genesis, table, id, sub, e.value, e.value_len);
}

START_TEST(every_entry_of_every_table_is_described_to_its_last_octet)
{
    struct bench *b = open_filled();
    struct chain_ledger_cursor cursor = {0};
    static struct chain_ledger_entry e;
    size_t n[CHAIN_TABLES] = {0};
    while (chain_ledger_next_entry(b->ledger, &cursor, &e)) {
        json_t *words = app_ledger_entry_json(&b->genesis, e.table, e.id, e.sub, e.value, e.value_len);
        ck_assert_msg(words != NULL, "%s %d %d", chain_ledger_table(e.table)->name, (int)e.id, (int)e.sub);
        json_decref(words);
        n[e.table]++;
        for (size_t len = 0; len < e.value_len; len++)
            ck_assert_ptr_null(app_ledger_entry_json(&b->genesis, e.table, e.id, e.sub, e.value, len));
        e.value[e.value_len] = 0;
        ck_assert_ptr_null(app_ledger_entry_json(&b->genesis, e.table, e.id, e.sub, e.value, e.value_len + 1));
    }
    for (size_t i = 0; i < CHAIN_TABLES; i++)
        ck_assert_msg(n[i] > 0, "table %s has no entry here", chain_ledger_table(i)->name);
    ck_assert_ptr_null(app_ledger_entry_json(&b->genesis, CHAIN_TABLES, 0, 0, e.value, e.value_len));
    bench_close(b);
}
END_TEST

static const struct {
    uint64_t table, id, sub;
    const char *says; /* each of these, in this order */
} sentences[] = {
    {CHAIN_TABLE_MEMBERS, 1, 0, "{\"convicted_seats\":[0,2],\"former_seats\":[0,3],\"former_convicted_seats\":[1]}"},
    {CHAIN_TABLE_STATIONS, 1, 0,
     "{\"station\":1,\"departed\":false,\"call_sign\":\"AD1\",\"lat_deg\":-48.1234567,\"lon_deg\":116.0,\"height_m\":-0.5,"
     "\"registered_ns\":1577836800000000000,\"p_d\":0.9,\"p_fa\":0.0001,\"agreed_windows\":28,\"reputation\":1000}"},
    {CHAIN_TABLE_NONCES, 2, 0, "{\"key\":2,\"next_nonce\":\"18446744073709551615\",\"used_of_last_1024\":2}"},
    {CHAIN_TABLE_SENSING, 9, 1,
     "{\"window\":9,\"station\":1,\"commit_height\":4,\"commitment\":\"0000000000000000000000000000000000000000000000000000000000000000\","
     "\"occupied_channels\":null}"},
    {CHAIN_TABLE_SENSING, 9, 2,
     "{\"window\":9,\"station\":2,\"commit_height\":4,\"commitment\":\"0000000000000000000000000000000000000000000000000000000000000000\","
     "\"occupied_channels\":[1,2]}"},
    {CHAIN_TABLE_GRANTS, 7, 0,
     "{\"grant\":7,\"holder\":1,\"channel\":1,\"low_hz\":5190000000,\"high_hz\":5200000000,\"peers\":[2,3],\"max_eirp_dbm_mhz\":-13.5,"
     "\"state\":\"AUTHORIZED\",\"suspended\":false,\"granted_ns\":1577836800000000000,\"grant_expire_ns\":1577836800000000001,"
     "\"transmit_expire_ns\":1577836800000000000,\"suspended_ns\":0,\"ended_ns\":0,\"paid\":8,\"moved_ns\":1577836800000000000,"
     "\"trail_until_ns\":1577836800000000002,\"trail_lat_deg\":48.1,\"trail_lon_deg\":-11.6,\"trail_m\":70}"},
    {CHAIN_TABLE_EVIDENCE, 1, 0,
     "{\"evidence\":1,\"channel\":2,\"low_hz\":5200000000,\"high_hz\":5210000000,\"kind\":\"unauthorised\",\"suspect\":3,\"lat_deg\":0.0,"
     "\"lon_deg\":0.0,\"from_ns\":1577836800000000000,\"at_ns\":1577836800000000000,\"witnesses\":[1,3],\"confirmed\":true}"},
    {CHAIN_TABLE_MOTIONS, 2, 0,
     "{\"motion\":2,\"motion_to\":\"remove\",\"key\":3,\"opener\":2,\"opened_ns\":1577836800000000000,\"voices\":[1,2]}"},
    {CHAIN_TABLE_ACCOUNTS, 3, 0, "{\"key\":3,\"balance\":4611686018427387904}"},
    {CHAIN_TABLE_ACCESS, 1, 2,
     "{\"station\":1,\"channel\":2,\"low_hz\":5200000000,\"high_hz\":5210000000,\"barred_until_ns\":1577836800000000002,"
     "\"granted_at_ns\":[1577836800000000000,1577836800000000001]}"},
    {CHAIN_TABLE_HOP, 0, 0,
     "{\"hop_epoch\":3,\"channels\":[1,2],\"from_ns\":1577836800000000000,"
     "\"commitment\":\"ef00000000000000000000000000000000000000000000000000000000000000\","
     "\"ephemeral\":\"0000000000000000000000000000000000000000000000000000000000000000\","
     "\"members_epoch\":0,\"issuer\":2,\"repaired_by\":[0,2]}"},
    {CHAIN_TABLE_HOP, 1, 1, "{\"key\":1,\"box\":\"120000000000000000000000000000000000000000000000"
                            "000000000000000000000000000000000000000000000000\"}"},
    {CHAIN_TABLE_HOP, 2, 2, "{\"channel\":2,\"low_hz\":5200000000,\"high_hz\":5210000000,\"left_until_ns\":1577836800000000003}"},
    {CHAIN_TABLE_RECORDS, 3, 0,
     "{\"record\":3,\"begun\":true,\"says\":\"white-space\",\"low_hz\":1,\"high_hz\":2,\"from_ns\":0,\"until_ns\":1577836800000000000,"
     "\"lat_deg\":1e-07,\"lon_deg\":-1e-07,\"radius_m\":5,\"protection_dbm_mhz\":-114.05}"},
};

START_TEST(a_field_has_its_name_its_unit_and_its_value)
{
    struct bench *b = open_filled();
    json_t *entry = describe(b, sentences[_i].table, sentences[_i].id, sentences[_i].sub);
    char *text = json_dumps(entry, JSON_COMPACT | JSON_REAL_PRECISION(12));
    json_t *wanted = json_loads(sentences[_i].says, 0, NULL);
    json_t *given = text ? json_loads(text, 0, NULL) : NULL;
    ck_assert_ptr_nonnull(wanted);
    ck_assert_msg(json_equal(given, wanted), "%s\nis not\n%s", text, sentences[_i].says);
    json_decref(given);
    json_decref(wanted);
    json_decref(entry);
    free(text);
    bench_close(b);
}
END_TEST

START_TEST(a_number_that_stands_for_no_word_is_refused)
{
    struct bench *b = open_filled();
    const uint8_t channel[] = {0x84, 3, 0, 0, 0}, motion[] = {0x85, 3, 0, 0, 0, 0};
    ck_assert_ptr_null(app_ledger_entry_json(&b->genesis, CHAIN_TABLE_CHANNELS, 0, 0, channel, sizeof channel));
    ck_assert_ptr_null(app_ledger_entry_json(&b->genesis, CHAIN_TABLE_MOTIONS, 1, 0, motion, sizeof motion));
    bench_close(b);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("ledger_entry");
    tcase_add_test(tc, every_entry_of_every_table_is_described_to_its_last_octet);
    tcase_add_loop_test(tc, a_field_has_its_name_its_unit_and_its_value, 0, sizeof sentences / sizeof sentences[0]);
    tcase_add_test(tc, a_number_that_stands_for_no_word_is_refused);
    suite_add_tcase(suite, tc);
}

#include "tests/unit/check_main.h"
