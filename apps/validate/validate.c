/* airdeed validate: the command, its table of cases, and the report. */
#include "apps/validate/validate.h"
#include "apps/options.h"
#include "apps/validate/binomial.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double largest_z = 3.5;

static const struct app_validate_case *const cases[] = {
    &app_validate_energy,
    &app_validate_cp,
    &app_validate_mme,
    &app_validate_wall,
    &app_validate_dcf,
    &app_validate_rts,
    &app_validate_hidden,
    &app_validate_storm,
    &app_validate_aloha,
    &app_validate_fidelity,
    &app_validate_repair,
    &app_validate_jam_periodic,
    &app_validate_jam_poisson,
    &app_validate_jam_exponential,
    &app_validate_jam_reactive,
    &app_validate_raft_loss,
    &app_validate_pbft_loss,
    &app_validate_raft_common_jam,
    &app_validate_election,
    &app_validate_fusion,
    &app_validate_lease_burst,
    &app_validate_spoof,
    &app_validate_jam_detect,
    &app_validate_jam_innocent,
    NULL,
};

static const struct flag {
    const char *name;
    enum app_option_kind kind; /* APP_U64, APP_REAL, APP_FLAG */
    const char *metavar, *help;
} flags[VALIDATE_N_FLAGS] = {
    [VALIDATE_N] = {"n", APP_U64, "N", "stations or nodes"},
    [VALIDATE_P] = {"p", APP_REAL, "P", "probability that a message arrives"},
    [VALIDATE_DUTY] = {"duty", APP_REAL, "SHARE", "share of time in which the jammer is on"},
    [VALIDATE_SILENT] = {"silent", APP_U64, "N", "backups that say nothing"},
    [VALIDATE_ROUNDS] = {"rounds", APP_U64, "N", "passes in all; fusion: rounds of reputation, 0 is plain majority"},
    [VALIDATE_RATE] = {"rate", APP_REAL, "MBPS", "data rate"},
    [VALIDATE_PAYLOAD] = {"payload", APP_U64, "OCTETS", "payload of a frame"},
    [VALIDATE_CW] = {"cw", APP_U64, "SLOTS", "contention window"},
    [VALIDATE_RETRIES] = {"retries", APP_U64, "N", "attempts after the first"},
    [VALIDATE_SAMPLES] = {"samples", APP_U64, "N", "samples of a decision"},
    [VALIDATE_SNR] = {"snr", APP_REAL, "DB", "signal over noise in the full sample rate"},
    [VALIDATE_SPREAD_DB] = {"spread-db", APP_REAL, "DB", "links are stronger or weaker by up to this"},
    [VALIDATE_UNCERTAINTY_DB] = {"uncertainty-db", APP_REAL, "DB", "the noise power is known to this, up and down"},
    [VALIDATE_SMOOTHING] = {"smoothing", APP_U64, "N", "consecutive samples in a vector"},
    [VALIDATE_PFA] = {"pfa", APP_REAL, "P", "target false-alarm probability"},
    [VALIDATE_PD] = {"pd", APP_REAL, "P", "target detection probability"},
    [VALIDATE_LIARS] = {"liars", APP_U64, "N", "sensors that always say the opposite"},
    [VALIDATE_K] = {"k", APP_U64, "N", "votes that decide; pieces of a message"},
    [VALIDATE_T0_MS] = {"t0-ms", APP_REAL, "MS", "shortest election timeout"},
    [VALIDATE_SPREAD_MS] = {"spread-ms", APP_REAL, "MS", "spread of election timeouts"},
    [VALIDATE_VOTE_DELAY_MS] = {"vote-delay-ms", APP_REAL, "MS", "delay of a vote"},
    [VALIDATE_FRAME_US] = {"frame-us", APP_REAL, "US", "length of a frame"},
    [VALIDATE_PULSE_US] = {"pulse-us", APP_REAL, "US", "length of a jamming pulse"},
    [VALIDATE_PERIOD_US] = {"period-us", APP_REAL, "US", "period of pulses"},
    [VALIDATE_GAP_US] = {"gap-us", APP_REAL, "US", "mean gap between pulses"},
    [VALIDATE_OVERLAP_US] = {"overlap-us", APP_REAL, "US", "overlap that destroys a frame"},
    [VALIDATE_REACT_US] = {"react-us", APP_REAL, "US", "reaction time of the jammer"},
    [VALIDATE_BURST_US] = {"burst-us", APP_REAL, "US", "length of a reactive burst"},
    [VALIDATE_DEFER] = {"defer", APP_FLAG, NULL, "the sender defers to the jammer"},
    [VALIDATE_BURST_S] = {"burst-s", APP_REAL, "S", "length of a jamming burst"},
    [VALIDATE_EXPIRE_S] = {"expire-s", APP_REAL, "S", "time from a heartbeat to the lease's end"},
    [VALIDATE_HEARTBEAT_S] = {"heartbeat-s", APP_REAL, "S", "heartbeat interval"},
    [VALIDATE_TIME_SCALE] = {"time-scale", APP_REAL, "FACTOR", "by which lease times are divided"},
    [VALIDATE_TRIALS] = {"trials", APP_U64, "N", "trials"},
    [VALIDATE_SEED] = {"seed", APP_U64, "N", "every random draw follows from it"},
};

