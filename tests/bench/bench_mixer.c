/* bench mixer: how fast `airdeed air` runs with stations that are processes of their own, over TCP on this machine: samples a second of
 * every stream, by number of stations and block. Every station sends half the time and reads what it hears, and does nothing else. */
#include "apps/options.h"
#include "phy/radio/radio.h"
#include "tests/bench/cpu_name.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Until the mixer is gone */
static void run_station(uint32_t k, uint32_t block, uint64_t n_samples)
{
    static float complex samples[CAP], burst[CAP];
    char uri[PHY_RADIO_MAX_TEXT], error[PHY_RADIO_MAX_ERROR];
    snprintf(uri, sizeof uri, "zmq:tx=tcp://127.0.0.1:%u,rx=tcp://127.0.0.1:%u,lead=%u", BASE_PORT + 2 * k, BASE_PORT + 2 * k + 1, block);
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

static pid_t start_mixer(uint32_t n, uint32_t block)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char ports[12], blocks[12], base[12];
    snprintf(ports, sizeof ports, "%u", (unsigned)n);
    snprintf(blocks, sizeof blocks, "%u", (unsigned)block);
    snprintf(base, sizeof base, "%d", BASE_PORT);
    char *argv[] = {"air", "--ports", ports, "--block", blocks, "--base-port", base, "--noise", "-60", "--wait-all", "--patience", "10s"};
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
        _exit(3);
    _exit(app_command_air.main(sizeof argv / sizeof *argv, argv));
}

static double measure_msps(uint32_t n, uint32_t block, uint64_t n_samples)
{
    pid_t stations[MAX_STATIONS];
    fflush(stdout);
    pid_t mixer = start_mixer(n, block);
    for (uint32_t k = 0; k < n; k++)
        if ((stations[k] = fork()) == 0)
            run_station(k, block, n_samples);
    double from_s = now_s();
    for (uint32_t k = 0; k < n; k++)
        waitpid(stations[k], NULL, 0);
    double took_s = now_s() - from_s;
    kill(mixer, SIGTERM);
    waitpid(mixer, NULL, 0);
    return (double)n_samples / took_s * 1e-6;
}

int main(int argc, char **argv)
{
    static const struct {
        uint32_t n, block;
    } rows[] = {{2, 80}, {2, 256}, {2, 800}, {4, 80}, {4, 256}, {4, 800}, {4, 4000}};
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    char cpu[96];
    read_cpu_name(cpu, sizeof cpu);
    if (json)
        printf("{\"bench\": \"mixer\", \"version\": \"%s\", \"cpu\": \"%s\", \"results\": [", AIRDEED_VERSION, cpu);
    else
        printf("airdeed air, stations over TCP on %s\n", cpu);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double msps = measure_msps(rows[i].n, rows[i].block, rows[i].block * (uint64_t)6000);
        if (json)
            printf("%s{\"name\": \"n%u_block%u\", \"value\": %.3f, \"unit\": \"Msps\", \"peer\": null, \"peer_value\": null, \"ratio\": null}",
                   i ? ", " : "", (unsigned)rows[i].n, (unsigned)rows[i].block, msps);
        else
            printf("%u stations, blocks of %4u: %6.2f Msps\n", (unsigned)rows[i].n, (unsigned)rows[i].block, msps);
        fflush(stdout);
    }
    if (json)
        printf("]}\n");
    return 0;
}
