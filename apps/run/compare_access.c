#include "apps/run/compare_access.h"
#include "apps/ether.h"
#include "apps/options.h"
#include "apps/run/scenario_table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char app_compare_access_name[] = "access-comparison";

enum { N_LEASES = 6, N_CONTENDING = 3, MAX_ROWS = N_LEASES + N_CONTENDING, MAX_DELAYS = 1 << 20 };
enum { LEAST_LEASES = 4, LEAST_RUN_S = 16 }; /* what a run of leases lasts: so many of them, at least so long, at most as the scenario says */
static const int64_t lease_ns[N_LEASES] = {50000000, 100000000, 200000000, 1000000000, 8000000000, 32000000000};
static const char *const contending[N_CONTENDING] = {"aloha", "slotted-aloha", "dcf"};

struct tally {
    const struct app_scenario *scenario;
    struct app_ether *ether;
    int64_t from_ns, to_ns;  /* what is counted */
    uint64_t acked[APP_MAX_STATIONS];
    int64_t last_ns[APP_MAX_STATIONS];
    double *delays_ms;
    size_t n_delays;
};

/* --- tallying --- */

static void answer(struct tally *t, size_t station, int64_t at_ns)
{
    bool counts = at_ns >= t->from_ns && at_ns < t->to_ns;
    t->acked[station] += counts;
    if (counts && t->n_delays < MAX_DELAYS)
        t->delays_ms[t->n_delays++] = (double)(at_ns - t->last_ns[station]) / 1e6;
    t->last_ns[station] = at_ns;
}

static int compare_double(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double rate_bps(const struct app_scenario *s, const struct mac_profile *p)
{
    return phy_waveform_find(s->waveform)->rate_kbps_at_1msps[p->data_rate] * 1e-3 * s->sample_rate_hz;
}

static void finish_row(struct tally *t, double rate, struct app_access_row *r)
{
    const struct app_scenario *s = t->scenario;
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < s->n_traffic; i++) {
        double x = (double)t->acked[s->traffic[i].from];
        sum += x;
        squares += x * x;
    }
    r->utilisation = sum * s->traffic[0].payload_bytes * 8 / rate / ((double)(t->to_ns - t->from_ns) * 1e-9);
    r->jain = sum > 0 ? sum * sum / (s->n_traffic * squares) : 0;
    qsort(t->delays_ms, t->n_delays, sizeof *t->delays_ms, compare_double);
    r->p50_ms = t->n_delays ? t->delays_ms[t->n_delays / 2] : NAN;
    r->p99_ms = t->n_delays ? t->delays_ms[t->n_delays * 99 / 100] : NAN;
}

/* --- contention --- */

static int64_t airtime_ns(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    const struct app_scenario *s = ctx;
    return (int64_t)(phy_waveform_find(s->waveform)->frame_samples(mpdu_len + 4, rate_index) * 1000000000u / s->sample_rate_hz);
}

static void send_one(struct tally *t, size_t station)
{
    static const uint8_t message[APP_STATION_MAX_PAYLOAD];
    for (uint32_t i = 0; i < t->scenario->n_traffic; i++) {
        const struct app_scenario_traffic *line = &t->scenario->traffic[i];
        struct mac_address to = mac_address_of(line->to);
        if (line->from != station)
            continue;
        int rc = app_ether_send(t->ether, station, &to, MAC_CAT_DATA, message, line->payload_bytes, 0);
        (void)rc; /* two at most are queued */
    }
}

static void on_report(void *ctx, size_t station, const struct mac_report *report)
{
    struct tally *t = ctx;
    if (report->result == MAC_ACKED)
        answer(t, station, app_ether_now(t->ether));
    send_one(t, station);
}

