/* airdeed run access-comparison: one scenario, saturated stations that share one data channel, by Aloha, by CSMA/CA and by leases of
 * several durations. Contention runs the production MAC on the ether (apps/ether.h), leases run whole stations with their ledger. */
#ifndef APPS_RUN_COMPARE_ACCESS_H
#define APPS_RUN_COMPARE_ACCESS_H

#include "apps/run/run.h"

/* Of one method. A delay is from a message's coming to the head of its station's queue, which is when the one before was answered, to
 * its own answer; waiting for the channel, or for a lease, is part of it. Leases: of whole cycles, from the first AUTHORIZED to the last. */
struct app_access_row {
    const char *access;
    int64_t lease_ns;        /* 0: none */
    double utilisation;      /* acknowledged payload at the data rate, share of the time */
    double p50_ms, p99_ms, jain;
    double tenure_s, gap_s;  /* leases: first AUTHORIZED to last emission, and from there to the next one's AUTHORIZED; means */
    double end_s, ask_s, begin_s; /* parts of the gap: until the ledger ends the lease, gives the next one, authorizes it; means */
    double occupancy;        /* utilisation within the tenures */
};

/* From which cycle on, tenure and gap, leases carry as much as a method; NAN: from none of those measured. */
struct app_access_break_even {
    const char *against;
    double measured_s;       /* between measured rows, as the gap and the occupancy there */
    double gap_s, occupancy;
    double identity_s;       /* A / (1 - U / occupancy) with these */
    double of_means_s;       /* with the mean gap of all rows and the occupancy of the longest lease */
};

/* leases: n rows by rising duration. */
struct app_access_break_even app_compare_break_even(const struct app_access_row *leases, int n, const struct app_access_row *other);
/* One self-contained page of it, written over what stands there. folder: what the names of the leases' run folders begin with.
 * 0 or negative errno. */
__attribute__((warn_unused_result)) int app_compare_write_page(const char *path, const char *folder, const struct app_scenario *s,
                                                               const struct app_access_row *rows, int n_rows,
                                                               const struct app_access_break_even *pays, int n_pays);

/* What `run` takes as the scenario's name. */
extern const char app_compare_access_name[];
/* Takes the options' seed, duration and folder. Returns an exit code; error_out has one line unless it is 0. */
int app_compare_access(const struct app_run_options *options, bool json, char *error_out);
#endif