/* --- results --- */

static struct app_validate_result *add_result(struct app_validate *v)
{
    assert(v->n_results < VALIDATE_MAX_RESULTS);
    return &v->results[v->n_results++];
}

void app_validate_proportion(struct app_validate *v, const char *quantity, uint64_t k, uint64_t n, double p)
{
    double measured = (double)k / (double)n;
    *add_result(v) = (struct app_validate_result){quantity, measured, p, sqrt(p * (1 - p) / (double)n), app_binomial_z(k, n, p), false, 0};
}

void app_validate_estimate(struct app_validate *v, const char *quantity, double measured, double expected, double std_error)
{
    *add_result(v) = (struct app_validate_result){quantity, measured, expected, std_error, (measured - expected) / std_error, false, 0};
}

void app_validate_within(struct app_validate *v, const char *quantity, double measured, double expected, double std_error, double tolerance)
{
    app_validate_estimate(v, quantity, measured, expected, std_error);
    v->results[v->n_results - 1].tolerance = tolerance;
}

void app_validate_bound(struct app_validate *v, const char *quantity, uint64_t k, uint64_t n, double bound, bool at_least)
{
    double measured = (double)k / (double)n;
    bool kept = at_least ? measured >= bound : measured <= bound;
    *add_result(v) = (struct app_validate_result){quantity, measured, bound, sqrt(bound * (1 - bound) / (double)n),
                                                  kept ? 0 : app_binomial_z(k, n, bound), !kept, 0};
}

void app_validate_limit(struct app_validate *v, const char *quantity, double measured, double limit)
{
    *add_result(v) = (struct app_validate_result){quantity, measured, limit, 0, 0, !(measured <= limit), 0};
}

void app_validate_never(struct app_validate *v, const char *quantity, uint64_t count)
{
    *add_result(v) = (struct app_validate_result){quantity, (double)count, 0, 0, 0, count > 0, 0};
}

void app_validate_observation(struct app_validate *v, const char *quantity, uint64_t k, uint64_t n)
{
    double measured = (double)k / (double)n;
    *add_result(v) = (struct app_validate_result){quantity, measured, NAN, sqrt(measured * (1 - measured) / (double)n), NAN, false, 0};
}

void app_validate_number(struct app_validate *v, const char *quantity, double measured)
{
    *add_result(v) = (struct app_validate_result){.quantity = quantity, .measured = measured, .expected = NAN, .z = NAN};
}

void app_validate_constant(struct app_validate *v, const char *name, double value)
{
    assert(v->n_constants < VALIDATE_MAX_CONSTANTS);
    v->constants[v->n_constants++] = (struct app_validate_constant){name, value};
}

static bool passes(const struct app_validate_result *r)
{
    return !r->broken && (isnan(r->expected) || fabs(r->z) <= largest_z || fabs(r->measured - r->expected) <= r->tolerance);
}

/* --- report --- */

static size_t count_uses(const struct app_validate_case *c)
{
    size_t n = 0;
    while (n < VALIDATE_MAX_USES && (c->uses[n].min != 0 || c->uses[n].max != 0))
        n++;
    return n;
}

