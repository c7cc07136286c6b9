#define SUITE_NAME "report"
#include "tests/unit/check_main.h"

#include "apps/run/compare_access.h"
#include "apps/run/journal.h"
#include "apps/run/report.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PAGE = 1 << 20, SECOND = 1000000000 };
static char folder[64];
static char page[MAX_PAGE], error[APP_REPORT_MAX_ERROR];

static const char summary_text[] =
    "{\"seed\":5,\"agreement\":{\"all_equal\":true,\"state_root\":\"c0ffee\",\"height\":42},"
    "\"commits\":{\"count\":2,\"p50_ms\":20.5,\"p99_ms\":31.25,\"over_shortest\":2.5},\"transmissions_without_lease\":0,"
    "\"leases\":{\"granted\":1,\"suspended\":1,\"vacate_ms_max\":301.5},\"jam\":{\"episodes\":1,\"missed\":0,\"false\":0,"
    "\"delivery_during\":0.25},\"broken\":[\"a <holder> was late\",\"somebody lied\"]}";

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/airdeed-report-%ld", (long)getpid());
    mkdir(folder, 0700);
    write_file("summary.json", summary_text);
}

static void remove_folder(void)
{
    static const char *const names[] = {"summary.json", "events.jsonl", "report.html"};
    for (size_t i = 0; i < 3; i++)
        unlink(path_of(names[i]));
    rmdir(folder);
}

static void put_event(struct app_journal *j, int64_t t_ns, const char *event, const char *station, int64_t channel)
{
    app_journal_begin(j, t_ns, event, station);
    app_journal_int(j, "channel", channel);
}

static void put_ledger(struct app_journal *j, int64_t t_ns, const char *event, int64_t id)
{
    put_event(j, t_ns, event, NULL, 1);
    app_journal_int(j, "id", id);
    app_journal_text(j, "by", "bravo");
    app_journal_int(j, "code", 501);
    app_journal_end(j);
}

static void put_start(struct app_journal *j)
{
    app_journal_begin(j, 0, "run_start", NULL);
    app_journal_text(j, "version", "1.2.3");
    app_journal_text(j, "scenario", "small");
    app_journal_text(j, "consensus", "raft");
    app_journal_int(j, "seed", 5);
    app_journal_int(j, "duration_ns", (int64_t)10 * SECOND);
    app_journal_end(j);
    static const char *const names[] = {"control", "<one>"};
    for (int i = 0; i < 2; i++) {
        app_journal_begin(j, 0, "channel", NULL);
        app_journal_int(j, "index", i);
        app_journal_text(j, "name", names[i]);
        app_journal_real(j, "low_hz", 5.18e9, 0);
        app_journal_real(j, "high_hz", 5.19e9, 0);
        app_journal_bool(j, "control", i == 0);
        app_journal_end(j);
        app_journal_begin(j, 0, "station_info", i ? "bravo" : "alpha");
        app_journal_int(j, "index", i);
        app_journal_end(j);
    }
}

static void put_jamming(struct app_journal *j)
{
    for (int on = 1; on >= 0; on--) {
        put_event(j, (on ? 6 : 7) * (int64_t)SECOND, on ? "jam_on" : "jam_off", NULL, 0);
        app_journal_text(j, "name", "mallory");
        app_journal_text(j, "kind", "reactive");
        app_journal_end(j);
    }
    /* the second burst is the first that meets a frame */
    for (int i = 0; i < 3; i++) {
        put_event(j, (int64_t)6 * SECOND + i * 30000000, "jam_burst", NULL, 0);
        app_journal_text(j, "name", "mallory");
        app_journal_int(j, "end_ns", (int64_t)6 * SECOND + i * 30000000 + 400000);
        app_journal_bool(j, "on_frame", i > 0);
        app_journal_end(j);
    }
    /* within the episode, within 50 ms after it, and too late */
    const int64_t verdicts_ns[] = {(int64_t)6 * SECOND + 80000000, (int64_t)7 * SECOND + 50000000, (int64_t)7 * SECOND + 50000001};
    for (int i = 0; i < 3; i++) {
        put_event(j, verdicts_ns[i], "jam_verdict", "alpha", 0);
        app_journal_text(j, "kind", "reactive");
        app_journal_int(j, "confidence_permille", 971);
        app_journal_end(j);
    }
}

