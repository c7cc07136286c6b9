/* A cluster of consensus engines in one process on one virtual clock, with a medium that loses, repeats and reorders, disks that
 * forget what was not synced, crashes, partitions, blackouts and members that lie. One seed gives one trace.
 * Use: #include "tests/sim/engine_cluster.c" in a test program. */
#ifndef TESTS_SIM_ENGINE_CLUSTER_H
#define TESTS_SIM_ENGINE_CLUSTER_H

#include <sodium.h>

#include "chain/batch.h"
#include "chain/engine.h"

enum { CLUSTER_MAX_HEIGHT = 512, CLUSTER_MAX_REQUESTS = 512, CLUSTER_MAX_ROWS = 128, CLUSTER_MAX_READS = 1024, CLUSTER_MAX_VIEWS = 4096 };

struct cluster;

struct cluster_config {
    const struct chain_engine_ops *ops;
    uint32_t n;
    uint64_t seed;
    uint32_t loss_permille, repeat_permille;
    int64_t delay_min_ns, delay_max_ns; /* of a frame to each receiver */
    int64_t persist_ns;
    int64_t heartbeat_ns, timeout_ns, timeout_max_ns;
    int64_t fetch_ns;    /* a node behind the certified height takes blocks this often; 0: never */
    int64_t certify_ns;  /* from a quorum of disks to STABLE */
    uint32_t window;     /* as in chain_engine_config */
    uint32_t batch_txs;  /* requests in a batch at most; 0: 4 */
    uint32_t learners;   /* bitmap of members that do not vote */
    bool record;         /* keep every frame that was sent */
    void (*check)(struct cluster *c, uint64_t n_events); /* after every event; NULL: none */
    bool ed25519;
    bool strict_votes;
    bool overheard;      /* Raft's answers to a leader reach everybody, as on a broadcast medium */
};

struct cluster_row {
    uint64_t key;
    uint8_t *data;
    size_t len;
};

struct cluster_block {
    uint8_t *batch;
    size_t len;
};

/* What one step wrote and what waits for it. */
struct cluster_write {
    struct cluster_write *next;
    uint64_t persist_seq;
    int64_t done_ns;
    size_t n_rows, n_frames, n_blocks;
    struct {
        struct cluster_row row;
        uint64_t key_end;
    } rows[CHAIN_MAX_RECORDS];
    struct {
        uint32_t to;
        uint8_t *data;
        size_t len;
    } frames[CHAIN_MAX_OUT_MSGS];
    uint64_t first_height;
    struct cluster_block blocks[CHAIN_MAX_COMMITS];
};

struct cluster_node {
    struct cluster *cluster;
    uint32_t id;
    bool alive, liar;
    /* as a leader it leaves this request out of what it proposes now; NULL: none */
    bool (*holds_back)(const struct cluster *c, const struct cluster_node *node, uint32_t request);
    int64_t sent_ns; /* its latest frame, and to whom */
    uint32_t sent_to;
    struct chain_engine *engine;
    void *mem;
    struct chain_engine_config cfg;
    struct chain_signer signer;
    struct chain_ed25519 key;
    struct chain_hash lie; /* the batch that a liar shows to the odd members */
    /* memory */
    uint64_t tip;
    bool executed[CLUSTER_MAX_REQUESTS];
    struct {
        uint64_t height, view; /* in which this node proposed the request last; height 0: never */
    } proposed[CLUSTER_MAX_REQUESTS];
    int64_t told_pending_ns;
    uint64_t told_stable;
    struct cluster_write *writes, **writes_tail;
    /* disk */
    size_t n_rows;
    struct cluster_row rows[CLUSTER_MAX_ROWS];
    uint64_t disk_height;
    struct cluster_block blocks[CLUSTER_MAX_HEIGHT + 1];
    int64_t committed_ns[CLUSTER_MAX_HEIGHT + 1];
};

struct cluster_frame {
    int64_t at_ns;
    uint64_t order;
    uint32_t from, to;
    uint8_t *data;
    size_t len;
};

struct cluster_read {
    uint64_t floor;  /* committed somewhere when the read was asked for */
    uint64_t height; /* the answer; 0: none yet */
};

struct cluster {
    struct cluster_config cfg;
    int64_t now_ns;
    struct chain_members members;
    struct cluster_node nodes[CHAIN_MAX_MEMBERS];
    bool cut[CHAIN_MAX_MEMBERS][CHAIN_MAX_MEMBERS]; /* [from][to] */
    int64_t blackout_from_ns, blackout_to_ns;
    uint32_t n_requests;
    int64_t requested_ns[CLUSTER_MAX_REQUESTS];
    struct chain_hash digests[CLUSTER_MAX_HEIGHT + 1];
    uint64_t highest; /* any honest node's disk */
    uint64_t highest_tip;
    size_t n_reads;
    struct cluster_read reads[CLUSTER_MAX_READS];
    uint32_t leaders[CLUSTER_MAX_VIEWS]; /* who led a view, plus 1; 0: nobody was seen to */
    size_t n_recorded, cap_recorded;
    struct cluster_frame *recorded; /* with cfg.record: in order of sending */
    size_t n_frames, cap_frames;
    struct cluster_frame *frames; /* heap by (at_ns, order) */
    uint64_t n_ordered, n_drawn, n_sent, n_lost, n_events;
    uint64_t n_bundles; /* what leaves a node at one instant for one destination is one frame of the medium */
    void (*tap)(void *ctx, uint32_t from, const uint8_t *data, size_t len); /* hears every message that is sent */
    void *tap_ctx;
    uint64_t n_repeated; /* requests that a block held again: with a window above 1 a new leader cannot know them all */
    int64_t fetch_at_ns, certified_at_ns;
    uint64_t certified;
    crypto_generichash_state trace;
    struct chain_update update;
    char failure[256]; /* empty: every invariant held so far */
};

struct cluster *cluster_new(const struct cluster_config *cfg);
void cluster_free(struct cluster *c);
/* A keyed draw in [0, below). */
uint64_t cluster_draw(struct cluster *c, uint64_t below);
void cluster_run(struct cluster *c, int64_t until_ns);
/* All living honest nodes reach height by until_ns, or false. */
bool cluster_run_to_height(struct cluster *c, uint64_t height, int64_t until_ns);
/* All living honest nodes executed every request by until_ns, or false. */
bool cluster_run_to_quiet(struct cluster *c, int64_t until_ns);
void cluster_request(struct cluster *c);
void cluster_crash(struct cluster *c, uint32_t id);
void cluster_restart(struct cluster *c, uint32_t id);
/* Raft: asks a node for a read index; the answer, checked against what was committed before, comes in reads[]. False: it refuses. */
bool cluster_read(struct cluster *c, uint32_t id);
/* Raft: false if the node refuses. */
bool cluster_transfer(struct cluster *c, uint32_t from, uint32_t to);
void cluster_make_voter(struct cluster *c, uint32_t id);
uint32_t cluster_leader(const struct cluster *c); /* of most; CHAIN_TO_ALL: none */
struct chain_engine_stats cluster_stats(const struct cluster *c, uint32_t id);
void cluster_trace(struct cluster *c, uint8_t out[32]);
#endif
