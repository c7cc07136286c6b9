/* Whole clusters of production nodes (engine, ledger, mempool, rules) in one process on one virtual clock, from one seed: a medium
 * that loses, repeats, delays, reorders, replays and cuts; disks that forget, tear, fill up, fail and turn back; clocks that drift and
 * jump; members that lie. After each event the invariants are checked for what that event changed. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <sodium.h>

#include "chain/node.h"
#include "tests/sim/sim_disk.h"

#define SIM_MS(x) ((int64_t)(x) * INT64_C(1000000))
#define SIM_EPOCH_NS (INT64_C(1577836800) * SIM_MS(1000)) /* virtual time 0 is 2020-01-01 */

enum {
    SIM_MAX_NODES = 12,  /* machines; a twin is one more */
    SIM_MAX_CLIENTS = 2, /* keys without a seat that submit signed transactions */
    SIM_MAX_OPEN = 8,    /* transactions of one client without an answer */
    SIM_KEPT_FRAMES = 64,
    SIM_MAX_PENDING = 128,
    SIM_MAX_EPOCHS = 32,
    SIM_MAX_LOGS = 24,   /* (term, batch) pairs remembered of one Raft index */
    SIM_MAX_TX_BYTES = 4096,
    SIM_SEEN_SIGS = 8192
};

/* Everything that is done to a cluster; each is counted, and a run in which one of them never happened says so. */
enum sim_fault {
    SIM_LOSS, SIM_DUPLICATE, SIM_DELAY, SIM_REPLAY, SIM_CORRUPT, SIM_PARTITION, SIM_ONE_WAY, SIM_BLACKOUT, SIM_CLOCK_DRIFT,
    SIM_CLOCK_FORWARD, SIM_CLOCK_BACK, SIM_CRASH, SIM_CRASH_BEFORE_SEND, SIM_CRASH_MID_SEND, SIM_CRASH_BEFORE_WRITE,
    SIM_CRASH_AFTER_WRITE, SIM_CRASH_IN_SYNC, SIM_CRASH_AFTER_SYNC, SIM_POWER, SIM_TORN, SIM_DROPPED, SIM_DISK_FULL, SIM_SYNC_FAILS,
    SIM_SLOW_DISK, SIM_ROLLBACK, SIM_MEMBERS, SIM_CONVICTED, SIM_TWINS, SIM_LIE_BATCH, SIM_LIE_VOTE, SIM_LIE_STALE, SIM_LIE_BLOCK, SIM_LIE_SILENT,
    SIM_LIE_CLAIM, SIM_LIE_VIEW, SIM_SNAPSHOT, SIM_FAULTS
};
const char *sim_fault_name(enum sim_fault fault);

struct sim_seen_sig;

struct sim_pool { /* memory kept from one scenario to the next: nodes', and good signatures of each scenario */
    void *mem[SIM_MAX_NODES];
    size_t len[SIM_MAX_NODES];
    struct sim_seen_sig *seen;
    uint64_t n_scenarios;
};

struct sim_config {
    struct sim_pool *pool;
    uint64_t seed;
    const struct chain_engine_ops *ops;
    uint32_t n;             /* seats */
    uint32_t n_spare;       /* machines without a seat at first: members change */
    uint32_t n_liars;       /* PBFT: the first ones lie */
    bool twins;             /* PBFT: member n-1 runs twice */
    bool ed25519;
    bool prunes;            /* disks hand out their newest blocks alone, and a snapshot for the others */
    bool rollback;          /* disks may turn back to an older state */
    int64_t heartbeat_ns;
    int64_t fault_ns;       /* how long faults go on */
    int64_t converge_ns;    /* bound, once they stop */
    uint32_t ops_per_s;     /* operations by clients */
    uint64_t break_at;      /* a false alarm at this event, to see what a failure prints; 0: none */
    bool calm;              /* no faults at all */
    bool log;               /* a line an event on stdout */
};

