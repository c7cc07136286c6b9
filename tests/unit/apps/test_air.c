#define SUITE_NAME "airdeed air: stations over ZeroMQ"
#include "tests/unit/check_main.h"

#include "apps/options.h"
#include "phy/radio/radio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STATIONS = 4, CAP = 1 << 18, BLOCK = 64, PATIENCE_MS = 10000 };

/* The mixer is another process; the stations take turns in this one. A station's samples are those of its own receive stream. */
static struct {
    char folder[32], out[48], error[48];
    pid_t mixer;
    struct {
        struct phy_radio *radio;
        uint64_t n_heard;
        float complex heard[CAP]; /* since it was opened */
    } stations[MAX_STATIONS];
} t;

static int64_t now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static void set_up(void)
{
    memset(&t, 0, sizeof t);
    snprintf(t.folder, sizeof t.folder, "/tmp/airdeed-air-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.folder));
    snprintf(t.out, sizeof t.out, "%s/out", t.folder);
    snprintf(t.error, sizeof t.error, "%s/error", t.folder);
}

static void start_mixer(uint32_t n_stations, const char *const *more)
{
    char tx[400] = "", rx[400] = "", ports[8];
    for (uint32_t k = 0; k < n_stations; k++) {
        size_t n = strlen(tx);
        snprintf(tx + n, sizeof tx - n, "%sipc://%s/tx%u", k ? "," : "", t.folder, (unsigned)k);
        n = strlen(rx);
        snprintf(rx + n, sizeof rx - n, "%sipc://%s/rx%u", k ? "," : "", t.folder, (unsigned)k);
    }
    snprintf(ports, sizeof ports, "%u", (unsigned)n_stations);
    char *argv[40] = {"air", "--ports", ports, "--port-tx", tx, "--port-rx", rx, "--block", "64", "--json"};
    int argc = 10;
    for (size_t i = 0; more && more[i]; i++)
        argv[argc++] = (char *)(uintptr_t)more[i];
    t.mixer = fork();
    if (t.mixer != 0)
        return;
    int out = open(t.out, O_CREAT | O_WRONLY | O_TRUNC, 0600), error = open(t.error, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    int code = app_command_air.main(argc, argv);
    fflush(stdout);
    _exit(code);
}

static void open_station(uint32_t k)
{
    char uri[PHY_RADIO_MAX_TEXT], error[PHY_RADIO_MAX_ERROR];
    snprintf(uri, sizeof uri, "zmq:tx=ipc://%s/tx%u,rx=ipc://%s/rx%u,lead=64", t.folder, (unsigned)k, t.folder, (unsigned)k);
    struct phy_radio_config cfg = {.sample_rate_hz = 1000000, .center_hz = NAN, .transmit = true};
    ck_assert_msg(phy_radio_open(uri, &cfg, &t.stations[k].radio, error) == 0, "%s", error);
    t.stations[k].n_heard = 0;
}

static void close_station(uint32_t k)
{
    t.stations[k].radio->ops->close(t.stations[k].radio);
    t.stations[k].radio = NULL;
}

/* Every station that is open takes a turn. */
static void take_turns(uint32_t mask)
{
    for (uint32_t k = 0; k < MAX_STATIONS; k++) {
        if (!t.stations[k].radio || !(mask >> k & 1))
            continue;
        struct phy_radio_block block;
        uint64_t n = t.stations[k].n_heard;
        int err = t.stations[k].radio->ops->receive(t.stations[k].radio, t.stations[k].heard + n, CAP - n, 200000, &block);
        ck_assert_msg(err == 0 || err == -EAGAIN, "station %u: %d", (unsigned)k, err);
        ck_assert_uint_eq(block.start_sample, n);
        t.stations[k].n_heard += err ? 0 : block.n;
    }
}

static void hear(uint32_t k, uint64_t n, uint32_t mask)
{
    for (int64_t until_ms = now_ms() + PATIENCE_MS; t.stations[k].n_heard < n;) {
        ck_assert_msg(now_ms() < until_ms, "station %u hears only %llu samples", (unsigned)k, (unsigned long long)t.stations[k].n_heard);
        take_turns(mask);
    }
}

static float complex burst_sample(uint32_t k, uint64_t i)
{
    return (float)(.001 * (double)(i % 89 + 1)) * (k % 2 ? 1.0f : -1.0f) + (float)k * .0625f;
}

static void send_burst(uint32_t k, uint64_t start, size_t n)
{
    float complex burst[1024];
    ck_assert_uint_le(n, 1024);
    for (size_t i = 0; i < n; i++)
        burst[i] = burst_sample(k, i);
    ck_assert_int_eq(t.stations[k].radio->ops->transmit(t.stations[k].radio, start, burst, n), 0);
}

static json_t *stop_mixer(void)
{
    int status;
    kill(t.mixer, SIGTERM);
    ck_assert_int_eq(waitpid(t.mixer, &status, 0), t.mixer);
    t.mixer = 0;
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    FILE *file = fopen(t.out, "r");
    ck_assert_ptr_nonnull(file);
    char line[8192], last[8192] = "";
    while (fgets(line, sizeof line, file)) {
        json_t *each = json_loads(line, 0, NULL);
        ck_assert_msg(each != NULL, "no JSON: %s", line);
        json_decref(each);
        strcpy(last, line);
    }
    fclose(file);
    json_t *summary = json_loads(last, 0, NULL);
    ck_assert(json_is_true(json_object_get(summary, "summary")));
    return summary;
}

static json_int_t get_count(const json_t *summary, uint32_t k, const char *name)
{
    const json_t *value = json_object_get(json_array_get(json_object_get(summary, "ports"), k), name);
    ck_assert_msg(json_is_integer(value), "no %s of port %u", name, (unsigned)k + 1);
    return json_integer_value(value);
}

static void tear_down(void)
{
    char command[96];
    for (uint32_t k = 0; k < MAX_STATIONS; k++)
        if (t.stations[k].radio)
            close_station(k);
    if (t.mixer > 0)
        json_decref(stop_mixer());
    snprintf(command, sizeof command, "rm -rf %s", t.folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_links(const char *text, char *path, size_t cap)
{
    snprintf(path, cap, "%s/links.yaml", t.folder);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

START_TEST(every_station_hears_the_exact_sum_of_the_others_each_with_its_gain_and_delay)
{
    char path[64];
    write_links("links:\n  - {from: 1, to: 3, gain_db: -20, delay: 5}\n  - {from: 2, to: 3, delay: 131}\n  - {from: 1, to: 2, gain_db: -400}\n",
                path, sizeof path);
    start_mixer(3, (const char *[]){"--links", path, "--gain", "6.020599913279624", "--wait-all", NULL});
    for (uint32_t k = 0; k < 3; k++)
        open_station(k);
    send_burst(0, 100, 300);
    send_burst(1, 150, 500);
    send_burst(2, 90, 77);
    for (uint32_t k = 0; k < 3; k++)
        hear(k, 1024, 7);
    for (uint64_t i = 0; i < 1024; i++) {
        float complex want = 0;
        if (i >= 105 && i < 405)
            want += .1f * burst_sample(0, i - 105);
        if (i >= 281 && i < 781)
            want += 2.0f * burst_sample(1, i - 281);
        ck_assert_msg(cabsf(t.stations[2].heard[i] - want) < 1e-6f, "sample %u: %g, not %g", (unsigned)i,
                      (double)crealf(t.stations[2].heard[i]), (double)crealf(want));
        want = i >= 90 && i < 167 ? 2.0f * burst_sample(2, i - 90) : 0;
        ck_assert_msg(cabsf(t.stations[1].heard[i] - want) < 1e-6f, "2 hears 3 alone, but at %u: %g", (unsigned)i,
                      (double)crealf(t.stations[1].heard[i]));
    }
}
END_TEST

START_TEST(noise_has_its_level_at_each_port_and_comes_again_with_the_seed)
{
    char path[64];
    write_links("ports:\n  - {port: 2, noise_dbfs: -40}\n", path, sizeof path);
    static float complex first[8192];
    for (int round = 0; round < 2; round++) {
        start_mixer(2, (const char *[]){"--links", path, "--noise", "-20", "--seed", "7", "--wait-all", NULL});
        open_station(0);
        open_station(1);
        double power[2] = {0, 0};
        hear(0, 8192, 3);
        hear(1, 8192, 3);
        for (uint32_t k = 0; k < 2; k++)
            for (size_t i = 0; i < 8192; i++)
                power[k] += creal((double complex)(t.stations[k].heard[i] * conjf(t.stations[k].heard[i]))) / 8192;
        /* |z|^2 is exponential: its mean over n has standard error 1/sqrt(n) */
        ck_assert_double_eq_tol(power[0] / .01, 1, 3.5 / sqrt(8192));
        ck_assert_double_eq_tol(power[1] / .0001, 1, 3.5 / sqrt(8192));
        if (round)
            ck_assert_mem_eq(first, t.stations[0].heard, sizeof first);
        memcpy(first, t.stations[0].heard, sizeof first);
        close_station(0);
        close_station(1);
        json_decref(stop_mixer());
    }
}
END_TEST

START_TEST(a_station_that_is_not_there_counts_as_zeros_and_is_taken_in_when_it_comes)
{
    start_mixer(3, (const char *[]){"--patience", "500ms", NULL});
    open_station(0);
    open_station(1);
    send_burst(0, 200, 100);
    hear(1, 1000, 3);
    hear(0, 1000, 3);
    /* station 3 comes: its time begins at 0, the others' goes on */
    open_station(2);
    hear(2, 64, 7);
    uint64_t now = t.stations[0].n_heard;
    send_burst(0, now + 256, 50);
    send_burst(2, t.stations[2].n_heard + 128, 40);
    hear(0, now + 1024, 7);
    hear(2, 1024, 7);
    uint64_t at = 0;
    while (t.stations[0].heard[now + at] == 0 && at < 1024)
        at++;
    ck_assert_uint_lt(at, 1024);
    for (uint64_t i = 0; i < 40; i++)
        ck_assert(t.stations[0].heard[now + at + i] == burst_sample(2, i));
    at = 0;
    while (t.stations[2].heard[at] == 0 && at < 1024)
        at++;
    for (uint64_t i = 0; i < 50; i++)
        ck_assert(t.stations[2].heard[at + i] == burst_sample(0, i));
    json_t *summary = stop_mixer();
    ck_assert_int_gt(get_count(summary, 2, "zero_samples"), 900);
    ck_assert_int_eq(get_count(summary, 2, "discarded_samples"), 0);
    ck_assert_int_eq(get_count(summary, 0, "zero_samples"), 0);
    json_decref(summary);
}
END_TEST

START_TEST(a_killed_station_that_comes_back_speaks_and_hears_in_the_present)
{
    start_mixer(2, (const char *[]){"--patience", "60s", NULL});
    open_station(0);
    open_station(1);
    hear(0, 1000, 3);
    /* the end of its connection is told at once: patience, which a busy machine may try, is not what is waited for */
    for (int round = 0; round < 3; round++) {
        uint64_t now = t.stations[0].n_heard;
        close_station(1);
        hear(0, now + 1000, 1); /* the air goes on without it */
        open_station(1);
        hear(1, 64, 3);
        /* echo: what it hears of 1 at its sample s it answers at s + 200; 1 hears that 200 after it sent */
        now = t.stations[0].n_heard;
        uint64_t sent_at = now + 128, heard_at = 0;
        send_burst(0, sent_at, 16);
        for (bool answered = false; !answered;) {
            take_turns(3);
            for (; heard_at < t.stations[1].n_heard && !answered; heard_at++)
                if (t.stations[1].heard[heard_at] != 0) {
                    send_burst(1, heard_at + 200, 16);
                    answered = true;
                    heard_at--;
                }
            ck_assert_uint_lt(t.stations[1].n_heard, 2000);
        }
        hear(0, sent_at + 300, 3);
        for (uint64_t i = sent_at; i < sent_at + 300; i++)
            ck_assert_msg((t.stations[0].heard[i] != 0) == (i >= sent_at + 200 && i < sent_at + 216), "round %d, sample %llu after", round,
                          (unsigned long long)(i - sent_at));
    }
    json_t *summary = stop_mixer();
    ck_assert_int_eq(get_count(summary, 1, "silences"), 3);
    json_decref(summary);
}
END_TEST

START_TEST(a_station_that_stops_for_longer_than_the_patience_goes_on_in_its_own_time)
{
    start_mixer(2, (const char *[]){"--patience", "300ms", NULL});
    open_station(0);
    open_station(1);
    hear(0, 500, 3);
    hear(1, 500, 3);
    uint64_t now = t.stations[0].n_heard;
    hear(0, now + 2000, 1); /* station 2 does nothing for so long */
    uint64_t resumed = t.stations[1].n_heard;
    ck_assert_uint_lt(resumed, now + 200);
    send_burst(1, resumed + 300, 20);
    send_burst(0, t.stations[0].n_heard + 400, 20);
    hear(1, resumed + 1000, 3);
    /* both were heard, each once and whole */
    for (uint32_t k = 0; k < 2; k++) {
        uint64_t n_on = 0;
        for (uint64_t i = 0; i < t.stations[k].n_heard; i++)
            n_on += t.stations[k].heard[i] != 0;
        ck_assert_msg(n_on == 20, "station %u hears %llu samples", (unsigned)k + 1, (unsigned long long)n_on);
    }
    json_t *summary = stop_mixer();
    ck_assert_int_gt(get_count(summary, 1, "silences"), 0);
    json_decref(summary);
}
END_TEST

/* Descriptors that the mixer has open */
static size_t count_descriptors(void)
{
    char path[48];
    size_t n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)t.mixer);
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

/* Memory of the mixer that is resident, kB */
static long read_resident_kb(void)
{
    char path[48], line[128];
    long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)t.mixer);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (kb < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kb) != 1)
            kb = -1;
    fclose(file);
    return kb;
}

START_TEST(a_station_that_comes_and_goes_200_times_costs_no_descriptors_and_no_memory)
{
    enum { N_ROUNDS = 200, WARM = 40 };
    size_t n_descriptors = 0;
    long resident_kb = 0;
    start_mixer(1, (const char *[]){"--patience", "0s", "--noise", "-30", NULL});
    for (int round = 0; round < N_ROUNDS; round++) {
        open_station(0);
        hear(0, BLOCK, 1);
        if (round == WARM) {
            n_descriptors = count_descriptors();
            resident_kb = read_resident_kb();
        }
        if (round + 1 < N_ROUNDS)
            close_station(0);
    }
    size_t n_more = count_descriptors();
    ck_assert_msg(n_more <= n_descriptors + 2, "%zu descriptors, then %zu", n_descriptors, n_more);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed for a while */
    long grown_kb = read_resident_kb() - resident_kb;
    ck_assert_msg(grown_kb < 512, "%ld kB more after %d rounds", grown_kb, N_ROUNDS - WARM);
#endif
    ck_assert_int_gt(resident_kb, 0);
    json_t *summary = stop_mixer();
    ck_assert_int_eq(get_count(summary, 0, "silences"), N_ROUNDS - 1);
    json_decref(summary);
}
END_TEST

START_TEST(an_emitter_of_the_air_is_heard_by_all)
{
    char path[64];
    write_links("emitters:\n  - {kind: pulse, power_dbfs: -10, start: 1ms, stop: 6ms, burst: 100us, period: 1ms}\n", path, sizeof path);
    start_mixer(2, (const char *[]){"--links", path, "--wait-all", NULL});
    open_station(0);
    open_station(1);
    hear(0, 8000, 3);
    hear(1, 8000, 3);
    ck_assert_mem_eq(t.stations[0].heard, t.stations[1].heard, 8000 * sizeof(float complex));
    double power = 0;
    for (size_t i = 0; i < 8000; i++) {
        bool on = i >= 1000 && i < 6000 && i % 1000 < 100;
        ck_assert_msg((t.stations[0].heard[i] != 0) == on, "sample %zu", i);
        power += (double)(crealf(t.stations[0].heard[i] * conjf(t.stations[0].heard[i]))) / 500;
    }
    ck_assert_double_eq_tol(power / .1, 1, 3.5 / sqrt(500));
}
END_TEST

START_TEST(one_that_only_listens_hears)
{
    char rx[64], tx[64], uri[PHY_RADIO_MAX_TEXT], error[PHY_RADIO_MAX_ERROR];
    start_mixer(2, (const char *[]){"--patience", "300ms", "--noise", "-30", NULL});
    snprintf(rx, sizeof rx, "ipc://%s/rx1", t.folder);
    snprintf(tx, sizeof tx, "ipc://%s/tx1", t.folder);
    snprintf(uri, sizeof uri, "zmq:rx=%s", rx);
    struct phy_radio_config cfg = {.sample_rate_hz = 1000000, .center_hz = NAN};
    ck_assert_int_eq(phy_radio_open(uri, &cfg, &t.stations[1].radio, error), 0);
    hear(1, 5000, 2);
    open_station(0); /* another joins; the listener goes on */
    send_burst(0, 300, 100);
    hear(0, 1000, 3);
    hear(1, 7000, 3);
}
END_TEST

START_TEST(it_ends_after_so_many_samples)
{
    start_mixer(1, (const char *[]){"--duration", "10ms", "--noise", "-30", NULL});
    open_station(0);
    hear(0, 10000, 1);
    int status;
    ck_assert_int_eq(waitpid(t.mixer, &status, 0), t.mixer);
    t.mixer = 0;
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_uint_eq(t.stations[0].n_heard % BLOCK, 0);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("air");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, every_station_hears_the_exact_sum_of_the_others_each_with_its_gain_and_delay);
    tcase_add_test(tc, noise_has_its_level_at_each_port_and_comes_again_with_the_seed);
    tcase_add_test(tc, a_station_that_is_not_there_counts_as_zeros_and_is_taken_in_when_it_comes);
    tcase_add_test(tc, a_killed_station_that_comes_back_speaks_and_hears_in_the_present);
    tcase_add_test(tc, a_station_that_stops_for_longer_than_the_patience_goes_on_in_its_own_time);
    tcase_add_test(tc, a_station_that_comes_and_goes_200_times_costs_no_descriptors_and_no_memory);
    tcase_add_test(tc, an_emitter_of_the_air_is_heard_by_all);
    tcase_add_test(tc, one_that_only_listens_hears);
    tcase_add_test(tc, it_ends_after_so_many_samples);
    suite_add_tcase(suite, tc);
}
