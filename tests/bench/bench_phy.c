/* Speeds of the PHY's parts beside those of its peers, in one program, interleaved; CPU time, median of the rounds. Prints one JSON
 * object. The rows come from phy_rows_*.c. */
#include "tests/bench/phy_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/cpu_name.h"

enum { N_ROUNDS = 9 };

static void (*const groups[])(struct phy_rows *) = {phy_rows_parts, phy_rows_air, phy_rows_flex, phy_rows_viterbi,
                                                     phy_rows_detect, phy_rows_wifi};

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void phy_rows_fail(const char *what)
{
    fprintf(stderr, "bench_phy: %s failed\n", what);
    exit(3);
}

void *phy_rows_memory(size_t bytes)
{
    size_t len = (bytes + 63) / 64 * 64;
    void *mem = aligned_alloc(64, len);
    if (!mem)
        phy_rows_fail("memory");
    return memset(mem, 0, len);
}

void phy_rows_add(struct phy_rows *rows, struct phy_row row)
{
    if (rows->n == PHY_MAX_ROWS)
        phy_rows_fail("adding a row");
    rows->rows[rows->n++] = row;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

static double measure(const struct phy_row *row, double (*run)(void *))
{
    double start = cpu_s(), figure = run(row->ctx);
    return row->work > 0 ? row->work / (cpu_s() - start) / 1e6 : figure;
}

static void print_row(const struct phy_row *row, bool first)
{
    double ours[N_ROUNDS], peers[N_ROUNDS];
    size_t n = row->work > 0 ? N_ROUNDS : 1; /* a figure does not move */
    for (size_t i = 0; i < n; i++) {
        ours[i] = measure(row, row->run);
        if (row->run_peer)
            peers[i] = measure(row, row->run_peer);
    }
    if (row->check && !row->check(row->ctx))
        phy_rows_fail(row->name);
    double value = median(ours, n);
    printf("%s\n  {\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\"", first ? "" : ",", row->name, value, row->unit);
    if (row->run_peer) {
        double peer = median(peers, n);
        printf(", \"peer\": \"%s\", \"peer_value\": %.4g, \"ratio\": %.3g}", row->peer, peer, value / peer);
    } else {
        printf(", \"peer\": null, \"peer_value\": null, \"ratio\": null}");
    }
    fflush(stdout);
}

static void parse(int argc, char **argv, enum phy_simd *simd_out, const char **only_out)
{
    *simd_out = PHY_SIMD_AUTO;
    *only_out = "";
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool is_simd = strcmp(argv[i], "--simd") == 0;
        if (is_simd && (strcmp(value, "baseline") == 0 || strcmp(value, "avx2") == 0)) {
            *simd_out = strcmp(value, "avx2") == 0 ? PHY_SIMD_AVX2 : PHY_SIMD_BASELINE;
            i++;
        } else if (strcmp(argv[i], "--only") == 0 && *value) {
            *only_out = argv[++i];
        } else if (strcmp(argv[i], "--json") != 0) {
            fprintf(stderr, "bench_phy: usage: [--json] [--simd baseline|avx2] [--only PART-OF-A-ROW'S-NAME]\n");
            exit(2);
        }
    }
}

static bool is_wanted(const struct phy_rows *rows, const char *only)
{
    bool wanted = false;
    for (size_t i = 0; i < rows->n && !wanted; i++)
        wanted = strstr(rows->rows[i].name, only) != NULL;
    if (!wanted)
        fprintf(stderr, "bench_phy: no row's name holds '%s'\n", only);
    return wanted;
}

int main(int argc, char **argv)
{
    static struct phy_rows rows;
    const char *only;
    char cpu[200];
    parse(argc, argv, &rows.simd, &only);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        groups[i](&rows);
    if (!is_wanted(&rows, only))
        return 2;
    read_cpu_name(cpu, sizeof cpu);
    printf("{\"bench\": \"phy\", \"version\": \"%s\", \"cpu\": \"%s, %s\", \"results\": [", AIRDEED_VERSION, cpu, phy_simd_name(rows.simd));
    bool first = true;
    for (size_t i = 0; i < rows.n; i++)
        if (strstr(rows.rows[i].name, only)) {
            print_row(&rows.rows[i], first);
            first = false;
        }
    printf("\n]}\n");
    return 0;
}
