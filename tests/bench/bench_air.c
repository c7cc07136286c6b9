/* How long a commit takes on the air over the shortest that it could: Raft and PBFT, 4, 7 and 10 members, with vote slots and with plain DCF
 * (docs/performance.md). Virtual time throughout, so that figures do not depend on the machine. Prints one JSON object. */
#include "tests/bench/air_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "tests/bench/cpu_name.h"

void air_fail(const char *what)
{
    fprintf(stderr, "bench_air: %s failed\n", what);
    exit(3);
}

static void print_row(const char *name, const char *suffix, double value, const char *unit, bool *first)
{
    printf("%s\n  {\"name\": \"%s%s\", \"value\": %.4g, \"unit\": \"%s\", \"peer\": null, \"peer_value\": null, \"ratio\": null}",
           *first ? "" : ",", name, suffix, value, unit);
    *first = false;
}

static void print_case(const struct air_case *what, bool *first)
{
    char name[96];
    snprintf(name, sizeof name, "%s_n%u_%umbps_%s", what->engine, (unsigned)what->n, what->mbps, what->slots ? "slots" : "dcf");
    char tail[48];
    snprintf(tail, sizeof tail, "%s%s", what->loss > 0 ? "_loss10" : "", what->measured ? "_measured" : "");
    struct air_result r = air_measure(what);
    double shortest_us = (double)r.shortest_ns / 1e3;
    const struct {
        const char *suffix;
        double value;
        const char *unit;
    } rows[] = {
        {"_over_shortest", (double)r.last_p50_ns / 1e3 / shortest_us, ""},
        {"_over_shortest_p99", (double)r.last_p99_ns / 1e3 / shortest_us, ""},
        {"_quorum_over_shortest", (double)r.quorum_p50_ns / 1e3 / shortest_us, ""},
        {"_quorum_over_shortest_p99", (double)r.quorum_p99_ns / 1e3 / shortest_us, ""},
        {"_last", (double)r.last_p50_ns / 1e3, "us"},
        {"_last_p99", (double)r.last_p99_ns / 1e3, "us"},
        {"_shortest", shortest_us, "us"},
        {"_frames", r.frames, "frames"},
        {"_vote", r.vote_octets, "octets"},
        {"_proposal", r.proposal_octets, "octets"},
        {"_commits", r.n_commits, "commits"},
        {"_not_counted", r.n_lost, "commits"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char suffix[96];
        snprintf(suffix, sizeof suffix, "%s%s", rows[i].suffix, tail);
        print_row(name, suffix, rows[i].value, rows[i].unit, first);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const char *const engines[] = {"raft", "pbft"};
    static const uint32_t sizes[] = {4, 7, 10};
    static const unsigned rates[] = {6, 54};
    unsigned n_commits = 1000;
    const char *only = "";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--commits") == 0 && i + 1 < argc)
            n_commits = (unsigned)atoi(argv[++i]);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--json") != 0) {
            fprintf(stderr, "usage: bench_air [--json] [--commits N] [--only PART-OF-A-NAME]\n");
            return 2;
        }
    }
    if (n_commits == 0 || n_commits > 4000 || sodium_init() < 0)
        return 2;
    char cpu[128];
    read_cpu_name(cpu, sizeof cpu);
    printf("{\"bench\": \"air\", \"version\": \"%s\", \"cpu\": \"%s\", \"results\": [", AIRDEED_VERSION, cpu);
    bool first = true;
    for (unsigned k = 0; k < 2 * 3 * 2 * 2 * 4; k++) {
        struct air_case what = {.engine = engines[k / 48], .n = sizes[k / 16 % 3], .mbps = rates[k / 8 % 2], .slots = k / 4 % 2 == 0,
                                .loss = k % 2 == 1 ? .1 : 0, .measured = k / 2 % 2 == 1, .n_commits = n_commits, .seed = 1};
        char name[96];
        snprintf(name, sizeof name, "%s_n%u_%umbps_%s%s%s", what.engine, (unsigned)what.n, what.mbps, what.slots ? "slots" : "dcf",
                 what.loss > 0 ? "_loss10" : "", what.measured ? "_measured" : "");
        if (strstr(name, only))
            print_case(&what, &first);
    }
    printf("\n]}\n");
    return 0;
}
