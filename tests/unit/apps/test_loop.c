#define SUITE_NAME "virtual loop"
#include "tests/unit/check_main.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/run/run.h"

/* A short run in a folder of its own; what it left is compared by the caller. */
static json_t *run_at(const char *scenario, const char *fidelity, const char *folder, uint64_t cut_seed, const char *consensus)
{
    struct app_run_options options = {
        .scenario = scenario, .fidelity = fidelity, .consensus = consensus, .has_seed = true, .seed = 5, .duration_ns = 700000000, .out = folder};
    options.cut_seed = cut_seed;
    json_t *summary = NULL;
    char where[600], error[WORLD_MAX_ERROR] = "";
    int code = app_run(&options, &summary, where, sizeof where, error);
    ck_assert_msg(code == 0, "exit code %d: %s (seed 5, cut seed %llu)", code, error, (unsigned long long)cut_seed);
    return summary;
}

static json_t *run_scenario(const char *scenario, const char *folder, uint64_t cut_seed, const char *consensus)
{
    return run_at(scenario, NULL, folder, cut_seed, consensus);
}

static json_t *run_once(const char *folder, uint64_t cut_seed, const char *consensus)
{
    return run_scenario("quickstart", folder, cut_seed, consensus);
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

START_TEST(nor_do_they_at_packet_fidelity)
{
    char template[] = "/tmp/airdeed-loop-XXXXXX";
    enter_folder(template);
    json_t *whole = run_at("quickstart", "packet", "whole", 0, "pbft");
    for (uint64_t cut_seed = 1; cut_seed <= 3; cut_seed++) {
        json_t *cut = run_at("quickstart", "packet", "cut", cut_seed, "pbft");
        ck_assert_str_eq(air_of(whole), air_of(cut));
        compare_files("whole", "cut", "events.jsonl");
        compare_files("whole", "cut", "air.pcapng");
        json_decref(cut);
    }
    json_decref(whole);
    leave_folder(template);
}
END_TEST

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

/* Fading, drifting clocks and receivers with an AGC are functions of the sample's index too. */
START_TEST(nor_do_they_on_a_harder_air)
{
    char template[] = "/tmp/airdeed-loop-XXXXXX";
    enter_folder(template);
    json_t *whole = run_scenario("fading", "whole", 0, "raft"), *cut = run_scenario("fading", "cut", 3, "raft");
    ck_assert_str_eq(air_of(whole), air_of(cut));
    compare_files("whole", "cut", "events.jsonl");
    json_decref(whole);
    json_decref(cut);
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

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static int run_file(const char *path, json_t **summary_out, char *error)
{
    struct app_run_options options = {.scenario = path, .out = "out"};
    char where[600];
    error[0] = 0;
    return app_run(&options, summary_out, where, sizeof where, error);
}

static const char two_stations[] = "name: small\nduration: 1s\nsettle: 100ms\n"
                                   "channels: [{name: c, low: 5.18G, high: 5.19G}, {name: a, low: 5.19G, high: 5.2G}]\n"
                                   "control: c\nstations: [{name: one, x_m: -9e4}, {name: two, x_m: 9e4}]\n";

/* Whatever reaction and burst a scenario may name, the run goes through: whether the jammer is caught is another matter. */
START_TEST(jammers_at_both_ends_of_their_ranges_run_to_the_end)
{
    static const char *const jammers[] = {"react: 8us, burst: 2us", "react: 8us, burst: 100ms", "react: 10ms, burst: 100ms"};
    char template[] = "/tmp/airdeed-loop-XXXXXX", text[1024], error[WORLD_MAX_ERROR];
    enter_folder(template);
    for (size_t i = 0; i < sizeof jammers / sizeof jammers[0]; i++) {
        json_t *summary = NULL;
        snprintf(text, sizeof text, "%sjammers: [{name: j, kind: reactive, channel: c, start: 200ms, %s}]\n", two_stations, jammers[i]);
        write_text("j.yaml", text);
        int code = run_file("j.yaml", &summary, error);
        ck_assert_msg(code <= 1 && error[0] == 0, "%s: exit code %d, %s", jammers[i], code, error);
        FILE *journal = fopen("out/events.jsonl", "rb");
        size_t n_bursts = 0;
        while (fgets(text, sizeof text, journal))
            n_bursts += strstr(text, "\"jam_burst\"") != NULL;
        fclose(journal);
        ck_assert_msg(n_bursts > 0, "%s: the jammer never sent", jammers[i]);
        json_decref(summary);
    }
    leave_folder(template);
}
END_TEST

static void check_refused_recording(const char *recording, const char *why)
{
    char text[1024], error[WORLD_MAX_ERROR];
    json_t *summary = NULL;
    snprintf(text, sizeof text, "%sprimaries:\n  - name: p\n    channel: a\n    recording: %s\n", two_stations, recording);
    write_text("p.yaml", text);
    ck_assert_int_eq(run_file("p.yaml", &summary, error), 2);
    ck_assert_msg(strncmp(error, "p.yaml:10: field primaries[0].recording: ", 40) == 0 && strstr(error, why), "%s", error);
    ck_assert_int_ne(access("out.partial", F_OK), 0);
}

START_TEST(a_recording_that_cannot_be_played_is_named_by_file_line_and_field)
{
    char template[] = "/tmp/airdeed-loop-XXXXXX", error[PHY_SIGMF_MAX_ERROR];
    enter_folder(template);
    check_refused_recording("lost.sigmf-meta", "lost.sigmf-meta");
    static const float complex silence[1000];
    struct phy_sigmf_meta meta = {.type = PHY_SIGMF_CI16_LE, .sample_rate_hz = 1e7, .n_captures = 1};
    struct phy_sigmf_writer *writer;
    snprintf(meta.datetime, sizeof meta.datetime, "2020-01-01T00:00:00Z");
    ck_assert_msg(phy_sigmf_create("silent", &meta, &writer, error) == 0, "%s", error);
    ck_assert_int_eq(phy_sigmf_write(writer, silence, 1000, error), 0);
    ck_assert_msg(phy_sigmf_finish(writer, "silence", NULL, 0, error) == 0, "%s", error);
    check_refused_recording("silent.sigmf-meta", "is silent");
    leave_folder(template);
}
END_TEST

START_TEST(a_scenario_file_finds_the_embedded_recordings_unless_it_has_its_own)
{
    char template[] = "/tmp/airdeed-loop-XXXXXX", text[1024], error[WORLD_MAX_ERROR];
    json_t *summary = NULL;
    enter_folder(template);
    snprintf(text, sizeof text, "%sprimaries: [{name: p, channel: a, recording: primary.sigmf-meta}]\n", two_stations);
    write_text("p.yaml", text);
    int code = run_file("p.yaml", &summary, error);
    ck_assert_msg(code <= 1, "exit code %d, %s", code, error);
    json_decref(summary);
    write_text("primary.sigmf-meta", "no JSON");
    ck_assert_int_eq(run_file("p.yaml", &summary, error), 2);
    leave_folder(template);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("whole runs");
    tcase_add_test(tc, nor_do_they_at_packet_fidelity);
    tcase_add_test(tc, results_do_not_depend_on_how_time_is_cut_into_blocks);
    tcase_add_test(tc, nor_do_they_on_a_harder_air);
    tcase_add_test(tc, the_same_seed_gives_the_same_bytes_with_either_engine);
    tcase_add_test(tc, jammers_at_both_ends_of_their_ranges_run_to_the_end);
    tcase_add_test(tc, a_recording_that_cannot_be_played_is_named_by_file_line_and_field);
    tcase_add_test(tc, a_scenario_file_finds_the_embedded_recordings_unless_it_has_its_own);
    suite_add_tcase(suite, tc);
}
