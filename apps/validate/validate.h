/* airdeed validate: production code driven on its own, held against what theory says. A case is a row of the table in
 * validate.c and a function; the command parses its flags, prints what it found and decides. */
#ifndef APPS_VALIDATE_VALIDATE_H
#define APPS_VALIDATE_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Flags that cases may take, in the order in which help and "params" show them. */
enum app_validate_flag {
    VALIDATE_N, VALIDATE_P, VALIDATE_DUTY, VALIDATE_SILENT, VALIDATE_ROUNDS, VALIDATE_RATE, VALIDATE_PAYLOAD, VALIDATE_CW,
    VALIDATE_RETRIES, VALIDATE_SAMPLES, VALIDATE_SNR, VALIDATE_SPREAD_DB, VALIDATE_UNCERTAINTY_DB, VALIDATE_SMOOTHING, VALIDATE_PFA, VALIDATE_PD,
    VALIDATE_LIARS, VALIDATE_K, VALIDATE_T0_MS, VALIDATE_SPREAD_MS, VALIDATE_VOTE_DELAY_MS, VALIDATE_FRAME_US, VALIDATE_PULSE_US,
    VALIDATE_PERIOD_US, VALIDATE_GAP_US, VALIDATE_OVERLAP_US, VALIDATE_REACT_US, VALIDATE_BURST_US, VALIDATE_DEFER,
    VALIDATE_BURST_S, VALIDATE_EXPIRE_S, VALIDATE_HEARTBEAT_S, VALIDATE_TIME_SCALE, VALIDATE_TRIALS, VALIDATE_SEED,
    VALIDATE_N_FLAGS
};

/* A flag that a case takes, with its default and bounds there. Whole-numbered flags (n, samples, trials, ...) are held as
 * doubles, too, all but the seed; --defer is 0 or 1. */
struct app_validate_use {
    enum app_validate_flag flag;
    double value, min, max;
};

enum { VALIDATE_MAX_USES = 16, VALIDATE_MAX_RESULTS = 8, VALIDATE_MAX_CONSTANTS = 8 };

struct app_validate_result {
    const char *quantity;
    double measured, expected;
    double std_error; /* of measured */
    double z;         /* passes where |z| <= 3.5, or where nothing is expected: NAN, like expected */
    bool broken;      /* a bound that was not kept: does not pass, whatever z */
    double tolerance; /* passes as well where measured is this near to what is expected */
};

/* One run of a case. */
struct app_validate {
    double values[VALIDATE_N_FLAGS]; /* of the flags that the case takes */
    uint64_t seed;
    uint64_t trials; /* values[VALIDATE_TRIALS] */
    size_t n_results;
    struct app_validate_result results[VALIDATE_MAX_RESULTS];
    size_t n_constants; /* values used that no flag sets; "params" echoes them, too */
    struct app_validate_constant {
        const char *name;
        double value;
    } constants[VALIDATE_MAX_CONSTANTS];
};

struct app_validate_case {
    const char *name;
    const char *drives;  /* which production code, one line */
    const char *formula; /* what it is held against, one line */
    struct app_validate_use uses[VALIDATE_MAX_USES]; /* the first with min == max == 0 ends them; the seed needs none */
    /* 0, or an exit code with one line on standard error printed */
    int (*run)(struct app_validate *v);
};

/* A proportion: k of n trials against the probability p, z by the exact binomial tail. */
void app_validate_proportion(struct app_validate *v, const char *quantity, uint64_t k, uint64_t n, double p);
/* A mean or another estimate with a standard error, > 0: z is the difference over it. */
void app_validate_estimate(struct app_validate *v, const char *quantity, double measured, double expected, double std_error);
/* As above, for two things that need not be the same: passes where they lie within the tolerance, or cannot be told apart. */
void app_validate_within(struct app_validate *v, const char *quantity, double measured, double expected, double std_error, double tolerance);
/* A proportion that has to be at least, or at most, the bound: no allowance, and a z of 0 where it is kept. */
void app_validate_bound(struct app_validate *v, const char *quantity, uint64_t k, uint64_t n, double bound, bool at_least);
/* A quantity that has to be at most the limit. */
void app_validate_limit(struct app_validate *v, const char *quantity, double measured, double limit);
/* A count that has to be 0. */
void app_validate_never(struct app_validate *v, const char *quantity, uint64_t count);
/* A proportion that no formula speaks of: shown with its standard error, and neither passes nor fails. */
void app_validate_observation(struct app_validate *v, const char *quantity, uint64_t k, uint64_t n);
/* A number that nothing is expected of. */
void app_validate_number(struct app_validate *v, const char *quantity, double measured);
void app_validate_constant(struct app_validate *v, const char *name, double value);

/* cases_sense.c, case_wall.c */
extern const struct app_validate_case app_validate_energy, app_validate_wall, app_validate_cp, app_validate_mme;
/* case_fusion.c, case_lease_burst.c */
extern const struct app_validate_case app_validate_fusion, app_validate_lease_burst;
/* cases_mac.c, case_storm.c */
extern const struct app_validate_case app_validate_dcf, app_validate_rts, app_validate_hidden, app_validate_aloha, app_validate_storm;
/* case_repair.c */
extern const struct app_validate_case app_validate_repair;
/* cases_mac_jam.c */
extern const struct app_validate_case app_validate_jam_periodic, app_validate_jam_poisson, app_validate_jam_exponential,
    app_validate_jam_reactive;
/* case_spoof.c */
extern const struct app_validate_case app_validate_spoof;
/* cases_consensus.c */
extern const struct app_validate_case app_validate_raft_loss, app_validate_pbft_loss, app_validate_raft_common_jam, app_validate_election;
/* case_jam_detect.c, case_jam_innocent.c, case_fidelity.c */
extern const struct app_validate_case app_validate_jam_detect, app_validate_jam_innocent, app_validate_fidelity;
#endif