static int run_contending(struct app_scenario *s, const char *access, struct tally *t, struct app_access_row *r, char *error_out)
{
    struct app_ether_config cfg = {.n = s->n_stations, .mac = app_ether_config_11a(), .ctx = t, .on_report = on_report};
    const char *why = error_out;
    snprintf(s->mac.access, sizeof s->mac.access, "%s", access);
    if (app_scenario_profile(s, &cfg.mac.profile, error_out) != 0)
        return APP_SYSTEM_FAILED;
    cfg.mac.seed = s->seed;
    cfg.mac.airtime_ns = airtime_ns;
    cfg.mac.airtime_ctx = s;
    cfg.mac.profile.lifetime_ns = INT64_MAX / 4; /* a saturated queue waits; what fails is given up after the retry limit */
    t->ether = app_ether_open(&cfg, &why);
    if (!t->ether) {
        snprintf(error_out, WORLD_MAX_ERROR, "%s", why);
        return APP_SYSTEM_FAILED;
    }
    for (size_t i = 0; i < s->n_stations; i++)
        for (int k = 0; k < 2; k++)
            send_one(t, i);
    app_ether_run(t->ether, s->duration_ns);
    *r = (struct app_access_row){.access = access};
    finish_row(t, rate_bps(s, &cfg.mac.profile), r);
    app_ether_close(t->ether);
    return 0;
}

/* --- leases --- */

static size_t station_of(const struct app_scenario *s, const char *name)
{
    size_t i = 0;
    while (i < s->n_stations && strcmp(s->stations[i].name, name) != 0)
        i++;
    return i;
}

static int read_answers(struct tally *t, const char *folder, char *error_out)
{
    char path[640], line[2048];
    snprintf(path, sizeof path, "%.600s/events.jsonl", folder);
    FILE *file = fopen(path, "rb");
    if (!file) {
        snprintf(error_out, WORLD_MAX_ERROR, "%.300s: %.80s", path, strerror(errno));
        return APP_SYSTEM_FAILED;
    }
    while (fgets(line, sizeof line, file)) {
        if (!strstr(line, "\"data_acked\""))
            continue;
        json_t *event = json_loads(line, 0, NULL);
        const char *name = json_string_value(json_object_get(event, "station"));
        size_t i = name ? station_of(t->scenario, name) : t->scenario->n_stations;
        if (i < t->scenario->n_stations)
            answer(t, i, json_integer_value(json_object_get(event, "t_ns")));
        json_decref(event);
    }
    fclose(file);
    return 0;
}

struct tenures {
    double held_ms, gap_ms, end_ms, ask_ms, begin_ms; /* sums */
    double from_ms, last_ms;                          /* of the lease before */
    size_t n, n_ended;
};

static void take_lease(struct tenures *sum, double granted_ms, double authorized_ms, double emission_ms, double ended_before_ms)
{
    if (!isnan(sum->last_ms)) {
        sum->held_ms += sum->last_ms - sum->from_ms;
        sum->gap_ms += authorized_ms - sum->last_ms;
        sum->n++;
        if (ended_before_ms > 0) {
            sum->end_ms += ended_before_ms - sum->last_ms;
            sum->ask_ms += granted_ms - ended_before_ms;
            sum->begin_ms += authorized_ms - granted_ms;
            sum->n_ended++;
        }
    }
    sum->from_ms = authorized_ms;
    sum->last_ms = emission_ms;
}

/* Whole cycles: from the first AUTHORIZED to the last, whose lease the end of the run cuts; how the run began is none of them. Of less than
 * two leases the whole run is counted, and there are no means. */
