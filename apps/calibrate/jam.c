#include "apps/calibrate/jam.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/options.h"
#include "apps/validate/jam_episodes.h"

/* Noise is noise, with or without pauses: who does not know the one does not know the other. */
static uint32_t own_kinds(enum app_jam_class class)
{
    const uint32_t noise = 1u << MAC_JAM_CONSTANT | 1u << MAC_JAM_PULSE, own = 1u << app_jam_class_kind(class);
    return own & noise ? noise : own;
}

struct said {
    bool has_attack;
    struct mac_jam_verdict verdict; /* the first accusation, else the latest opinion that is one */
};

static bool on_verdict(void *ctx, const struct mac_jam_verdict *v)
{
    struct said *s = ctx;
    s->has_attack = mac_jam_is_attack(v->kind);
    if (v->kind != MAC_JAM_NONE)
        s->verdict = *v;
    return !s->has_attack;
}

static void print_episode(enum app_jam_class class, const struct app_jam_episode *e, double jsr_db, const struct mac_jam_verdict *v)
{
    static const char *const primaries[] = {"ofdm", "narrowband", "radar"};
    printf("{\"class\": \"%s\", \"right\": \"%s\", \"said\": \"%s\", \"level\": %u, \"frames\": %u, \"good\": %u, \"busy_permille\": %u, "
           "\"kurtosis\": %d, \"narrow\": %d, \"repeat\": %d, \"spread\": %d",
           app_jam_class_name(class), mac_jam_kind_name(app_jam_class_kind(class)), mac_jam_kind_name(v->kind), v->level, v->n_frames,
           v->n_good, v->busy_permille, (int)v->kurtosis_permille, (int)v->narrow_permille, (int)v->repeat_permille, (int)v->spread_khz);
    if (e->has_primary)
        printf(", \"primary\": \"%s\"", primaries[e->primary.kind]);
    if (e->nameless)
        printf(", \"left_out\": true");
    if (!isnan(jsr_db))
        printf(", \"jsr_db\": %.2f", jsr_db);
    printf("}\n");
}

static int run_episode(struct app_jam_world *w, enum app_jam_class class, uint64_t seed, uint64_t i, bool leave_out, bool *attacks_out)
{
    struct app_jam_episode e;
    struct app_jam_outcome out;
    struct said said = {0};
    double jsr_db;
    const char *why = "";
    app_jam_draw(class, true, seed, i, &e, &jsr_db);
    e.nameless = leave_out ? own_kinds(class) : 0;
    *attacks_out = e.has_jammer;
    int rc = app_jam_run(w, &e, on_verdict, &said, &out, &why);
    if (rc != 0) {
        fprintf(stderr, "airdeed calibrate: %s: %s\n", why, strerror(-rc));
        return APP_SYSTEM_FAILED;
    }
    print_episode(class, &e, jsr_db, &said.verdict);
    return APP_OK;
}

int app_calibrate_jam(uint64_t n, uint64_t seed)
{
    struct app_jam_world *w = app_jam_open();
    int code = w ? APP_OK : APP_SYSTEM_FAILED;
    for (int c = 0; c < JAM_N_CLASSES && code == APP_OK; c++)
        for (uint64_t i = 0; i < n && c != JAM_CLASS_HOPPING && code == APP_OK; i++) {
            bool attacks;
            code = run_episode(w, (enum app_jam_class)c, seed, i, false, &attacks);
            if (attacks && code == APP_OK) /* the same episode to a detector that does not know its kind */
                code = run_episode(w, (enum app_jam_class)c, seed, i, true, &attacks);
        }
    app_jam_close(w);
    return code;
}
