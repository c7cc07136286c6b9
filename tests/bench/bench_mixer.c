/* bench mixer: how fast `airdeed air` runs with stations that are processes of their own, on this machine: samples a second of every
 * stream, by transport, number of stations and block, and the CPU time of all processes together that a block takes. Every station sends half
 * the time and reads what it hears, and does nothing else. */
#include "apps/options.h"
#include "phy/radio/radio.h"
#include "tests/bench/cpu_name.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STATIONS = 8, CAP = 4096, BASE_PORT = 23400 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Of children that were waited for */
static double children_cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

/* Where station k answers, or asks; folder NULL: TCP */
static void name_endpoint(const char *folder, bool tx, uint32_t k, char *out, size_t cap)
{
    if (folder)
        snprintf(out, cap, "ipc://%s/%s%u", folder, tx ? "tx" : "rx", (unsigned)k + 1);
    else
        snprintf(out, cap, "tcp://127.0.0.1:%u", BASE_PORT + 2 * k + !tx);
}

/* Until it heard so much */
static void run_station(const char *folder, uint32_t k, uint32_t block, uint64_t n_samples)
{
    static float complex samples[CAP], burst[CAP];
    char uri[PHY_RADIO_MAX_TEXT], error[PHY_RADIO_MAX_ERROR];
    char tx[48], rx[48];
    name_endpoint(folder, true, k, tx, sizeof tx);
    name_endpoint(folder, false, k, rx, sizeof rx);
    snprintf(uri, sizeof uri, "zmq:tx=%s,rx=%s,lead=%u", tx, rx, block);
    struct phy_radio_config cfg = {.sample_rate_hz = 1000000, .center_hz = NAN, .transmit = true};
    struct phy_radio *radio;
    if (phy_radio_open(uri, &cfg, &radio, error)) {
        fprintf(stderr, "bench mixer: %s\n", error);
        _exit(1);
    }
    for (size_t i = 0; i < CAP; i++)
        burst[i] = .1f;
    uint64_t next_burst = CAP, n_heard = 0;
    for (unsigned n_timeouts = 0; n_heard < n_samples && n_timeouts < 100;) {
        struct phy_radio_block got;
        int err = radio->ops->receive(radio, samples, CAP, 100000000, &got);
        n_timeouts += err != 0;
        n_heard += err ? 0 : got.n;
        for (; next_burst < n_heard + 2 * CAP; next_burst += 2 * CAP)
            if (next_burst >= n_heard + block && radio->ops->transmit(radio, next_burst, burst, CAP))
                break;
    }
    radio->ops->close(radio);
    _exit(0);
}

static pid_t start_mixer(const char *folder, uint32_t n, uint32_t block)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char ports[12], blocks[12], tx[MAX_STATIONS * 48] = "", rx[MAX_STATIONS * 48] = "";
    for (uint32_t k = 0; k < n; k++) {
        size_t tx_len = strlen(tx), rx_len = strlen(rx);
        snprintf(tx + tx_len, sizeof tx - tx_len, "%s", k ? "," : "");
        snprintf(rx + rx_len, sizeof rx - rx_len, "%s", k ? "," : "");
        name_endpoint(folder, true, k, tx + strlen(tx), sizeof tx - strlen(tx));
        name_endpoint(folder, false, k, rx + strlen(rx), sizeof rx - strlen(rx));
    }
    snprintf(ports, sizeof ports, "%u", (unsigned)n);
    snprintf(blocks, sizeof blocks, "%u", (unsigned)block);
    char *argv[] = {"air", "--ports", ports, "--block", blocks, "--port-tx", tx, "--port-rx", rx, "--noise", "-60", "--wait-all", "--patience", "10s"};
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
        _exit(3);
    _exit(app_command_air.main(sizeof argv / sizeof *argv, argv));
}

static double measure_msps(const char *folder, uint32_t n, uint32_t block, uint64_t n_samples, double *cpu_s_out)
{
    pid_t stations[MAX_STATIONS];
    fflush(stdout);
    pid_t mixer = start_mixer(folder, n, block);
    double cpu_s = children_cpu_s();
    for (uint32_t k = 0; k < n; k++)
        if ((stations[k] = fork()) == 0)
            run_station(folder, k, block, n_samples);
    double from_s = now_s();
    for (uint32_t k = 0; k < n; k++)
        waitpid(stations[k], NULL, 0);
    double took_s = now_s() - from_s;
    kill(mixer, SIGTERM);
    waitpid(mixer, NULL, 0);
    *cpu_s_out = children_cpu_s() - cpu_s;
    return (double)n_samples / took_s * 1e-6;
}

int main(int argc, char **argv)
{
    static const struct {
        uint32_t n, block;
        bool ipc;
    } rows[] = {{2, 80, false}, {2, 256, false},  {2, 800, false}, {4, 80, false}, {4, 256, false}, {4, 800, false}, {4, 4000, false},
                {4, 80, true},  {4, 256, true},   {4, 800, true},  {4, 4000, true}};
    enum { N_BLOCKS = 6000 };
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    char cpu[96], folder[] = "/tmp/airdeed-mixer-XXXXXX";
    read_cpu_name(cpu, sizeof cpu);
    if (!mkdtemp(folder))
        return 1;
    if (json)
        printf("{\"bench\": \"mixer\", \"version\": \"%s\", \"cpu\": \"%s\", \"results\": [", AIRDEED_VERSION, cpu);
    else
        printf("airdeed air on %s\n", cpu);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double cpu_s, msps = measure_msps(rows[i].ipc ? folder : NULL, rows[i].n, rows[i].block, rows[i].block * (uint64_t)N_BLOCKS, &cpu_s);
        const char *transport = rows[i].ipc ? "ipc" : "tcp";
        if (json)
            printf("%s{\"name\": \"%s_n%u_block%u\", \"value\": %.3f, \"unit\": \"Msps\", \"peer\": null, \"peer_value\": null, \"ratio\": null}",
                   i ? ", " : "", transport, (unsigned)rows[i].n, (unsigned)rows[i].block, msps);
        else
            printf("%s, %u stations, blocks of %4u: %6.2f Msps, %4.0f us of CPU a block\n", transport, (unsigned)rows[i].n,
                   (unsigned)rows[i].block, msps, cpu_s / N_BLOCKS * 1e6);
        fflush(stdout);
    }
    if (json)
        printf("]}\n");
    rmdir(folder);
    return 0;
}
