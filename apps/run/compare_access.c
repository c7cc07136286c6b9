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

/* Of one method. A delay is from a message's coming to the head of its station's queue, which is when the one before was answered, to
 * its own answer; waiting for the channel, or for a lease, is part of it. */
struct row {
    const char *access;
    int64_t lease_ns;        /* 0: none */
    double utilisation;      /* acknowledged payload at the data rate, share of the time */
    double p50_ms, p99_ms, jain;
    double tenure_s, gap_s;  /* leases: first AUTHORIZED to last emission, and from there to the next one's AUTHORIZED; means */
    double occupancy;        /* utilisation within the tenures */
};

struct tally {
    const struct app_scenario *scenario;
    struct app_ether *ether;
    uint64_t acked[APP_MAX_STATIONS];
    int64_t last_ns[APP_MAX_STATIONS];
    double *delays_ms;
    size_t n_delays;
};

/* --- tallying --- */

static void answer(struct tally *t, size_t station, int64_t at_ns)
{
    t->acked[station]++;
    if (t->n_delays < MAX_DELAYS)
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

static void finish_row(struct tally *t, double rate, struct row *r)
{
    const struct app_scenario *s = t->scenario;
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < s->n_traffic; i++) {
        double x = (double)t->acked[s->traffic[i].from];
        sum += x;
        squares += x * x;
    }
    r->utilisation = sum * s->traffic[0].payload_bytes * 8 / rate / ((double)s->duration_ns * 1e-9);
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

static int run_contending(struct app_scenario *s, const char *access, struct tally *t, struct row *r, char *error_out)
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
    *r = (struct row){.access = access};
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

/* Means over leases that have a next one; the last is cut by the end of the run. */
static void measure_tenures(const json_t *summary, double duration_s, struct row *r)
{
    const json_t *table = json_object_get(json_object_get(summary, "leases"), "table");
    double tenures = 0, gaps = 0, used = 0;
    size_t n = 0, i;
    const json_t *lease;
    double last_ms = NAN, from_ms = NAN;
    json_array_foreach(table, i, lease) {
        double authorized_ms = json_number_value(json_object_get(lease, "authorized_ms"));
        double emission_ms = json_number_value(json_object_get(lease, "last_emission_ms"));
        if (authorized_ms <= 0 || emission_ms <= authorized_ms)
            continue;
        if (!isnan(last_ms)) {
            tenures += last_ms - from_ms;
            gaps += authorized_ms - last_ms;
            n++;
        }
        used += emission_ms - authorized_ms;
        from_ms = authorized_ms;
        last_ms = emission_ms;
    }
    r->tenure_s = n ? tenures / (double)n / 1e3 : NAN;
    r->gap_s = n ? gaps / (double)n / 1e3 : NAN;
    r->occupancy = used > 0 ? r->utilisation * duration_s * 1e3 / used : NAN;
}

static int run_leases(const struct app_run_options *options, struct app_scenario *s, int64_t grant_ns, struct tally *t, struct row *r,
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
    if (code <= APP_EXPECTATION_FAILED && read_answers(t, folder, error_out) != 0)
        code = APP_SYSTEM_FAILED;
    if (code <= APP_EXPECTATION_FAILED) {
        *r = (struct row){.access = "lease", .lease_ns = grant_ns};
        finish_row(t, rate_bps(s, &profile), r);
        measure_tenures(summary, (double)s->duration_ns * 1e-9, r);
    }
    json_decref(summary);
    return code;
}

/* --- what it comes to --- */

/* The cycle, tenure and gap, from which on leases carry as much, straight between measured ones; NAN: from none of them, or the shortest carries
 * more already. */
static double measured_break_even(const struct row *leases, int n, double utilisation)
{
    for (int i = 0; i < n; i++) {
        if (!(leases[i].utilisation >= utilisation))
            continue;
        double here = leases[i].tenure_s + leases[i].gap_s;
        if (i == 0)
            return NAN;
        double before = leases[i - 1].tenure_s + leases[i - 1].gap_s;
        double share = (utilisation - leases[i - 1].utilisation) / (leases[i].utilisation - leases[i - 1].utilisation);
        return before + share * (here - before);
    }
    return NAN;
}

/* T >= A / (1 - U / occupancy): A the mean over all leases, the occupancy that of the longest one, where the edges of a lease count least. */
static double identity(const struct row *leases, int n, double utilisation)
{
    double a = 0, occupancy = leases[n - 1].occupancy;
    for (int i = 0; i < n; i++)
        a += leases[i].gap_s / n;
    return occupancy > utilisation ? a / (1 - utilisation / occupancy) : NAN;
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(round(x * 1e6) / 1e6) : json_null();
}

static void print_json(const struct app_scenario *s, const struct row *rows, int n_leases)
{
    json_t *list = json_array(), *pays = json_array();
    const struct row *leases = &rows[N_CONTENDING];
    for (int i = 0; i < N_CONTENDING + n_leases; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "access", rows[i].access, "lease_s",
                                              rows[i].lease_ns ? number((double)rows[i].lease_ns / 1e9) : json_null(), "utilisation",
                                              number(rows[i].utilisation), "delay_p50_ms", number(rows[i].p50_ms), "delay_p99_ms",
                                              number(rows[i].p99_ms), "jain", number(rows[i].jain), "tenure_s",
                                              number(rows[i].lease_ns ? rows[i].tenure_s : NAN), "consensus_s",
                                              number(rows[i].lease_ns ? rows[i].gap_s : NAN), "occupancy",
                                              number(rows[i].lease_ns ? rows[i].occupancy : NAN)));
    for (int i = 0; i < N_CONTENDING; i++)
        json_array_append_new(pays, json_pack("{s:s, s:o, s:o}", "against", rows[i].access, "measured_s",
                                              number(measured_break_even(leases, n_leases, rows[i].utilisation)), "identity_s",
                                              number(identity(leases, n_leases, rows[i].utilisation))));
    json_t *all = json_pack("{s:s, s:I, s:I, s:f, s:o, s:o}", "scenario", s->name, "seed", (json_int_t)s->seed, "stations",
                            (json_int_t)s->n_stations, "virtual_s", (double)s->duration_ns / 1e9, "rows", list, "lease_pays_from", pays);
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(all);
}

