#define SUITE_NAME "apps/node_results"
#include "tests/unit/check_main.h"

#include "apps/node_results.h"

#include <string.h>

static bool add(struct app_node_results *r, uint32_t author, uint64_t nonce, enum chain_op_kind op)
{
    struct chain_ledger_event event = {.kind = CHAIN_LE_TX, .station = author, .nonce = nonce, .height = 1, .op = op};
    return app_node_results_add(r, &event);
}

/* Operation i of several authors' batches, one author after the other. What is remembered is not added again. */
static bool add_nth(struct app_node_results *r, uint64_t i, uint32_t n_authors, uint64_t batch)
{
    uint64_t turn = i / batch;
    return add(r, (uint32_t)(turn % n_authors), turn / n_authors * batch + i % batch + 1000, CHAIN_OP_HEARTBEAT);
}

START_TEST(the_last_thousand_are_remembered_whoever_they_are_of)
{
    static const struct {
        uint32_t n_authors;
        uint64_t batch;
    } cases[] = {{1, 1}, {4, 32}, {7, 64}, {100, 1}, {256, 5}};
    static struct app_node_results r;
    memset(&r, 0, sizeof r);
    for (uint64_t n = 0; n < 20000; n++) {
        ck_assert(add_nth(&r, n, cases[_i].n_authors, cases[_i].batch));
        if (n % 997 != 996)
            continue;
        for (uint64_t i = n + 1 > APP_NODE_RESULTS ? n + 1 - APP_NODE_RESULTS : 0; i <= n; i++)
            ck_assert(!add_nth(&r, i, cases[_i].n_authors, cases[_i].batch));
    }
    ck_assert(add_nth(&r, 20000 - APP_NODE_RESULTS - 1, cases[_i].n_authors, cases[_i].batch)); /* the one before them is not */
}
END_TEST

START_TEST(an_operation_takes_the_place_of_an_envelope_that_was_refused_as_a_whole)
{
    static struct app_node_results r;
    memset(&r, 0, sizeof r);
    for (uint64_t i = 0; i < 3 * APP_NODE_RESULTS; i++) {
        ck_assert(add(&r, 1, i, 0));
        ck_assert(!add(&r, 1, i, 0));
        ck_assert(add(&r, 1, i, CHAIN_OP_HEARTBEAT));
        ck_assert(!add(&r, 1, i, 0) && !add(&r, 1, i, CHAIN_OP_HEARTBEAT));
    }
    ck_assert_uint_eq(r.n_added, 3 * APP_NODE_RESULTS);
    for (uint64_t i = 2 * APP_NODE_RESULTS; i < 3 * APP_NODE_RESULTS; i++)
        ck_assert(!add(&r, 1, i, 0));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("results");
    tcase_add_loop_test(cases, the_last_thousand_are_remembered_whoever_they_are_of, 0, 5);
    tcase_add_test(cases, an_operation_takes_the_place_of_an_envelope_that_was_refused_as_a_whole);
    suite_add_tcase(suite, cases);
}
