/* A run on the virtual air, from scenario to run folder. */
#ifndef APPS_RUN_RUN_H
#define APPS_RUN_RUN_H

#include "apps/run/world.h"

struct app_run_options {
    const char *scenario;    /* path or embedded name */
    const char *consensus;   /* NULL: the scenario's */
    const char *fidelity;    /* NULL: the scenario's */
    const char *profile;     /* NULL: the scenario's */
    const char *responses;   /* "none", "all" or names; NULL: the scenario's */
    bool has_seed;
    uint64_t seed;
    int64_t duration_ns;     /* 0: the scenario's */
    int64_t grant_ns;        /* 0: the scenario's; else lease.grant and transmit_expire, heartbeat a fourth */
    const char *out;         /* NULL: run-NAME-SEED in the current folder */
    bool record;
    const char *record_station; /* NULL: the first */
    bool progress;           /* a line on stderr */
    uint64_t cut_seed;       /* not 0: blocks also end at random samples, which must change nothing */
};

/* Runs it; DIR.partial becomes DIR. *summary_out is summary.json's content (caller's reference), folder_out the run folder.
 * Returns an exit code; error_out (WORLD_MAX_ERROR) has one line unless it is 0 or 1. */
int app_run(const struct app_run_options *options, json_t **summary_out, char *folder_out, size_t folder_cap, char *error_out);
/* The page that a person reads at the end, from the run folder's files. 0 or negative errno. */
int app_page_print(FILE *out, const char *folder, const json_t *summary);
/* folder.c: takes trailing slashes off FOLDER and makes FOLDER.partial. An earlier FOLDER.partial is removed, and FOLDER will be replaced,
 * only where every entry is a file that a run writes; -EINVAL for any other, for a symbolic link and for ".", with nothing touched. */
int app_folder_prepare(char *folder, char *partial_out, size_t cap, char *error_out);
/* Moves it to FOLDER, replacing an earlier run there; FOLDER is looked at again before. */
int app_folder_publish(const char *partial, const char *folder, char *error_out);
/* Removes FOLDER.partial after a run that failed. */
void app_folder_discard(const char *partial);
#endif