static void print_seconds(const char *before, double s)
{
    if (isfinite(s))
        printf("%s%.3f s", before, s);
    else
        printf("%sbeyond these", before);
}

static void print_text(const struct app_scenario *s, const struct row *rows, int n_leases)
{
    printf("%s: %u saturated stations, messages of %u octets, %.10g s, seed %llu\n\n", s->name, s->n_stations, s->traffic[0].payload_bytes,
           (double)s->duration_ns / 1e9, (unsigned long long)s->seed);
    printf("  %-16s %11s %9s %9s %6s   %8s %9s %9s\n", "access", "utilisation", "p50 ms", "p99 ms", "Jain", "tenure s", "A s", "occupancy");
    for (int i = 0; i < N_CONTENDING + n_leases; i++) {
        const struct row *r = &rows[i];
        char name[40];
        snprintf(name, sizeof name, r->lease_ns ? "%s %.10g s" : "%s", r->access, (double)r->lease_ns / 1e9);
        printf("  %-16s %11.4f %9.3f %9.3f %6.3f", name, r->utilisation, r->p50_ms, r->p99_ms, r->jain);
        if (r->lease_ns)
            printf("   %8.3f %9.4f %9.4f", r->tenure_s, r->gap_s, r->occupancy);
        putchar('\n');
    }
    printf("\nA lease pays from (tenure and A together)\n");
    for (int i = 0; i < N_CONTENDING; i++) {
        printf("  against %-14s", rows[i].access);
        print_seconds(" measured ", measured_break_even(&rows[N_CONTENDING], n_leases, rows[i].utilisation));
        print_seconds(", A / (1 - U / occupancy) ", identity(&rows[N_CONTENDING], n_leases, rows[i].utilisation));
        putchar('\n');
    }
}

/* All rows; how many of leases in *n_out. A run of leases lasts longest_ns at most. */
static int run_all(const struct app_run_options *options, struct app_scenario *s, int64_t longest_ns, double *delays, struct row *rows,
                   int *n_out, bool *broken_out, char *error_out)
{
    int code = 0, n = 0;
    for (int i = 0; i < N_CONTENDING && code == 0; i++) {
        struct tally t = {.scenario = s, .delays_ms = delays};
        code = run_contending(s, contending[i], &t, &rows[i], error_out);
    }
    for (; n < N_LEASES && code == 0 && LEAST_LEASES * lease_ns[n] <= longest_ns; n++) {
        struct tally t = {.scenario = s, .delays_ms = delays};
        int64_t least_ns = LEAST_RUN_S * INT64_C(1000000000);
        s->duration_ns = LEAST_LEASES * lease_ns[n] > least_ns ? LEAST_LEASES * lease_ns[n] : least_ns;
        s->duration_ns = s->duration_ns < longest_ns ? s->duration_ns : longest_ns;
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
    struct row rows[MAX_ROWS];
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
        json ? print_json(s, rows, n) : print_text(s, rows, n);
    free(delays);
    free(s);
    return code == 0 && broken ? APP_EXPECTATION_FAILED : code;
}
