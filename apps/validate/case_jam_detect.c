/* The jam detector on samples: episodes of every class through receiver, carrier sense, MAC and detector. */
#include "apps/options.h"
#include "apps/validate/jam_episodes.h"
#include "apps/validate/validate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DECILES = 10, FEWEST_VERDICTS = 20 };
static const int64_t limit_ns = 500000000;
static const double floor_jsr_db = 5.0, largest_gap = .1;

/* What the watched station said in an episode. */
struct heard {
    bool until_attack;              /* the first accusation ends the episode */
    bool has_attack, has_any;
    struct mac_jam_verdict attack;  /* the first one */
    struct mac_jam_verdict any;     /* the latest one of no attack that is an opinion */
};

struct tally {
    uint64_t n[JAM_N_CLASSES], n_right[JAM_N_CLASSES], n_accused[JAM_N_CLASSES];
    uint64_t said[JAM_N_CLASSES][MAC_JAM_N_KINDS];
    uint64_t n_strong, n_detected, n_innocent, n_false;
    uint64_t n_decile[DECILES], right_decile[DECILES];
    double confidence_decile[DECILES];
    double *ms; /* of each episode that was found, time to verdict */
    size_t n_ms;
};

static bool on_verdict(void *ctx, const struct mac_jam_verdict *v)
{
    struct heard *h = ctx;
    if (mac_jam_is_attack(v->kind) && !h->has_attack) {
        h->has_attack = true;
        h->attack = *v;
    } else if (!mac_jam_is_attack(v->kind) && v->kind != MAC_JAM_NONE) {
        h->has_any = true;
        h->any = *v;
    }
    return !(h->has_attack && h->until_attack);
}

static void count_confidence(struct tally *t, const struct mac_jam_verdict *v, bool right)
{
    unsigned decile = v->confidence_permille >= 1000 ? DECILES - 1 : v->confidence_permille / 100;
    t->n_decile[decile]++;
    t->right_decile[decile] += right;
    t->confidence_decile[decile] += v->confidence_permille / 1000.0;
}

static void judge(struct tally *t, enum app_jam_class class, double jsr_db, const struct heard *h, const struct app_jam_outcome *out)
{
    bool innocent = isnan(jsr_db), in_time = h->has_attack && h->attack.at_ns - out->exposed_ns <= limit_ns;
    enum mac_jam_kind kind = h->has_attack ? h->attack.kind : h->has_any ? h->any.kind : MAC_JAM_NONE;
    bool right = kind == app_jam_class_kind(class);
    t->n[class]++;
    t->n_right[class] += right;
    t->n_accused[class] += h->has_attack;
    t->said[class][kind]++;
    if (kind != MAC_JAM_NONE)
        count_confidence(t, h->has_attack ? &h->attack : &h->any, right);
    if (innocent) {
        t->n_innocent++;
        t->n_false += h->has_attack;
        return;
    }
    bool strong = jsr_db >= floor_jsr_db;
    t->n_strong += strong;
    t->n_detected += strong && in_time;
    if (in_time) /* who is named before anybody has something to send is named at once */
        t->ms[t->n_ms++] = out->exposed_ns < h->attack.at_ns ? (double)(h->attack.at_ns - out->exposed_ns) / 1e6 : 0;
}

static int run_class(struct app_jam_world *w, enum app_jam_class class, const struct app_validate *v, struct tally *t)
{
    for (uint64_t i = 0; i < v->trials; i++) {
        struct app_jam_episode e;
        struct app_jam_outcome out;
        const char *why = "";
        double jsr_db;
        app_jam_draw(class, false, v->seed, i, &e, &jsr_db);
        struct heard heard = {.until_attack = e.has_jammer};
        int rc = app_jam_run(w, &e, on_verdict, &heard, &out, &why);
        if (rc != 0) {
            fprintf(stderr, "airdeed validate jam-detect: %s, episode %llu: %s: %s\n", app_jam_class_name(class), (unsigned long long)i, why,
                    strerror(-rc));
            return APP_SYSTEM_FAILED;
        }
        judge(t, class, jsr_db, &heard, &out);
    }
    return 0;
}

/* Mean confidence of a decile's verdicts, and how many of them were right. */
static double said_in(const struct tally *t, int decile)
{
    return t->confidence_decile[decile] / (double)t->n_decile[decile];
}

