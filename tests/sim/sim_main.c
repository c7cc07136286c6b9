/* airdeed_sim: runs clusters through faults, seed after seed. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/sim.h"

enum { ENOUGH = 30 }; /* scenarios, in which nodes surely come to need snapshots */

struct options {
    uint64_t seed, break_at;
    bool seed_given, ed25519, twins, log, first;
    double hours, seconds;
    uint64_t count;   /* scenarios; 0: as time allows */
    const char *engine; /* NULL: both */
    uint32_t n;       /* 0: drawn */
};

struct totals {
    uint64_t n, n_failed, n_events, n_frames, n_blocks, n_submitted, n_told;
    double simulated_s;
    uint64_t faults[SIM_FAULTS];
};

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_usage(void)
{
    puts("airdeed_sim [--seed S] [--count N | --hours H | --seconds S] [--engine raft|pbft] [--n N] [--ed25519] [--twins]\n"
         "  --seed S      the first seed (default: from the time of day); with --count 1 one scenario is replayed\n"
         "  --count N     so many scenarios; --hours, --seconds: as many as fit into that much CPU time\n"
         "  --engine, --n one engine, one number of members; by default both and 3 to 10\n"
         "  --ed25519     real signatures instead of keyed BLAKE2b\n"
         "  --twins       PBFT, four members and a twin of one of them, seven rounds of partitions\n"
         "  --first       stop at the first failure, not the fifth\n"
         "  --log         what is sent, executed, stopped and started, a line each\n"
         "  --break-at E  a false alarm at event E, to see what a failure prints");
}

static bool *find_flag(struct options *o, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--ed25519", &o->ed25519}, {"--twins", &o->twins}, {"--log", &o->log}, {"--first", &o->first}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strcmp(name, flags[i].name) == 0)
            return flags[i].flag;
    return NULL;
}

static bool parse_value(struct options *o, const char *name, const char *value)
{
    char *end = NULL;
    if (strcmp(name, "--engine") == 0) {
        o->engine = value;
        return chain_engine_find(value) != NULL;
    }
    double number = strtod(value, &end);
    if (*end || end == value || number < 0)
        return false;
    if (strcmp(name, "--seed") == 0) {
        o->seed = strtoull(value, NULL, 10);
        o->seed_given = true;
    } else if (strcmp(name, "--count") == 0) {
        o->count = (uint64_t)number;
    } else if (strcmp(name, "--hours") == 0) {
        o->seconds = number * 3600;
    } else if (strcmp(name, "--seconds") == 0) {
        o->seconds = number;
    } else if (strcmp(name, "--n") == 0 && number >= 1 && number <= 10) {
        o->n = (uint32_t)number;
    } else if (strcmp(name, "--break-at") == 0) {
        o->break_at = (uint64_t)number;
    } else {
        return false;
    }
    return true;
}