static void put_run(void)
{
    struct app_journal *j;
    ck_assert_int_eq(app_journal_open(path_of("events.jsonl"), &j), 0);
    put_start(j);
    put_ledger(j, (int64_t)1 * SECOND, "granted", 7);
    put_ledger(j, (int64_t)2 * SECOND, "authorized", 7);
    put_ledger(j, (int64_t)3 * SECOND, "heartbeat", 7);
    put_event(j, (int64_t)4 * SECOND, "primary_on", NULL, 1);
    app_journal_text(j, "name", "tower & co");
    app_journal_end(j);
    put_ledger(j, (int64_t)4 * SECOND + 250000000, "suspended", 7);
    put_ledger(j, (int64_t)5 * SECOND, "relinquished", 7);
    put_jamming(j);
    for (int i = 0; i < 2; i++) {
        app_journal_begin(j, SECOND, "commit", NULL);
        app_journal_int(j, "height", i + 1);
        app_journal_int(j, "latency_us", i ? 31250 : 20500);
        app_journal_end(j);
        put_event(j, SECOND, "emission", "bravo", 1);
        app_journal_int(j, "start_ns", SECOND);
        app_journal_int(j, "end_ns", SECOND + 700000);
        app_journal_text(j, "kind", i ? "ack" : "data");
        app_journal_end(j);
        put_event(j, SECOND, i ? "data_received" : "data_sent", "bravo", 1);
        app_journal_end(j);
    }
    for (int i = 0; i < 3; i++)
        put_ledger(j, 8 * (int64_t)SECOND, "refused", 1);
    put_event(j, SECOND, "an_event_of_a_later_version", "alpha", 77);
    app_journal_end(j);
    ck_assert_int_eq(app_journal_close(j), 0);
}

static void read_page(void)
{
    FILE *file = fopen(path_of("report.html"), "rb");
    ck_assert_ptr_nonnull(file);
    size_t len = fread(page, 1, sizeof page - 1, file);
    page[len] = '\0';
    fclose(file);
}

static void make_page(void)
{
    ck_assert_msg(app_report_write(folder, error) == 0, "%s", error);
    read_page();
}

static void check_says(const char *text)
{
    ck_assert_msg(strstr(page, text) != NULL, "the page does not say: %s", text);
}

START_TEST(the_page_tells_what_happened)
{
    put_run();
    make_page();
    check_says("2 stations agreeing by Raft on 2 channels, 10 s of virtual time, seed 5; airdeed 1.2.3");
    check_says("20.5 / 31 ms");
    check_says("100.0 %");
    check_says("channel &lt;one&gt; is granted to bravo (grant 7)");
    check_says("primary user tower &amp; co appears on channel &lt;one&gt;");
    check_says("<td class=\"n\">4.250 s</td><td class=\"n\">5.000 s</td><td>given back</td><td class=\"n\">2</td>");
    check_says("a transaction of bravo is refused (code 501), 3 times");
    check_says("p99 31.2 ms");
    check_says("block 2: 31.25 ms");
    check_says("<code>c0ffee</code>");
    check_says("commits.p50_ms");
}
END_TEST

START_TEST(verdicts_are_held_against_the_jammer)
{
    put_run();
    make_page();
    /* two match: the first 50 ms after a frame was hit; the third came too late and is called false */
    check_says("recognised, by alpha first</td><td class=\"n\">50 ms</td><td class=\"n\">97.1 %</td><td class=\"n\">2</td>");
    const char *wrong = strstr(page, "false verdict of alpha");
    ck_assert_ptr_nonnull(wrong);
    ck_assert_ptr_null(strstr(wrong + 1, "false verdict of alpha"));
    check_says("25.0 % of (frame, receiver) pairs");
}
END_TEST

START_TEST(a_broken_promise_stands_above_everything_else)
{
    put_run();
    make_page();
    const char *banner = strstr(page, "BROKEN");
    ck_assert_ptr_nonnull(banner);
    ck_assert_ptr_nonnull(strstr(banner, "<li>a &lt;holder&gt; was late</li><li>somebody lied</li>"));
    ck_assert(banner < strstr(page, "<h2>"));
    write_file("summary.json", "{\"broken\":[]}");
    make_page();
    ck_assert_ptr_null(strstr(page, "BROKEN"));
}
END_TEST

