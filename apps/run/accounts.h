/* The accounts of a run, kept by the air and not by the stations: who emitted what under which deed, what arrived, what was committed
 * when, what sensing and jam verdicts said against what was true. Everything is also written to the journal. */
#ifndef APPS_RUN_ACCOUNTS_H
#define APPS_RUN_ACCOUNTS_H

#include <jansson.h>

#include "apps/run/journal.h"
#include "apps/run/scenario.h"
#include "apps/station/station.h"

enum { ACCOUNTS_MAX_LEASES = 4096, ACCOUNTS_MAX_HEIGHTS = 65536 };

struct app_lease_account {
    uint64_t id;
    uint32_t holder, channel;
    int64_t granted_ns, authorized_ns, expire_ns; /* authorized at the holder; expire: transmitExpireTime in virtual time */
    int64_t suspended_ns, ended_ns;               /* first commit at any station; INT64_MAX: not */
    int64_t last_emission_ns;                     /* end of the holder's last emission under it, INT64_MIN: none */
    int64_t last_beside_ns[APP_MAX_PRIMARIES];    /* the same while that primary user was there, at most its stop */
    uint64_t n_heartbeats;
};

struct app_height_account {
    int64_t proposed_ns, last_ns; /* INT64_MIN: unknown */
    uint32_t n_stations;
    size_t batch_len;
};

struct app_jam_account {
    int64_t first_burst_ns;  /* first jam sample while a frame was on the air; INT64_MIN: none */
    int64_t first_verdict_ns; /* that matches */
    uint64_t n_bursts, pairs_sent, pairs_good;
    uint32_t n_verdicts;
};

struct app_accounts {
    const struct app_scenario *scenario;
    const struct chain_genesis *genesis;
    const struct phy_waveform *waveform;
    struct app_journal *journal;
    int64_t control_sifs_ns;
    /* emissions and deliveries */
    uint64_t n_emissions, n_frames_ok, n_frames_bad, pairs_sent, pairs_good, n_violations, n_refused;
    uint64_t data_sent, data_received, data_acked, data_lost;
    /* leases */
    size_t n_leases;
    struct app_lease_account leases[ACCOUNTS_MAX_LEASES];
    uint64_t n_granted, n_suspended, n_expired, n_relinquished, n_refused_ops, n_evidence, n_evidence_confirmed;
    /* blocks */
    uint64_t top_height;
    struct app_height_account *heights; /* ACCOUNTS_MAX_HEIGHTS */
    /* sensing: [truth][verdict] */
    uint64_t local[2][2], fused[2][2], n_fused_void;
    uint64_t n_due, n_due_fused; /* (window, channel) that can be decided before the run settles, and those that were, void ones too */
    /* jamming */
    struct app_jam_account jams[APP_MAX_JAMMERS];
    uint64_t n_verdicts, n_false_verdicts;
    uint64_t n_spoofs[APP_SPOOF_N_REASONS];
    char kinds[APP_MAX_JAMMERS][16]; /* of the first matching verdict, "" if missed */
};

int app_accounts_open(struct app_accounts *a, const struct app_scenario *scenario, const struct chain_genesis *genesis,
                      const struct phy_waveform *waveform, int64_t sifs_ns, struct app_journal *journal);
void app_accounts_start(struct app_accounts *a, uint64_t seed);
void app_accounts_emission(struct app_accounts *a, uint32_t station, const struct app_station_emission *e, int64_t start_ns,
                           int64_t end_ns);
/* A frame that a receiver gave; from the control channel and the data channels alike. */
void app_accounts_received(struct app_accounts *a, uint32_t station, const struct app_station_received *r, int64_t start_ns);
void app_accounts_refused(struct app_accounts *a, uint32_t station, uint32_t channel, int64_t t_ns, const char *reason);
/* A chain update of one station: blocks executed and the ledger's events. */
void app_accounts_chain(struct app_accounts *a, uint32_t station, const struct chain_node_update *u, int64_t t_ns);
void app_accounts_note(struct app_accounts *a, uint32_t station, const struct app_station_note *n);
void app_accounts_jam_burst(struct app_accounts *a, uint32_t jammer, uint32_t channel, int64_t start_ns, int64_t end_ns, bool overlaps_traffic);
/* Primaries and jammers going on and off, up to t_ns. */
void app_accounts_edges(struct app_accounts *a, int64_t from_ns, int64_t to_ns);
/* Is a primary user's signal on the air there all of the time, or partly? */
bool app_accounts_primary_sends(const struct app_accounts *a, uint32_t channel, int64_t from_ns, int64_t to_ns, bool *partly_out);
/* The keys of summary.json that follow from the accounts are added to `summary`. */
void app_accounts_summarise(const struct app_accounts *a, json_t *summary);
void app_accounts_close(struct app_accounts *a);

/* accounts_leases.c */
void app_accounts_lease_event(struct app_accounts *a, uint32_t station, const struct chain_ledger_event *e, int64_t t_ns, bool first);
/* An emission that is on the air belongs to the lease under which it is sent. */
void app_accounts_lease_emission(struct app_accounts *a, uint32_t station, uint32_t channel, int64_t start_ns, int64_t end_ns);
const char *app_accounts_violation(const struct app_accounts *a, uint32_t station, uint32_t channel, int64_t start_ns, int64_t end_ns);
int64_t app_accounts_vacate_ns(const struct app_accounts *a); /* worst over primaries and the leases that lived when they
 * came: first sample of the primary to the last that the holder sent beside it; -1: nobody had to vacate */
/* accounts_jam.c */
void app_accounts_verdict(struct app_accounts *a, uint32_t station, const struct app_station_note *n);
json_t *app_accounts_jam_json(const struct app_accounts *a);
#endif
