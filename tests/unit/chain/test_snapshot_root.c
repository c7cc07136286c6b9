#define SUITE_NAME "chain/snapshot_root"
#include "tests/unit/check_main.h"

#include "chain/snapshot.h"
#include "tests/unit/chain/ledger_fixture.h"

/* A snapshot comes from somebody else: nothing of it counts but what its header's roots bind. */
START_TEST(no_bit_of_a_snapshot_may_be_another)
{
    struct bench *b = bench_open(4), *other = bench_open(4);
    register_all(b, 1000 * MS);
    size_t cap = chain_snapshot_bytes(b->ledger);
    uint8_t *data = malloc(cap);
    long len = chain_snapshot_encode(b->ledger, data, cap);
    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(chain_snapshot_load(other->ledger, data, (size_t)len), 0);
    struct chain_header header;
    ck_assert_int_eq(chain_snapshot_header(data, (size_t)len, &header), 0);
    size_t n_accepted = 0;
    for (long at = 20; at < len; at++) {
        for (int bit = 0; bit < 8; bit++) {
            data[at] ^= (uint8_t)(1U << bit);
            struct chain_header said;
            bool same_header = chain_snapshot_header(data, (size_t)len, &said) == 0 && memcmp(&said.state_root, &header.state_root, sizeof said.state_root) == 0 &&
                               said.height == header.height;
            n_accepted += chain_snapshot_load(other->ledger, data, (size_t)len) == 0 && same_header && said.time_ns == header.time_ns &&
                          memcmp(&said.parent, &header.parent, sizeof said.parent) == 0 &&
                          memcmp(&said.batch_digest, &header.batch_digest, sizeof said.batch_digest) == 0 &&
                          memcmp(&said.tx_root, &header.tx_root, sizeof said.tx_root) == 0;
            data[at] ^= (uint8_t)(1U << bit);
        }
    }
    ck_assert_msg(n_accepted == 0, "%zu changes of the state are taken", n_accepted);
    free(data);
    bench_close(b);
    bench_close(other);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("snapshot_root");
    tcase_add_test(tc, no_bit_of_a_snapshot_may_be_another);
    suite_add_tcase(suite, tc);
}
