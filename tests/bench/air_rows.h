/* The clusters that bench_air measures: production ledger nodes and production MACs, one of each a member, on one medium where all hear all, in
 * virtual time. Parts: air_rows_cluster.c (members, their processors and disks), air_rows_medium.c (frames on the air). */
#ifndef TESTS_BENCH_AIR_ROWS_H
#define TESTS_BENCH_AIR_ROWS_H

#include "apps/station/slots.h"
#include "chain/node.h"
#include "mac/mac.h"

enum { AIR_MAX_MEMBERS = 10, AIR_MAX_JOBS = 256 };

struct air_case {
    const char *engine; /* "raft", "pbft" */
    uint32_t n;
    unsigned mbps;      /* of all frames: 6 or 54, 20 MHz channel */
    bool slots;         /* votes in reserved slots; else all contend (DCF) */
    double loss;        /* of each (frame, receiver), independent */
    bool measured;      /* charge what verifying, signing, executing and syncing were measured to take */
    unsigned n_commits;
    uint64_t seed;
    int64_t group_gap_ns; /* of the profile */
};

/* Times in ns from the moment in which the leader's MAC was handed the proposal. */
struct air_result {
    unsigned n_commits, n_lost; /* measured; left out: another leader had to be found meanwhile */
    int64_t shortest_ns;
    int64_t last_p50_ns, last_p99_ns;     /* until the last member knows the commit */
    int64_t quorum_p50_ns, quorum_p99_ns; /* until as many as make a quorum do */
    double frames;                        /* a commit, from the proposal's to the last member's knowing */
    double vote_octets, proposal_octets;  /* mean PSDU, FCS included */
};

/* What waits: octets for the processor or for the MAC, or the disk's answer. */
enum air_job_kind { AIR_RECEIVED, AIR_TO_SEND, AIR_PERSISTED };
struct air_job {
    enum air_job_kind kind;
    int64_t due_ns;
    uint64_t seq; /* or rounds of answers */
    unsigned signatures;
    uint32_t to;
    enum chain_node_urgency urgency;
    uint8_t *octets;
    size_t len_bytes;
};

struct air_queue {
    struct air_job jobs[AIR_MAX_JOBS];
    size_t head, count;
};

struct air_member {
    struct chain_node *node;
    struct mac *mac;
    void *node_mem, *mac_mem;
    struct air_queue queues[3]; /* by kind */
    int64_t node_deadline_ns, cpu_free_ns, disk_free_ns;
    uint64_t known;             /* height that it knows to be committed */
    /* the frame that it sends */
    bool waiting, on_air;
    int64_t start_ns, end_ns;
    uint8_t mpdu[MAC_MAX_MPDU_BYTES];
    size_t mpdu_len;
    /* the frame that it receives */
    unsigned n_heard;
    int locked_on; /* its sender; -1: none */
    bool spoilt;
};

struct air_cluster {
    struct air_case what;
    struct chain_genesis genesis;
    struct chain_signer signer;
    const struct chain_engine_ops *engine;
    int64_t now_ns;
    struct air_member members[AIR_MAX_MEMBERS];
    struct chain_node_update *update;
    struct mac_update mac_update;
    uint64_t n_draws;
    /* of the commit that is measured */
    uint32_t leader;
    uint64_t height;
    int64_t proposed_ns; /* INT64_MAX: the MAC does not have it yet */
    int64_t known_ns[AIR_MAX_MEMBERS];
    uint64_t n_frames, n_votes, vote_octets, n_proposals, proposal_octets;
};

/* Says what failed and ends the program with exit code 3. */
_Noreturn void air_fail(const char *what);

/* air_rows_medium.c */
int64_t air_airtime_ns(void *ctx, size_t mpdu_len, unsigned rate_index);
unsigned air_rate_index(unsigned mbps);
void air_medium_take(struct air_cluster *c, uint32_t member); /* the frame of c->mac_update */
void air_medium_end(struct air_cluster *c);                   /* what ends now */
void air_medium_begin(struct air_cluster *c);                 /* what begins now */
int64_t air_medium_next_ns(const struct air_cluster *c);

/* air_rows_cluster.c */
struct air_cluster *air_cluster_open(const struct air_case *what);
void air_cluster_close(struct air_cluster *c);
void air_cluster_run(struct air_cluster *c, int64_t until_ns);
/* One instant; false past until_ns. */
bool air_cluster_turn(struct air_cluster *c, int64_t until_ns);
void air_cluster_mac(struct air_cluster *c, uint32_t member, struct mac_event *event);
/* Everybody knows and has certified the same height, nothing is queued and nothing is on the air. */
bool air_cluster_rests(const struct air_cluster *c);
void air_cluster_node(struct air_cluster *c, uint32_t member, const struct chain_node_event *event);

/* air_rows_commit.c: many commits, one after the other */
struct air_result air_measure(const struct air_case *what);
/* CHAIN_TO_ALL: nobody. */
uint32_t air_find_leader(const struct air_cluster *c);
/* A transaction of 256 octets, as it enters a batch; nonces rise. */
void air_submit(struct air_cluster *c, uint32_t member, uint64_t nonce);
void air_register_members(struct air_cluster *c);
#endif