/* "snr", or "t0_ms" in JSON */
static const char *key_of(enum app_validate_flag flag, char out[32])
{
    snprintf(out, 32, "%s", flags[flag].name);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : *c;
    return out;
}

static void print_number(const char *key, double value)
{
    if (isfinite(value))
        printf("\"%s\": %.10g", key, value);
    else
        printf("\"%s\": null", key);
}

static void print_json(const struct app_validate_case *c, const struct app_validate *v)
{
    char key[32];
    printf("{\"case\": \"%s\", \"params\": {", c->name);
    for (size_t i = 0; i < count_uses(c); i++) {
        print_number(key_of(c->uses[i].flag, key), v->values[c->uses[i].flag]);
        printf(", ");
    }
    for (size_t i = 0; i < v->n_constants; i++) {
        print_number(v->constants[i].name, v->constants[i].value);
        printf(", ");
    }
    printf("\"seed\": %llu}, \"seed\": %llu, \"trials\": %llu, \"results\": [", (unsigned long long)v->seed,
           (unsigned long long)v->seed, (unsigned long long)v->trials);
    for (size_t i = 0; i < v->n_results; i++) {
        const struct app_validate_result *r = &v->results[i];
        printf("%s{\"quantity\": \"%s\", ", i ? ", " : "", r->quantity);
        print_number("measured", r->measured);
        printf(", ");
        print_number("expected", r->expected);
        printf(", ");
        print_number("stderr", r->std_error);
        printf(", ");
        print_number("z", r->z);
        printf(", \"pass\": %s}", passes(r) ? "true" : "false");
    }
    printf("]}\n");
}

static void print_text(const struct app_validate_case *c, const struct app_validate *v)
{
    printf("%s:", c->name);
    for (size_t i = 0; i < count_uses(c); i++)
        printf(" --%s %.10g", flags[c->uses[i].flag].name, v->values[c->uses[i].flag]);
    printf(" --seed %llu\n", (unsigned long long)v->seed);
    for (size_t i = 0; i < v->n_constants; i++)
        printf("%s%s %.10g", i ? ", " : "  with ", v->constants[i].name, v->constants[i].value);
    printf("%s  %-24s %12s %12s %10s %7s\n", v->n_constants ? "\n" : "", "", "measured", "expected", "stderr", "z");
    for (size_t i = 0; i < v->n_results; i++) {
        const struct app_validate_result *r = &v->results[i];
        if (isnan(r->expected))
            printf("  %-24s %12.6g %12s %10.2g %7s  %s\n", r->quantity, r->measured, "-", r->std_error, "-", "no formula");
        else
            printf("  %-24s %12.6g %12.6g %10.2g %7.2f  %s\n", r->quantity, r->measured, r->expected, r->std_error, r->z,
                   passes(r) ? "pass" : "FAIL");
    }
}

/* --- command --- */

static void print_cases(void)
{
    printf("usage: airdeed validate CASE [flags] [--json]; airdeed validate CASE --help for its flags\n\n"
           "Drives production code on its own and holds what it does against theory: each quantity is measured over many\n"
           "trials and passes within %.1f standard errors. Exit code 1 if one does not.\n\n",
           largest_z);
    for (size_t i = 0; cases[i]; i++)
        printf("%s\n  drives   %s\n  against  %s\n", cases[i]->name, cases[i]->drives, cases[i]->formula);
}

static const struct app_validate_case *find_case(const char *name)
{
    for (size_t i = 0; cases[i]; i++)
        if (strcmp(cases[i]->name, name) == 0)
            return cases[i];
    return NULL;
}

static bool takes(const struct app_validate_case *c, enum app_validate_flag flag)
{
    for (size_t i = 0; i < count_uses(c); i++)
        if (c->uses[i].flag == flag)
            return true;
    return flag == VALIDATE_SEED;
}