/* What is known of one block: what it was on the first honest disk that it reached. */
struct sim_block {
    bool known;
    uint32_t epoch;      /* whose members certify it */
    struct chain_hash hash;
    struct chain_header header;
    uint64_t batch_sum;  /* of its octets */
    uint32_t n_logs;
    struct {
        uint64_t term, prev_term, batch_sum;
    } logs[SIM_MAX_LOGS]; /* Raft entries ever seen at this index */
};

/* A Raft log as the records of a node describe it. */
struct sim_log {
    uint64_t base, base_term, last;
    uint64_t cap;
    struct sim_log_entry {
        uint64_t term, batch_sum;
    } *entries; /* [index] */
};

struct sim_world;

struct sim_key { /* one identity's secret; adversary code is handed its own alone */
    struct sim_world *world;
    uint8_t secret[32], public[CHAIN_KEY_BYTES];
    struct chain_ed25519 ed25519;
};

enum sim_state { SIM_DOWN, SIM_UP, SIM_HALTED /* failed by its own disk, waits for its operator */ };

struct sim_told { /* operations that a client hears of once the block is on disk */
    uint64_t persist_seq, height;
    uint32_t station;
    uint64_t nonce;
    enum chain_response code;
};

/* A block that was executed and whose row is on its way to the disk. */
struct sim_pending {
    uint32_t epoch;
    uint64_t height, persist_seq, batch_sum;
    struct chain_hash hash;
    struct chain_header header;
    size_t n_events;
    struct chain_ledger_event *events; /* NULL where the block is known already */
};

struct sim_node {
    uint32_t index, key; /* machine, identity */
    bool liar, forgot, contradicted; /* forgot: its disk turned back once; contradicted: and it said something else since than before */
    struct sim_witness { /* what each machine held from it when its disk turned back last, and in which of its lives; 0: nothing */
        uint32_t life, epoch;
        uint64_t view, height;
    } witnesses[SIM_MAX_NODES];
    enum sim_state state;
    struct chain_node *node;
    struct sim_disk disk;
    int64_t due_ns;          /* true time of the node's deadline */
    /* own clock: local = local0 + (t - true0) (1 + drift) */
    int64_t true0_ns, local0_ns, last_local_ns;
    int32_t drift_ppm;
    /* disk */
    uint32_t life;           /* counts restarts */
    bool syncing;
    uint64_t wrote_seq;
    int64_t busy_ns;         /* nothing is handled before */
    int64_t slow_until_ns, full_until_ns;
    bool sync_fails;
    enum sim_fault armed;    /* boundary at which it will crash; SIM_FAULTS: none */
    int64_t restart_ns;      /* INT64_MAX: not planned */
    /* what checks remember */
    uint64_t height;         /* executed in this life */
    uint32_t epoch;          /* of the next block it executes */
    uint32_t engine_epoch;   /* in which its engine works */
    uint64_t leads_term;     /* 0: does not lead */
    struct sim_log log;
    size_t n_pending;
    struct sim_pending pending[SIM_MAX_PENDING];
    size_t n_told, cap_told;
    struct sim_told *told;
};

struct sim_frame { /* shared by its receivers */
    uint32_t refs;
    size_t len;
    uint8_t data[];
};

enum sim_event_kind { SIM_EV_FRAME, SIM_EV_SYNCED, SIM_EV_RESTART };

struct sim_event {
    int64_t at_ns;
    uint64_t order;
    enum sim_event_kind kind;
    uint32_t to, life;
    uint64_t seq, mark; /* SYNCED */
    struct sim_frame *frame;
};

/* A signature that was found good in the scenario of this number; 0: none. */
struct sim_seen_sig {
    struct chain_msg msg;
    uint32_t epoch;
    uint64_t scenario;
};

struct sim_client {
    uint32_t key;
    uint64_t nonce;
    size_t n_open;
    struct {
        uint64_t nonce;
        int64_t again_ns;
        size_t len;
        uint8_t octets[SIM_MAX_TX_BYTES];
    } open[SIM_MAX_OPEN];
};

struct sim_leases; /* sim_ledger.c: what the ledger's events say of each channel */

/* Raft: one disk is about to turn back, or has just done so, while the leader is hardly heard. forgetful NULL: none */
struct sim_astray {
    struct sim_node *leader, *forgetful, *late;
    bool met;
};