static void put_expired(struct app_journal *j, int64_t t_ns, int64_t code)
{
    put_event(j, t_ns, "expired", NULL, 1);
    app_journal_int(j, "id", 7);
    app_journal_text(j, "by", "bravo");
    app_journal_int(j, "code", code);
    app_journal_end(j);
}

/* transmitExpireTime takes the authorization, grantExpireTime the grant. */
START_TEST(a_grant_ends_with_grant_expire_time_and_not_before)
{
    struct app_journal *j;
    ck_assert_int_eq(app_journal_open(path_of("events.jsonl"), &j), 0);
    put_start(j);
    put_ledger(j, (int64_t)1 * SECOND, "granted", 7);
    put_ledger(j, (int64_t)2 * SECOND, "authorized", 7);
    put_expired(j, (int64_t)3 * SECOND, 0);
    put_expired(j, (int64_t)5 * SECOND, 500);
    put_event(j, (int64_t)6 * SECOND, "link_verdict", "alpha", 1);
    app_journal_text(j, "kind", "none");
    app_journal_end(j);
    ck_assert_int_eq(app_journal_close(j), 0);
    make_page();
    check_says("<td class=\"n\">5.000 s</td><td>grantExpireTime passed</td>");
    check_says("transmitExpireTime of grant 7 on channel &lt;one&gt; passed");
    check_says("grant 7 on channel &lt;one&gt; ends: grantExpireTime passed");
    check_says("channel &lt;one&gt; is in order again");
}
END_TEST

/* Every element is closed in order, so that one strange value cannot take the page apart; nothing is loaded from elsewhere. */
static void check_well_formed(void)
{
    ck_assert_ptr_null(strstr(page, "http"));
    ck_assert_ptr_null(strstr(page, "<script"));
    ck_assert_ptr_null(strstr(page, "<one>"));
    ck_assert_ptr_null(strstr(page, "nan"));
    enum { MAX_OPEN = 32 };
    char open[MAX_OPEN][24];
    int n = 0;
    for (const char *at = page; (at = strchr(at, '<')) != NULL; at++) {
        char name[24] = "";
        bool closing = at[1] == '/';
        for (size_t i = 0; i + 1 < sizeof name && isalnum((unsigned char)at[1 + closing + (int)i]); i++)
            name[i] = at[1 + closing + (int)i];
        const char *end = strchr(at, '>');
        ck_assert_ptr_nonnull(end);
        if (!*name || strcmp(name, "meta") == 0 || end[-1] == '/')
            continue;
        if (closing) {
            ck_assert_int_gt(n, 0);
            ck_assert_str_eq(open[--n], name);
        } else {
            ck_assert_int_lt(n, MAX_OPEN);
            memcpy(open[n++], name, sizeof name);
        }
    }
    ck_assert_int_eq(n, 0);
}

START_TEST(the_page_is_well_formed_and_self_contained)
{
    put_run();
    make_page();
    check_well_formed();
    ck_assert_ptr_null(strstr(page, "hop set"));
}
END_TEST

START_TEST(channels_of_the_hop_set_are_marked)
{
    struct app_journal *j;
    ck_assert_int_eq(app_journal_open(path_of("events.jsonl"), &j), 0);
    put_start(j);
    app_journal_begin(j, 0, "channel", NULL);
    app_journal_int(j, "index", 2);
    app_journal_text(j, "name", "h1");
    app_journal_bool(j, "control", false);
    app_journal_bool(j, "hop", true);
    app_journal_end(j);
    ck_assert_int_eq(app_journal_close(j), 0);
    make_page();
    check_well_formed();
    check_says(">hop set</text>");
    check_says(">rendezvous</text>");
    check_says("channel of the hop set, over which the control channel moves");
}
END_TEST

/* Leases that carry as much as the identity says: of occupancy .7, each behind a gap of its own */
static void make_leases(const double *gaps_s, int n, struct app_access_row *rows)
{
    for (int i = 0; i < n; i++) {
        double tenure_s = .1 * pow(2, i);
        rows[i] = (struct app_access_row){.access = "lease", .lease_ns = (int64_t)llround(tenure_s * 1e9), .tenure_s = tenure_s, .gap_s = gaps_s[i],
                                          .end_s = gaps_s[i] / 2, .ask_s = gaps_s[i] / 4, .begin_s = gaps_s[i] / 4, .occupancy = .7,
                                          .utilisation = .7 * tenure_s / (tenure_s + gaps_s[i])};
    }
}