/* A flag that other cases take is named as such, before anything is parsed. */
static int refuse_inapplicable(const struct app_validate_case *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t len = strncmp(argv[i], "--", 2) == 0 ? strcspn(argv[i] + 2, "=") : 0;
        for (size_t k = 0; len && k < VALIDATE_N_FLAGS; k++)
            if (strlen(flags[k].name) == len && strncmp(argv[i] + 2, flags[k].name, len) == 0 && !takes(c, (enum app_validate_flag)k)) {
                fprintf(stderr, "airdeed %s: option '--%s' does not apply here; 'airdeed %s --help' lists what does\n", argv[0],
                        flags[k].name, argv[0]);
                return APP_BAD_USAGE;
            }
    }
    return 0;
}

struct parsed {
    uint64_t whole[VALIDATE_MAX_USES];
    bool on[VALIDATE_MAX_USES];
    bool given[VALIDATE_MAX_USES];
    bool json;
    char help[VALIDATE_MAX_USES][120];
};

static void describe(const struct app_validate_use *use, struct app_option *o, struct parsed *p, size_t i, struct app_validate *v)
{
    const struct flag *flag = &flags[use->flag];
    *o = (struct app_option){flag->name, flag->kind, &v->values[use->flag], flag->metavar, p->help[i], use->min, use->max, &p->given[i]};
    snprintf(p->help[i], sizeof p->help[i], "%s (default %.10g)", flag->help, use->value);
    if (flag->kind == APP_U64)
        o->value = &p->whole[i];
    if (flag->kind == APP_FLAG) {
        o->value = &p->on[i];
        o->help = flag->help;
    }
    v->values[use->flag] = use->value;
}

static int parse(const struct app_validate_case *c, int argc, char **argv, struct parsed *p, struct app_validate *v, int *exit_out)
{
    size_t n = count_uses(c);
    struct app_option options[VALIDATE_MAX_USES + 3];
    for (size_t i = 0; i < n; i++)
        describe(&c->uses[i], &options[i], p, i, v);
    v->seed = 1;
    options[n++] = (struct app_option){"seed", APP_U64, &v->seed, "N", "every random draw follows from it (default 1)", 0, 0, NULL};
    options[n++] = (struct app_option){"json", APP_FLAG, &p->json, NULL, "prints one JSON object", 0, 0, NULL};
    options[n] = (struct app_option){"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL};
    char usage[80], about[512];
    snprintf(usage, sizeof usage, "validate %s [flags]", c->name);
    snprintf(about, sizeof about, "Drives %s.\nAgainst: %s.", c->drives, c->formula);
    int n_positional;
    *exit_out = refuse_inapplicable(c, argc, argv);
    if (*exit_out || app_options_parse(argc, argv, options, usage, about, &n_positional, exit_out))
        return 1;
    if (n_positional) {
        fprintf(stderr, "airdeed validate: takes one case, and '%s' is left over\n", argv[1]);
        *exit_out = APP_BAD_USAGE;
        return 1;
    }
    for (size_t i = 0; i < count_uses(c); i++) {
        const struct app_validate_use *use = &c->uses[i];
        if (p->given[i] && flags[use->flag].kind != APP_REAL)
            v->values[use->flag] = flags[use->flag].kind == APP_U64 ? (double)p->whole[i] : (double)p->on[i];
    }
    v->trials = takes(c, VALIDATE_TRIALS) ? (uint64_t)v->values[VALIDATE_TRIALS] : 0;
    return 0;
}

static int validate(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_cases();
        return APP_OK;
    }
    const struct app_validate_case *c = find_case(argv[1]);
    if (!c) {
        fprintf(stderr, "airdeed validate: '%s' is no case; 'airdeed validate' lists them\n", argv[1]);
        return APP_BAD_USAGE;
    }
    struct app_validate v = {0};
    struct parsed p = {0};
    int code;
    char name[40];
    snprintf(name, sizeof name, "validate %s", c->name);
    argv[1] = name;
    if (parse(c, argc - 1, argv + 1, &p, &v, &code))
        return code;
    code = c->run(&v);
    if (code)
        return code;
    if (p.json)
        print_json(c, &v);
    else
        print_text(c, &v);
    for (size_t i = 0; i < v.n_results; i++)
        if (!passes(&v.results[i]))
            code = APP_EXPECTATION_FAILED;
    return code;
}

const struct app_command app_command_validate = {"validate", "holds production code against theory: detectors and more", validate};