struct sim_world {
    struct sim_config cfg;
    struct chain_genesis genesis;
    struct sim_key keys[CHAIN_MAX_KEYS];
    uint32_t f;
    int64_t now_ns;
    uint64_t n_draws, n_order, n_events, n_frames, n_submitted, n_told;
    uint64_t trace;
    size_t n_nodes;
    struct sim_node nodes[SIM_MAX_NODES];
    struct chain_node_update *update;
    /* medium */
    bool calm;    /* no more faults */
    bool closing; /* nothing new is asked for */
    uint32_t loss_permille, duplicate_permille;
    int64_t delay_min_ns, delay_max_ns, sync_ns;
    bool blocking; /* a node does nothing else while its disk syncs, as the program's node loop */
    int64_t cut_until_ns[SIM_MAX_NODES][SIM_MAX_NODES]; /* [from][to] */
    int64_t blackout_until_ns, loss_until_ns, delay_until_ns, corrupt_until_ns;
    uint32_t extra_loss_permille;
    int64_t extra_delay_ns;
    struct sim_frame *kept[SIM_KEPT_FRAMES]; /* for replays */
    struct sim_event *heap;
    size_t n_heap, cap_heap;
    /* faults and clients */
    int64_t next_fault_ns, fault_every_ns, next_op_ns;
    uint64_t faults[SIM_FAULTS];
    struct sim_astray astray;
    const struct sim_node *forgot; /* whose disk turned back last, and how far the others were then */
    uint64_t forgot_top, forgot_log_term, forgot_log_index; /* the latter: Raft's log that it had */
    struct sim_client clients[SIM_MAX_CLIENTS];
    /* checks */
    uint64_t top; /* highest known block */
    uint32_t n_epochs;
    struct chain_members epochs[SIM_MAX_EPOCHS];
    struct { /* the change of members that is asked for now */
        bool add;
        uint32_t key;
        int64_t until_ns;
    } plan;
    size_t cap_blocks;
    struct sim_block *blocks;
    uint32_t *leaders; /* [term]: machine that led, + 1 */
    size_t cap_leaders;
    struct sim_set *submitted, *executed; /* transactions */
    struct sim_set *said;                 /* what honest identities signed and sent */
    struct sim_leases *leases;
    struct sim_snapshots *snapshots; /* NULL: nobody prunes */
    char failure[512]; /* empty: every invariant held so far */
};

/* A failed invariant; the first one is kept. */
__attribute__((format(printf, 2, 3))) void sim_fail(struct sim_world *w, const char *format, ...);

/* One line of the log, where there is one. */
__attribute__((format(printf, 2, 3))) void sim_log(const struct sim_world *w, const char *format, ...);

/* sim_draw.c: keyed draws, sums, sets */
uint64_t sim_draw(struct sim_world *w, uint64_t below);
int64_t sim_draw_ns(struct sim_world *w, int64_t from_ns, int64_t to_ns);
uint64_t sim_mix(uint64_t x);
uint64_t sim_sum(uint64_t seed, const void *data, size_t len);
struct sim_set *sim_set_new(void);
void sim_set_free(struct sim_set *s);
/* The value under key (never 0); inserts value where there was none and returns 0 then. */
uint64_t sim_set_put(struct sim_set *s, uint64_t key, uint64_t value);
uint64_t sim_set_get(const struct sim_set *s, uint64_t key);

/* sim_signer.c */
void sim_keys_make(struct sim_world *w, uint32_t n_keys); /* also of those that are to be admitted */
struct chain_signer sim_signer(struct sim_key *key);

/* sim_world.c */
struct sim_world *sim_new(const struct sim_config *cfg);
void sim_free(struct sim_world *w);
/* Faults, then calm until all agree. True if every invariant held. */
bool sim_run(struct sim_world *w);
bool sim_run_until(struct sim_world *w, int64_t until_ns);
bool sim_converge(struct sim_world *w);