START_TEST(a_lease_pays_from_where_it_carries_as_much)
{
    enum { N = 8 };
    struct app_access_row rows[N + 1] = {{.access = "dcf", .utilisation = .5, .p50_ms = 1, .p99_ms = 2, .jain = 1}};
    const struct app_access_row none = {.access = "none", .utilisation = .71}, less = {.access = "less", .utilisation = .1};
    double gaps_s[N] = {.2, .2, .2, .2, .2, .2, .2, .2};
    make_leases(gaps_s, N, &rows[1]);
    /* T = .2 / (1 - .5 / .7) = .7, between .6 and 1 s */
    struct app_access_break_even b = app_compare_break_even(&rows[1], N, &rows[0]);
    ck_assert_double_eq_tol(b.identity_s, .7, 1e-9);
    ck_assert_double_eq_tol(b.of_means_s, .7, 1e-9);
    ck_assert_double_eq_tol(b.measured_s, .7, 1e-9);
    /* a gap elsewhere says nothing of the cycle from which on leases pay */
    gaps_s[7] = 5;
    make_leases(gaps_s, N, &rows[1]);
    b = app_compare_break_even(&rows[1], N, &rows[0]);
    ck_assert_double_eq_tol(b.identity_s, .7, 1e-9);
    ck_assert_double_gt(b.of_means_s, 2);
    ck_assert(isnan(app_compare_break_even(&rows[1], N, &none).measured_s) && isnan(app_compare_break_even(&rows[1], N, &none).identity_s));
    ck_assert(isnan(app_compare_break_even(&rows[1], N, &less).measured_s));
    struct app_scenario *s = calloc(1, sizeof *s);
    snprintf(s->name, sizeof s->name, "<one>");
    s->duration_ns = SECOND;
    rows[2].end_s = rows[2].tenure_s = NAN;
    ck_assert_int_eq(app_compare_write_page(path_of("report.html"), "some/where & <one>", s, rows, N + 1, &b, 1), 0);
    free(s);
    read_page();
    check_well_formed();
    check_says("leases of 0.4 s: 46.7 %");
    check_says("<a href=\"where &amp; &lt;one&gt;-lease-400ms/report.html\">lease 0.4 s</a>");
    check_says("carries as much as dcf from 0.700 s");
    check_says("200 ms = 100 + 50 + 50");
}
END_TEST

START_TEST(the_same_run_gives_the_same_page)
{
    static char first[MAX_PAGE];
    put_run();
    make_page();
    memcpy(first, page, sizeof first);
    make_page();
    ck_assert_str_eq(first, page);
}
END_TEST

START_TEST(a_run_in_which_nothing_happened_has_a_page)
{
    write_file("events.jsonl", "");
    write_file("summary.json", "{}");
    make_page();
    check_says("No lease was granted.");
    check_says("Nobody jammed, and nobody said so.");
}
END_TEST

START_TEST(a_line_that_is_no_json_is_named)
{
    write_file("events.jsonl", "{\"t_ns\":0,\"event\":\"run_end\"}\nnonsense\n");
    ck_assert_int_eq(app_report_write(folder, error), -EINVAL);
    ck_assert_msg(strstr(error, "events.jsonl:2: not a JSON object") != NULL, "%s", error);
}
END_TEST

START_TEST(a_folder_without_a_summary_is_named)
{
    unlink(path_of("summary.json"));
    ck_assert_int_eq(app_report_write(folder, error), -ENOENT);
    ck_assert_msg(strstr(error, "summary.json: cannot be opened") != NULL, "%s", error);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *t = tcase_create("report");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, the_page_tells_what_happened);
    tcase_add_test(t, verdicts_are_held_against_the_jammer);
    tcase_add_test(t, a_broken_promise_stands_above_everything_else);
    tcase_add_test(t, a_grant_ends_with_grant_expire_time_and_not_before);
    tcase_add_test(t, the_page_is_well_formed_and_self_contained);
    tcase_add_test(t, channels_of_the_hop_set_are_marked);
    tcase_add_test(t, a_lease_pays_from_where_it_carries_as_much);
    tcase_add_test(t, the_same_run_gives_the_same_page);
    tcase_add_test(t, a_run_in_which_nothing_happened_has_a_page);
    tcase_add_test(t, a_line_that_is_no_json_is_named);
    tcase_add_test(t, a_folder_without_a_summary_is_named);
    suite_add_tcase(suite, t);
}
