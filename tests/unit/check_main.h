/* A Check program: define SUITE_NAME and `static void add_cases(Suite *)`, then include this. */
#ifndef TESTS_UNIT_CHECK_MAIN_H
#define TESTS_UNIT_CHECK_MAIN_H
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static void add_cases(Suite *suite);

/* A test that hangs ends after this long, unless its case says otherwise: far beyond what any takes on a machine that has much else to do. */
#define TIMEOUT_S "240"

int main(void)
{
    if (setenv("CK_DEFAULT_TIMEOUT", TIMEOUT_S, 0) != 0)
        return EXIT_FAILURE;
    Suite *suite = suite_create(SUITE_NAME);
    add_cases(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int n_run = srunner_ntests_run(runner);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (n_run == 0)
        fprintf(stderr, "%s: no case ran\n", SUITE_NAME);
    return n_run > 0 && n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
#endif