/* sim_node.c: one machine's life */
void sim_node_start(struct sim_world *w, struct sim_node *node);
void sim_node_stop(struct sim_world *w, struct sim_node *node, enum sim_state state, int64_t for_ns);
int sim_node_step(struct sim_world *w, struct sim_node *node, struct chain_node_event *event);
void sim_node_synced(struct sim_world *w, struct sim_node *node, const struct sim_event *event);
int64_t sim_local(const struct sim_node *node, int64_t true_ns);
void sim_clock_set(struct sim_world *w, struct sim_node *node, int64_t jump_ns, int32_t drift_ppm);
void sim_node_schedule(struct sim_world *w, struct sim_node *node);

/* sim_medium.c */
void sim_push(struct sim_world *w, struct sim_event event);
struct sim_event sim_pop(struct sim_world *w);
void sim_send(struct sim_world *w, struct sim_node *from, uint32_t to_key, const uint8_t *data, size_t len);
void sim_send_to(struct sim_world *w, const struct sim_node *from, uint32_t to, const uint8_t *data, size_t len);
void sim_deliver_to(struct sim_world *w, uint32_t to, struct sim_frame *frame, int64_t at_ns);
struct sim_frame *sim_frame_new(const uint8_t *data, size_t len);
void sim_frame_drop(struct sim_frame *frame);

/* sim_faults.c */
void sim_faults_init(struct sim_world *w);
void sim_fault_now(struct sim_world *w);
void sim_calm_down(struct sim_world *w);

uint32_t sim_quorum(const struct sim_world *w, uint32_t n);
/* The key of a message's author; CHAIN_MAX_KEYS: of an epoch that nobody has seen. */
uint32_t sim_author(const struct sim_world *w, uint8_t kind, uint32_t epoch, uint32_t author);

/* sim_clients.c */
static inline uint32_t sim_site(uint32_t key)
{
    return key % 2;
}
void sim_clients_init(struct sim_world *w);
void sim_client_now(struct sim_world *w);
void sim_client_told(struct sim_world *w, const struct sim_told *told);
/* One operation by each node and client; all are to be executed. */
void sim_clients_finish(struct sim_world *w);
bool sim_clients_done(const struct sim_world *w);

/* sim_check.c, sim_raft.c, sim_ledger.c: invariants */
void sim_check_init(struct sim_world *w);
void sim_check_close(struct sim_world *w);
struct sim_block *sim_block(struct sim_world *w, uint64_t height);
void sim_check_step(struct sim_world *w, struct sim_node *node, const struct chain_node_event *event);
void sim_check_send(struct sim_world *w, struct sim_node *node, const struct chain_node_send *send);
void sim_check_synced(struct sim_world *w, struct sim_node *node, uint64_t seq);
void sim_check_crashed(struct sim_world *w, struct sim_node *node);
void sim_check_forget(struct sim_node *node);
/* Its disk is about to turn back: notes who could tell it what it said. */
void sim_check_witnesses(struct sim_world *w, struct sim_node *node);
void sim_check_start(struct sim_world *w, struct sim_node *node);
void sim_raft_start(struct sim_world *w, struct sim_node *node);
void sim_raft_records(struct sim_world *w, struct sim_node *node, const struct chain_node_update *u, bool leads);
void sim_raft_leads(struct sim_world *w, struct sim_node *node, uint64_t term);
void sim_ledger_block(struct sim_world *w, const struct sim_pending *block);
/* The state after a block. */
void sim_ledger_state(struct sim_world *w, const struct chain_ledger *l);
void sim_ledger_init(struct sim_world *w);

/* sim_liar.c: what a lying member makes of what it would have sent */
void sim_liar_send(struct sim_world *w, struct sim_node *node, const struct chain_node_send *send);

/* sim_snapshots.c: what disks have in the place of blocks. An executed block with its epoch and the state after it; a block's certificate. */
struct sim_snapshots *sim_snapshots_new(void);
void sim_snapshots_free(struct sim_snapshots *s);
void sim_snapshots_block(struct sim_snapshots *s, const struct chain_node_block *row, uint32_t epoch, const struct chain_ledger *l);
void sim_snapshots_cert(struct sim_snapshots *s, const struct chain_node_block *row);

/* sim_twins.c */
bool sim_run_twins(struct sim_world *w);
#endif