static double measure_tenures(const json_t *summary, struct tally *t, struct app_access_row *r)
{
    const json_t *table = json_object_get(json_object_get(summary, "leases"), "table"), *lease;
    struct tenures sum = {.from_ms = NAN, .last_ms = NAN};
    double first_ms = NAN, ended_ms = NAN;
    size_t i;
    json_array_foreach(table, i, lease) {
        double authorized_ms = json_number_value(json_object_get(lease, "authorized_ms"));
        double emission_ms = json_number_value(json_object_get(lease, "last_emission_ms"));
        if (authorized_ms <= 0 || emission_ms <= authorized_ms)
            continue;
        take_lease(&sum, json_number_value(json_object_get(lease, "granted_ms")), authorized_ms, emission_ms, ended_ms);
        first_ms = isnan(first_ms) ? authorized_ms : first_ms;
        ended_ms = json_number_value(json_object_get(lease, "ended_ms"));
    }
    if (sum.n > 0) {
        t->from_ns = (int64_t)llround(first_ms * 1e6);
        t->to_ns = (int64_t)llround(sum.from_ms * 1e6);
        for (size_t k = 0; k < APP_MAX_STATIONS; k++)
            t->last_ns[k] = t->from_ns;
    }
    r->tenure_s = sum.n ? sum.held_ms / (double)sum.n / 1e3 : NAN;
    r->gap_s = sum.n ? sum.gap_ms / (double)sum.n / 1e3 : NAN;
    r->end_s = sum.n_ended ? sum.end_ms / (double)sum.n_ended / 1e3 : NAN;
    r->ask_s = sum.n_ended ? sum.ask_ms / (double)sum.n_ended / 1e3 : NAN;
    r->begin_s = sum.n_ended ? sum.begin_ms / (double)sum.n_ended / 1e3 : NAN;
    return sum.held_ms / 1e3;
}

static int run_leases(const struct app_run_options *options, struct app_scenario *s, int64_t grant_ns, struct tally *t, struct app_access_row *r,
                      char *error_out)
{
    char out[560], folder[600];
    struct mac_profile profile;
    json_t *summary = NULL;
    struct app_run_options run = *options;
    snprintf(s->mac.access, sizeof s->mac.access, "dcf");
    if (app_scenario_profile(s, &profile, error_out) != 0)
        return APP_SYSTEM_FAILED;
    snprintf(out, sizeof out, "%.500s-lease-%dms", options->out ? options->out : app_compare_access_name, (int)(grant_ns / 1000000));
    run.out = out;
    run.grant_ns = grant_ns;
    run.duration_ns = s->duration_ns;
    int code = app_run(&run, &summary, folder, sizeof folder, error_out);
    *r = (struct app_access_row){.access = "lease", .lease_ns = grant_ns};
    double held_s = code <= APP_EXPECTATION_FAILED ? measure_tenures(summary, t, r) : 0;
    if (code <= APP_EXPECTATION_FAILED && read_answers(t, folder, error_out) != 0)
        code = APP_SYSTEM_FAILED;
    if (code <= APP_EXPECTATION_FAILED) {
        finish_row(t, rate_bps(s, &profile), r);
        r->occupancy = held_s > 0 ? r->utilisation * (double)(t->to_ns - t->from_ns) * 1e-9 / held_s : NAN;
    }
    json_decref(summary);
    return code;
}

/* --- what it comes to --- */

/* T >= A / (1 - U / occupancy) */
static double identity(double gap_s, double occupancy, double utilisation)
{
    return occupancy > utilisation ? gap_s / (1 - utilisation / occupancy) : NAN;
}

static double between(double before, double here, double share)
{
    return before + share * (here - before);
}

/* A gap is no constant: how long the ledger takes to end a lease, and others to ask, depends on what else they do meanwhile. */
struct app_access_break_even app_compare_break_even(const struct app_access_row *leases, int n, const struct app_access_row *other)
{
    const double u = other->utilisation;
    struct app_access_break_even b = {other->access, NAN, NAN, NAN, NAN, NAN};
    double mean_s = 0;
    int i = 0;
    for (int k = 0; k < n; k++)
        mean_s += leases[k].gap_s / n;
    b.of_means_s = n > 0 ? identity(mean_s, leases[n - 1].occupancy, u) : NAN;
    while (i < n && !(leases[i].utilisation >= u))
        i++;
    if (i == 0 || i == n) /* the shortest carries more already, or none does */
        return b;
    const struct app_access_row *before = &leases[i - 1], *here = &leases[i];
    double share = (u - before->utilisation) / (here->utilisation - before->utilisation);
    /* utilisation is straight over the inverse of the cycle where gap and occupancy are the same */
    b.measured_s = 1 / between(1 / (before->tenure_s + before->gap_s), 1 / (here->tenure_s + here->gap_s), share);
    b.gap_s = between(before->gap_s, here->gap_s, share);
    b.occupancy = between(before->occupancy, here->occupancy, share);
    b.identity_s = identity(b.gap_s, b.occupancy, u);
    return b;
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(round(x * 1e6) / 1e6) : json_null();
}