static double right_in(const struct tally *t, int decile)
{
    return (double)t->right_decile[decile] / (double)t->n_decile[decile];
}

/* The greatest difference of the two. */
static double find_gap(const struct tally *t)
{
    double gap = 0;
    for (int d = 0; d < DECILES; d++)
        if (t->n_decile[d] >= FEWEST_VERDICTS)
            gap = fmax(gap, fabs(said_in(t, d) - right_in(t, d)));
    return gap;
}

/* What each class was taken for, and what confidence was worth; for a reader, on standard error. */
static void print_details(const struct tally *t)
{
    fprintf(stderr, "class        episodes right  taken for\n");
    for (int c = 0; c < JAM_N_CLASSES; c++) {
        fprintf(stderr, "%-12s %8llu %5.2f ", app_jam_class_name((enum app_jam_class)c), (unsigned long long)t->n[c],
                (double)t->n_right[c] / (double)t->n[c]);
        for (int k = 0; k < MAC_JAM_N_KINDS; k++)
            if (t->said[c][k])
                fprintf(stderr, " %s %llu", mac_jam_kind_name((enum mac_jam_kind)k), (unsigned long long)t->said[c][k]);
        fprintf(stderr, "\n");
    }
    fprintf(stderr, "confidence   verdicts  said right\n");
    for (int d = 0; d < DECILES; d++)
        if (t->n_decile[d])
            fprintf(stderr, ".%d            %8llu %5.2f %5.2f%s\n", d, (unsigned long long)t->n_decile[d], said_in(t, d), right_in(t, d),
                    t->n_decile[d] < FEWEST_VERDICTS ? "  too few to hold it to" : "");
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(struct app_validate *v, struct tally *t)
{
    double sum = 0, worst = 1;
    uint64_t n_right_worst = 0;
    for (int c = 0; c < JAM_N_CLASSES; c++) {
        double right = (double)t->n_right[c] / (double)t->n[c];
        sum += right;
        if (right < worst || c == 0) {
            worst = right;
            n_right_worst = t->n_right[c];
        }
    }
    qsort(t->ms, t->n_ms, sizeof *t->ms, compare_doubles);
    double median_ms = t->n_ms ? t->ms[t->n_ms / 2] : INFINITY;
    app_validate_bound(v, "p_d", t->n_detected, t->n_strong, 0.99, true);
    app_validate_bound(v, "p_fa", t->n_false, t->n_innocent, 0.01, false);
    app_validate_bound(v, "kind_accuracy", (uint64_t)llround(sum * (double)v->trials), JAM_N_CLASSES * v->trials, 0.9, true);
    app_validate_bound(v, "worst_class_accuracy", n_right_worst, v->trials, 0.75, true);
    app_validate_limit(v, "median_to_verdict_ms", median_ms, 100);
    app_validate_limit(v, "confidence_gap", find_gap(t), largest_gap);
}

static int run(struct app_validate *v)
{
    struct tally t = {.ms = calloc(JAM_N_CLASSES * v->trials, sizeof *t.ms)};
    struct app_jam_world *w = app_jam_open();
    int code = 0;
    app_validate_constant(v, "offered_hz", 100);
    app_validate_constant(v, "octets", 200);
    app_validate_constant(v, "snr_db", 20);
    app_validate_constant(v, "jsr_low_db", -5);
    app_validate_constant(v, "jsr_high_db", 20);
    if (!w || !t.ms) {
        fprintf(stderr, "airdeed validate jam-detect: memory\n");
        code = APP_SYSTEM_FAILED;
    }
    for (int c = 0; c < JAM_N_CLASSES && code == 0; c++)
        code = run_class(w, (enum app_jam_class)c, v, &t);
    if (code == 0) {
        print_details(&t);
        report(v, &t);
    }
    app_jam_close(w);
    free(t.ms);
    return code;
}

const struct app_validate_case app_validate_jam_detect = {
    .name = "jam-detect",
    .drives = "receiver, carrier sense, MAC and jam detector on samples: episodes of ten jammers and of four innocent troubles",
    .formula = "the floors of docs/mac.md: found, not mistaken, named, in time, as sure as it says; training ranges are others",
    .uses = {{VALIDATE_TRIALS, 100, 1, 100000}},
    .run = run,
};
