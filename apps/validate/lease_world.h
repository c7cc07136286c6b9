/* Lease holders, each with its own copy of the ledger and its own clock, and one that orders what they send: what the lease case
 * drives. Holders and ledgers are production code; a holder is on the air whenever its gate is open. True time in ns, events in order. */
#ifndef APPS_VALIDATE_LEASE_WORLD_H
#define APPS_VALIDATE_LEASE_WORLD_H

#include "apps/validate/ledger_drive.h"
#include "chain/holder.h"

enum { LEASE_WORLD_HOLDERS = 2, LEASE_WORLD_FLIGHTS = 128, LEASE_WORLD_BLOCKS = 1024 };

struct app_lease_times {
    int64_t expire_ns, heartbeat_ns, stop_ns, guard_ns, skew_ns, ahead_ns, grant_ns;
    int64_t retry_ns;   /* of holders */
    int64_t latency_ns; /* from sending a transaction to the block with it being executed */
};

struct app_lease_config {
    struct app_lease_times times;
    uint32_t n_holders;
    uint64_t seed;
    /* Nothing passes from jam_from_ns to jam_until_ns (true time since the world's start); a transaction is on its way for latency_ns. */
    int64_t jam_from_ns, jam_until_ns;
    /* Adversity: a transaction is lost with probability loss; links of single holders fail for up to 2 expire_ns; latencies are drawn
     * from half to twice latency_ns; clocks are off by up to skew_ns and drift; block times are true, or pushed to the limit (always, or
     * when a friend gets the band by it), or anything up to it; holders want the band now and then, and crash now and then. */
    bool adverse;
    double loss;
    int64_t length_ns; /* of an adverse world */
};

struct app_lease_world;

struct app_lease_world *app_lease_open(const struct app_lease_config *cfg, const char **why_out);
void app_lease_close(struct app_lease_world *w);
/* Begins anew: everybody registered at time 0, nobody holds anything. cfg differs from the first one in seed and jam only. */
bool app_lease_begin(struct app_lease_world *w, const struct app_lease_config *cfg);
/* Sets the jam of a running world. */
void app_lease_jam(struct app_lease_world *w, int64_t from_ns, int64_t until_ns);
/* Everything that happens up to a time. */
void app_lease_run(struct app_lease_world *w, int64_t until_ns);

struct app_lease_count {
    uint64_t leases;        /* grants that were authorised */
    uint64_t handovers;     /* of them to another holder than the last */
    uint64_t gaps;          /* times that an open gate closed */
    uint64_t after_stop;    /* emissions later than transmitExpireTime + stop, or without any lease */
    uint64_t two_holders;   /* emissions of two at once, or the band given while another's word still reaches */
    int64_t on_air_ns;
};
const struct app_lease_count *app_lease_counts(const struct app_lease_world *w);
bool app_lease_on_air(const struct app_lease_world *w, uint32_t holder);
#endif