static json_t *lease_number(const struct app_access_row *r, double x)
{
    return r->lease_ns ? number(x) : json_null();
}

static void print_json(const struct app_scenario *s, const struct app_access_row *rows, int n_leases, const struct app_access_break_even *pays)
{
    json_t *list = json_array(), *from = json_array();
    for (int i = 0; i < N_CONTENDING + n_leases; i++) {
        const struct app_access_row *r = &rows[i];
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "access", r->access, "lease_s",
                            lease_number(r, (double)r->lease_ns / 1e9), "utilisation", number(r->utilisation), "delay_p50_ms", number(r->p50_ms),
                            "delay_p99_ms", number(r->p99_ms), "jain", number(r->jain), "tenure_s", lease_number(r, r->tenure_s), "consensus_s",
                            lease_number(r, r->gap_s), "end_s", lease_number(r, r->end_s), "ask_s", lease_number(r, r->ask_s), "begin_s",
                            lease_number(r, r->begin_s), "occupancy", lease_number(r, r->occupancy)));
    }
    for (int i = 0; i < N_CONTENDING; i++)
        json_array_append_new(from, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "against", pays[i].against, "measured_s",
                                              number(pays[i].measured_s), "identity_s", number(pays[i].identity_s), "consensus_s",
                                              number(pays[i].gap_s), "occupancy", number(pays[i].occupancy), "identity_of_means_s",
                                              number(pays[i].of_means_s)));
    json_t *all = json_pack("{s:s, s:I, s:I, s:f, s:o, s:o}", "scenario", s->name, "seed", (json_int_t)s->seed, "stations",
                            (json_int_t)s->n_stations, "virtual_s", (double)s->duration_ns / 1e9, "rows", list, "lease_pays_from", from);
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(all);
}

static void print_seconds(const char *before, double s)
{
    if (isfinite(s))
        printf("%s%.3f s", before, s);
    else
        printf("%s-", before);
}

static void print_text(const struct app_scenario *s, const struct app_access_row *rows, int n_leases, const struct app_access_break_even *pays)
{
    printf("%s: %u saturated stations, messages of %u octets, %.10g s, seed %llu\n\n", s->name, s->n_stations, s->traffic[0].payload_bytes,
           (double)s->duration_ns / 1e9, (unsigned long long)s->seed);
    printf("  %-16s %11s %9s %9s %6s   %8s %7s = %6s + %6s + %6s %9s\n", "access", "utilisation", "p50 ms", "p99 ms", "Jain", "tenure s", "A s", "end",
           "ask", "begin", "occupancy");
    for (int i = 0; i < N_CONTENDING + n_leases; i++) {
        const struct app_access_row *r = &rows[i];
        char name[40];
        snprintf(name, sizeof name, r->lease_ns ? "%s %.10g s" : "%s", r->access, (double)r->lease_ns / 1e9);
        printf("  %-16s %11.4f %9.3f %9.3f %6.3f", name, r->utilisation, r->p50_ms, r->p99_ms, r->jain);
        if (r->lease_ns)
            printf("   %8.3f %7.4f   %6.4f   %6.4f   %6.4f %9.4f", r->tenure_s, r->gap_s, r->end_s, r->ask_s, r->begin_s, r->occupancy);
        putchar('\n');
    }
    printf("\nA lease pays from (tenure and A together), beside A / (1 - U / occupancy)\n");
    for (int i = 0; i < N_CONTENDING; i++) {
        printf("  against %-14s", pays[i].against);
        print_seconds(" measured ", pays[i].measured_s);
        print_seconds("; with A and occupancy there ", pays[i].identity_s);
        if (isfinite(pays[i].identity_s))
            printf(" (%.3f s, %.3f)", pays[i].gap_s, pays[i].occupancy);
        print_seconds("; with the mean A and the longest lease's occupancy ", pays[i].of_means_s);
        putchar('\n');
    }
}

