#define SUITE_NAME "run folder"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/run/run.h"

static char home[64], folder[100], partial[120], error[WORLD_MAX_ERROR];

static void enter_folder(void)
{
    snprintf(home, sizeof home, "/tmp/airdeed-folder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(home));
    ck_assert_int_eq(chdir(home), 0);
}

static void leave_folder(void)
{
    char command[100];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *path)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    const char *dot = strrchr(path, '/');
    fputs(dot && strcmp(dot, "/summary.json") == 0 ? "{\"air_sha256\": \"00\"}\n" : "x\n", file);
    ck_assert_int_eq(fclose(file), 0);
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int prepare(const char *name)
{
    error[0] = 0;
    snprintf(folder, sizeof folder, "%s", name);
    return app_folder_prepare(folder, partial, sizeof partial, error);
}

static void put_run(const char *name)
{
    static const char *const files[] = {"summary.json",       "events.jsonl",          "air.pcapng",
                                        "report.html",        "ledger-a-1.db",         "ledger-a-1.db-wal",
                                        "ledger-a-1.db.lock", "iq/a-1.sigmf-data",     "iq/a-1.sigmf-meta",
                                        "iq/a-1.frames.jsonl", "iq/b-1.sigmf-data.partial"};
    char path[200];
    snprintf(path, sizeof path, "%s/iq", name);
    ck_assert_int_eq(mkdir(name, 0777), 0);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", name, files[i]);
        put(path);
    }
}

START_TEST(an_earlier_run_is_replaced_whole)
{
    put_run("r");
    ck_assert_int_eq(prepare("r//"), 0);
    ck_assert_str_eq(folder, "r");
    ck_assert_str_eq(partial, "r.partial");
    ck_assert(there("r/summary.json"));
    put("r.partial/events.jsonl");
    ck_assert_msg(app_folder_publish(partial, folder, error) == 0, "%s", error);
    ck_assert(there("r/events.jsonl") && !there("r/summary.json") && !there("r/iq") && !there("r.partial"));
}
END_TEST

START_TEST(a_folder_with_one_foreign_entry_is_not_touched)
{
    static const char *const foreign[] = {"r/notes.txt", "r/iq/take1.wav", "r/iq/holiday.sigmf-data", "r/.hidden", "r/ledger-a.db.bak", "r/summary.json~"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        put_run("r");
        put(foreign[i]);
        ck_assert_int_eq(prepare("r"), -EINVAL);
        ck_assert_msg(strstr(error, foreign[i] + 2) != NULL, "%s: %s", foreign[i], error);
        ck_assert(there("r/summary.json") && there("r/iq/a-1.sigmf-data") && there(foreign[i]) && !there("r.partial"));
        ck_assert_int_eq(system("rm -r r"), 0);
    }
}
END_TEST

START_TEST(a_subfolder_or_a_link_is_foreign_whatever_its_name)
{
    put_run("r");
    ck_assert_int_eq(unlink("r/report.html"), 0);
    ck_assert_int_eq(mkdir("r/report.html", 0777), 0);
    ck_assert_int_eq(prepare("r"), -EINVAL);
    ck_assert_int_eq(rmdir("r/report.html"), 0);
    put("elsewhere");
    ck_assert_int_eq(symlink("../elsewhere", "r/report.html"), 0);
    ck_assert_int_eq(prepare("r"), -EINVAL);
    ck_assert(there("r/summary.json") && there("elsewhere"));
}
END_TEST

START_TEST(a_folder_without_summary_is_no_run_and_an_empty_one_is_taken)
{
    ck_assert_int_eq(mkdir("r", 0777), 0);
    ck_assert_msg(prepare("r") == 0, "%s", error);
    put("r/events.jsonl");
    ck_assert_int_eq(prepare("r"), -EINVAL);
    ck_assert_msg(strstr(error, "no summary.json") != NULL, "%s", error);
    FILE *file = fopen("r/summary.json", "wb");
    ck_assert_ptr_nonnull(file);
    fputs("my own summary\n", file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(prepare("r"), -EINVAL);
    ck_assert_msg(strstr(error, "none of a run") != NULL, "%s", error);
}
END_TEST

START_TEST(a_partial_run_is_removed_and_a_foreign_one_is_not)
{
    ck_assert_int_eq(mkdir("r.partial", 0777), 0);
    put("r.partial/events.jsonl");
    ck_assert_msg(prepare("r") == 0, "%s", error);
    ck_assert(!there("r.partial/events.jsonl"));
    put("r.partial/thesis.tex");
    ck_assert_int_eq(prepare("r"), -EINVAL);
    ck_assert(there("r.partial/thesis.tex"));
}
END_TEST

START_TEST(names_that_no_run_may_replace_are_refused)
{
    static const char *const names[] = {"", ".", "..", "/", "///", "./", "a/..", "a/.", "link", "link/", "file"};
    ck_assert_int_eq(mkdir("target", 0777), 0);
    ck_assert_int_eq(symlink("target", "link"), 0);
    put("file");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_msg(prepare(names[i]) == -EINVAL && error[0], "'%s' is taken", names[i]);
        ck_assert_msg(!there("link.partial") && !there("file.partial") && !there("..partial"), "'%s' left a partial", names[i]);
    }
}
END_TEST

START_TEST(what_became_foreign_during_the_run_stays_and_so_does_the_run)
{
    put_run("r");
    ck_assert_int_eq(prepare("r"), 0);
    put("r.partial/summary.json");
    put("r/notes.txt");
    ck_assert_int_ne(app_folder_publish(partial, folder, error), 0);
    ck_assert_msg(strstr(error, "notes.txt") && strstr(error, "r.partial"), "%s", error);
    ck_assert(there("r/notes.txt") && there("r/summary.json") && there("r.partial/summary.json"));
}
END_TEST

START_TEST(a_failed_run_leaves_nothing_behind)
{
    ck_assert_int_eq(prepare("r"), 0);
    put("r.partial/events.jsonl");
    app_folder_discard(partial);
    ck_assert(!there("r.partial"));
    app_folder_discard(partial);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *t = tcase_create("folder");
    tcase_add_checked_fixture(t, enter_folder, leave_folder);
    tcase_add_test(t, an_earlier_run_is_replaced_whole);
    tcase_add_test(t, a_folder_with_one_foreign_entry_is_not_touched);
    tcase_add_test(t, a_subfolder_or_a_link_is_foreign_whatever_its_name);
    tcase_add_test(t, a_folder_without_summary_is_no_run_and_an_empty_one_is_taken);
    tcase_add_test(t, a_partial_run_is_removed_and_a_foreign_one_is_not);
    tcase_add_test(t, names_that_no_run_may_replace_are_refused);
    tcase_add_test(t, what_became_foreign_during_the_run_stays_and_so_does_the_run);
    tcase_add_test(t, a_failed_run_leaves_nothing_behind);
    suite_add_tcase(suite, t);
}
