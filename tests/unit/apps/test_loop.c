#define SUITE_NAME "virtual loop"
#include "tests/unit/check_main.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/run/run.h"

/* A short run in a folder of its own; what it left is compared by the caller. */
static json_t *run_once(const char *folder, uint64_t cut_seed, const char *consensus)
{
    struct app_run_options options = {
        .scenario = "quickstart", .consensus = consensus, .has_seed = true, .seed = 5, .duration_ns = 700000000, .out = folder};
    options.cut_seed = cut_seed;
    json_t *summary = NULL;
    char where[600], error[WORLD_MAX_ERROR] = "";
    int code = app_run(&options, &summary, where, sizeof where, error);
    ck_assert_msg(code == 0, "exit code %d: %s (seed 5, cut seed %llu)", code, error, (unsigned long long)cut_seed);
    return summary;
}

static char *read_file(const char *folder, const char *name, size_t *len_out)
{
    char path[700];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    struct stat st;
    ck_assert_int_eq(fstat(fileno(file), &st), 0);
    char *data = malloc((size_t)st.st_size + 1);
    ck_assert_ptr_nonnull(data);
    *len_out = fread(data, 1, (size_t)st.st_size, file);
    fclose(file);
    return data;
}

static void compare_files(const char *left, const char *right, const char *name)
{
    size_t n_left, n_right;
    char *a = read_file(left, name, &n_left), *b = read_file(right, name, &n_right);
    ck_assert_msg(n_left == n_right && memcmp(a, b, n_left) == 0, "%s differs between %s and %s", name, left, right);
    ck_assert_uint_gt(n_left, 1000);
    free(a);
    free(b);
}

static const char *air_of(const json_t *summary)
{
    return json_string_value(json_object_get(summary, "air_sha256"));
}

static void enter_folder(char *template)
{
    ck_assert_ptr_nonnull(mkdtemp(template));
    ck_assert_int_eq(chdir(template), 0);
}

static void leave_folder(const char *folder)
{
    char command[100];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(results_do_not_depend_on_how_time_is_cut_into_blocks)
{
    char template[] = "/tmp/airdeed-loop-XXXXXX";
    enter_folder(template);
    json_t *whole = run_once("whole", 0, "pbft");
    for (uint64_t cut_seed = 1; cut_seed <= 2; cut_seed++) {
        json_t *cut = run_once("cut", cut_seed, "pbft");
        ck_assert_str_eq(air_of(whole), air_of(cut));
        compare_files("whole", "cut", "events.jsonl");
        compare_files("whole", "cut", "air.pcapng");
        json_decref(cut);
    }
    json_decref(whole);
    leave_folder(template);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_bytes_with_either_engine)
{
    static const char *const engines[] = {"pbft", "raft"};
    char template[] = "/tmp/airdeed-loop-XXXXXX";
    enter_folder(template);
    for (size_t i = 0; i < 2; i++) {
        json_t *first = run_once("first", 0, engines[i]), *second = run_once("second", 0, engines[i]);
        ck_assert_str_eq(air_of(first), air_of(second));
        compare_files("first", "second", "events.jsonl");
        compare_files("first", "second", "air.pcapng");
        json_decref(first);
        json_decref(second);
    }
    leave_folder(template);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("whole runs");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, results_do_not_depend_on_how_time_is_cut_into_blocks);
    tcase_add_test(tc, the_same_seed_gives_the_same_bytes_with_either_engine);
    suite_add_tcase(suite, tc);
}