static bool parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool *flag = find_flag(o, argv[i]);
        if (flag)
            *flag = true;
        else if (i + 1 >= argc || !parse_value(o, argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    return true;
}

/* Four members, one of them twice; quick timers, since a scenario is over in a second. */
static struct sim_config make_twins(const struct options *o, uint64_t seed)
{
    return (struct sim_config){.seed = seed, .ops = &chain_pbft_ops, .n = 4, .twins = true, .calm = true, .heartbeat_ns = SIM_MS(10),
                               .converge_ns = SIM_MS(10000), .ops_per_s = 30, .ed25519 = o->ed25519, .break_at = o->break_at, .log = o->log};
}

/* Everything about a scenario follows from its seed and the options. */
static struct sim_config make_config(const struct options *o, uint64_t seed)
{
    static const uint32_t sizes[] = {3, 4, 5, 5, 5, 6, 7, 9, 10};
    uint64_t draw = sim_mix(seed);
    if (o->twins)
        return make_twins(o, seed);
    bool byzantine = o->engine ? strcmp(o->engine, "pbft") == 0 : draw % 2 == 0;
    struct sim_config cfg = {.seed = seed, .ops = byzantine ? &chain_pbft_ops : &chain_raft_ops, .heartbeat_ns = SIM_MS(50),
                             .fault_ns = SIM_MS(20000), .converge_ns = SIM_MS(30000), .ops_per_s = 20, .ed25519 = o->ed25519,
                             .break_at = o->break_at, .log = o->log};
    cfg.n = o->n ? o->n : sizes[(draw >> 8) % (sizeof sizes / sizeof sizes[0])];
    uint32_t f = byzantine ? chain_pbft_f(cfg.n) : 0;
    cfg.n_liars = (uint32_t)((draw >> 16) % (f + 1));
    /* who forgets is one of the f; under Raft the others have to remember */
    bool changes = (draw >> 40) % 4 == 0 && cfg.n <= 7;
    cfg.n_spare = changes ? 2 : 0;
    cfg.prunes = (draw >> 44) % 3 == 0;
    cfg.rollback = !changes && (draw >> 32) % 2 == 0 && (byzantine ? cfg.n_liars < f : cfg.n >= 3);
    return cfg;
}

static void print_replay(const struct options *o, uint64_t seed)
{
    printf("replay: ./dev sim --seed %" PRIu64 " --count 1", seed);
    if (o->engine)
        printf(" --engine %s", o->engine);
    if (o->n)
        printf(" --n %u", o->n);
    if (o->ed25519)
        printf(" --ed25519");
    if (o->twins)
        printf(" --twins");
    if (o->break_at)
        printf(" --break-at %" PRIu64, o->break_at);
    printf("\n");
}

static void run_one(const struct options *o, uint64_t seed, struct totals *t, struct sim_pool *pool)
{
    struct sim_config cfg = make_config(o, seed);
    cfg.pool = pool;
    struct sim_world *w = sim_new(&cfg);
    bool ok = o->twins ? sim_run_twins(w) : sim_run(w);
    t->n++;
    t->n_failed += !ok;
    t->n_events += w->n_events;
    t->n_frames += w->n_frames;
    t->n_blocks += w->top;
    t->n_submitted += w->n_submitted;
    t->n_told += w->n_told;
    t->simulated_s += (double)(w->now_ns - SIM_EPOCH_NS) / 1e9;
    for (size_t i = 0; i < SIM_FAULTS; i++)
        t->faults[i] += w->faults[i];
    if (!ok) {
        printf("FAILED %s n=%u liars=%u seed=%" PRIu64 ": %s\n", cfg.ops->name, cfg.n, cfg.n_liars, seed, w->failure);
        print_replay(o, seed);
    }
    if (!ok || o->count == 1)
        printf("trace %016" PRIx64 " of %" PRIu64 " events, %" PRIu64 " blocks\n", w->trace, w->n_events, w->top);
    fflush(stdout);
    sim_free(w);
}

static void print_totals(const struct totals *t, double cpu)
{
    printf("%" PRIu64 " scenarios, %" PRIu64 " failed: %.1f simulated s in %.2f CPU s (%.0f simulated s a CPU s, %.0f scenarios a CPU s)\n",
           t->n, t->n_failed, t->simulated_s, cpu, t->simulated_s / cpu, (double)t->n / cpu);
    printf("%" PRIu64 " events, %" PRIu64 " frames, %" PRIu64 " blocks, %" PRIu64 " operations asked for, %" PRIu64 " answers\n", t->n_events,
           t->n_frames, t->n_blocks, t->n_submitted, t->n_told);
    printf("faults:");
    for (size_t i = 0; i < SIM_FAULTS; i++)
        if (t->faults[i] > 0)
            printf(" %s %" PRIu64, sim_fault_name((enum sim_fault)i), t->faults[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct totals t = {0};
    struct sim_pool pool = {0};
    if (!parse(&o, argc, argv)) {
        print_usage();
        return 2;
    }
    if (sodium_init() < 0)
        return 3;
    pool.seen = calloc(SIM_SEEN_SIGS, sizeof *pool.seen);
    assert(pool.seen);
    if (!o.seed_given)
        o.seed = (uint64_t)time(NULL) * 1000003;
    if (o.count == 0 && o.seconds <= 0)
        o.seconds = 60;
    printf("seeds from %" PRIu64 "\n", o.seed);
    double start = cpu_s();
    for (uint64_t i = 0; (o.count == 0 || i < o.count) && (o.seconds <= 0 || cpu_s() - start < o.seconds) && t.n_failed < (o.first ? 1 : 5); i++)
        run_one(&o, o.seed + i, &t, &pool);
    print_totals(&t, cpu_s() - start);
    for (size_t i = 0; i < SIM_MAX_NODES; i++)
        free(pool.mem[i]);
    free(pool.seen);
    if (t.n == 0)
        puts("no scenario ran");
    bool unseen = !o.twins && t.n >= ENOUGH && t.faults[SIM_SNAPSHOT] == 0;
    if (unseen)
        puts("no node fetched a snapshot");
    return t.n == 0 || t.n_failed > 0 || unseen;
}