static int present(const struct app_run_options *options, bool json, const struct app_scenario *s, const struct app_access_row *rows, int n_leases,
                   char *error_out)
{
    struct app_access_break_even pays[N_CONTENDING];
    const char *folder = options->out ? options->out : app_compare_access_name;
    char path[560];
    for (int i = 0; i < N_CONTENDING; i++)
        pays[i] = app_compare_break_even(&rows[N_CONTENDING], n_leases, &rows[i]);
    json ? print_json(s, rows, n_leases, pays) : print_text(s, rows, n_leases, pays);
    snprintf(path, sizeof path, "%.500s.html", folder);
    int err = app_compare_write_page(path, folder, s, rows, N_CONTENDING + n_leases, pays, N_CONTENDING);
    if (err) {
        snprintf(error_out, WORLD_MAX_ERROR, "%.300s: %.80s", path, strerror(-err));
        return APP_SYSTEM_FAILED;
    }
    if (!json)
        printf("\nThe same as a page: %s\n", path);
    return 0;
}

/* All rows; how many of leases in *n_out. A run of leases lasts longest_ns at most. */
static int run_all(const struct app_run_options *options, struct app_scenario *s, int64_t longest_ns, double *delays, struct app_access_row *rows,
                   int *n_out, bool *broken_out, char *error_out)
{
    int code = 0, n = 0;
    for (int i = 0; i < N_CONTENDING && code == 0; i++) {
        struct tally t = {.scenario = s, .to_ns = s->duration_ns, .delays_ms = delays};
        code = run_contending(s, contending[i], &t, &rows[i], error_out);
    }
    for (; n < N_LEASES && code == 0 && LEAST_LEASES * lease_ns[n] <= longest_ns; n++) {
        int64_t least_ns = LEAST_RUN_S * INT64_C(1000000000);
        s->duration_ns = LEAST_LEASES * lease_ns[n] > least_ns ? LEAST_LEASES * lease_ns[n] : least_ns;
        s->duration_ns = s->duration_ns < longest_ns ? s->duration_ns : longest_ns;
        struct tally t = {.scenario = s, .to_ns = s->duration_ns, .delays_ms = delays};
        code = run_leases(options, s, lease_ns[n], &t, &rows[N_CONTENDING + n], error_out);
        *broken_out = *broken_out || code == APP_EXPECTATION_FAILED;
        code = code == APP_EXPECTATION_FAILED ? 0 : code;
    }
    *n_out = n;
    return code;
}

int app_compare_access(const struct app_run_options *options, bool json, char *error_out)
{
    struct app_scenario *s = calloc(1, sizeof *s);
    struct app_access_row rows[MAX_ROWS];
    double *delays = calloc(MAX_DELAYS, sizeof *delays);
    int64_t longest_ns = 0;
    bool broken = false;
    if (options->record || (options->fidelity && strcmp(options->fidelity, "packet") != 0)) {
        snprintf(error_out, WORLD_MAX_ERROR, "%s compares at packet fidelity, without samples", app_compare_access_name);
        free(delays);
        free(s);
        return APP_BAD_USAGE;
    }
    int code = s && delays ? 0 : APP_SYSTEM_FAILED;
    if (code == 0 && app_scenario_load(options->scenario, "packet", s, error_out) != 0)
        code = APP_BAD_USAGE;
    if (code == 0) {
        s->seed = options->has_seed ? options->seed : s->seed;
        if (options->profile)
            snprintf(s->mac.profile, sizeof s->mac.profile, "%s", options->profile);
        longest_ns = s->duration_ns = options->duration_ns ? options->duration_ns : s->duration_ns;
    }
    if (code == 0 && longest_ns < LEAST_LEASES * lease_ns[0]) {
        snprintf(error_out, WORLD_MAX_ERROR, "--duration: four leases of 50 ms take 200 ms");
        code = APP_BAD_USAGE;
    }
    int n = 0;
    if (code == 0)
        code = run_all(options, s, longest_ns, delays, rows, &n, &broken, error_out);
    if (code == 0)
        code = present(options, json, s, rows, n, error_out);
    free(delays);
    free(s);
    return code == 0 && broken ? APP_EXPECTATION_FAILED : code;
}
