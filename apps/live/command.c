/* airdeed station: one station on one radio, or the files for a new cluster of them. */
#include "apps/live/init.h"
#include "apps/live/live.h"
#include "apps/options.h"
#include "mac/frame.h"
#include "phy/crc.h"
#include "phy/waveform.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char about[] =
    "Runs one station, PHY, MAC and ledger, on a radio until SIGTERM or SIGINT, or makes the files of a new cluster:\n"
    "  airdeed station --init-cluster 4 --dir demo\n"
    "  airdeed air --ports 4 ... & for i in 0 1 2 3; do airdeed station demo/s$i.yaml & done   (it prints how)\n"
    "  airdeed ledger show --node demo/cluster.yaml --key demo/client.key\n"
    "Exit codes: 0 stopped by a signal or at the end of --duration, 2 a file is wrong, 3 the radio or the system failed.";

static const int64_t max_duration_us = 32767; /* IEEE 802.11 clause 9.2.4.2 */

static int refuse(const char *option, const char *why)
{
    fprintf(stderr, "airdeed station: option '--%s': %s\n", option, why);
    return APP_BAD_USAGE;
}

static int check_init(const struct app_live_init *init)
{
    if (strcmp(init->engine, "pbft") != 0 && strcmp(init->engine, "raft") != 0)
        return refuse("engine", "it is one of pbft, raft");
    if (!phy_waveform_find(init->waveform))
        return refuse("waveform", "there is no waveform of this name");
    if (init->sample_rate_hz > 10000000)
        return refuse("rate", "the control channel is 10 MHz wide; change both in the files for more");
    if (init->base_port + 4 * init->n_members > 65536)
        return refuse("base-port", "the ports above it do not fit below 65536");
    if (init->radio && strchr(init->radio, '"'))
        return refuse("radio", "it holds a quotation mark");
    return 0;
}

/* What a station would refuse when it starts (mac/profile.c) is worth a line when its file is made. */
static void warn_of_turnaround(const struct app_live_init *init)
{
    const struct phy_waveform *waveform = phy_waveform_find(init->waveform);
    uint64_t ack_us = (uint64_t)waveform->frame_samples(MAC_ACK_BYTES + PHY_FCS_BYTES, 0) * 1000000u / init->sample_rate_hz;
    if (init->turnaround_ns / 1000 + (int64_t)ack_us > max_duration_us)
        fprintf(stderr, "airdeed station: warning: SIFS and ACK, %lld us, exceed what a Duration field can say, %lld us: stations refuse it without "
                        "'no_hidden_stations: true' under profile\n", (long long)(init->turnaround_ns / 1000 + (int64_t)ack_us),
                (long long)max_duration_us);
}

static int init_cluster(const struct app_live_init *init)
{
    char error[APP_NODE_MAX_ERROR], air[160];
    int code = check_init(init);
    if (code)
        return code;
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is reported as a full disk is */
    int err = app_live_init_cluster(init, error);
    if (err) {
        fprintf(stderr, "airdeed station: %s\n", error);
        return err == -EEXIST || err == -ENOENT || err == -ENOTDIR || err == -ENAMETOOLONG ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
    }
    warn_of_turnaround(init);
    printf("%s: %u %s stations. ", init->dir, (unsigned)init->n_members, init->engine);
    if (init->radio) {
        printf("Give each its own device, name the band in %s/s*.yaml, then start each with\n  airdeed station --tx %s/s0.yaml\n", init->dir,
               init->dir);
        return APP_OK;
    }
    app_live_init_air(init, air, sizeof air);
    printf("Start the air that they share, and each station as a process of its own:\n  airdeed air %s &\n  for i in", air);
    for (uint32_t i = 0; i < init->n_members; i++)
        printf(" %u", (unsigned)i);
    printf("; do airdeed station %s/s$i.yaml 2>%s/s$i.log & done\n", init->dir, init->dir);
    return APP_OK;
}

static int run_file(const char *path, const struct app_live_options *options)
{
    struct app_live_config *config = malloc(sizeof *config);
    char error[APP_NODE_MAX_ERROR];
    if (!config) {
        fprintf(stderr, "airdeed station: not enough memory\n");
        return APP_SYSTEM_FAILED;
    }
    int code = APP_BAD_USAGE;
    if (app_live_config_read(path, config, error))
        fprintf(stderr, "airdeed station: %s\n", error);
    else
        code = app_live_run(config, options);
    sodium_memzero(config, sizeof *config);
    free(config);
    return code;
}

static int run_station(int argc, char **argv)
{
    struct app_live_options run = {0};
    struct app_live_init init = {.engine = "pbft", .waveform = "wifi"};
    uint64_t n_members = 0, n_clients = 1, base_port = 7500, block = 2048;
    double rate_hz = 4e6;
    bool init_given = false;
    const struct app_option options[] = {
        {"tx", APP_FLAG, &run.transmit, NULL, "lets a radio that radiates transmit; needless for zmq, a wire between processes", 0, 0, NULL},
        {"blocks", APP_U64, &run.n_blocks, "N", "originates nothing new once the ledger has N blocks; still serves the others", 0, 1e15, NULL},
        {"duration", APP_DURATION_NS, &run.duration_ns, "TIME", "stops after so much time of the radio's samples", 1e6, 1e18, NULL},
        {"json", APP_FLAG, &run.json, NULL, "prints one JSON object a second and a last one with \"summary\"", 0, 0, NULL},
        {"pcapng", APP_TEXT, &run.pcapng, "FILE", "captures the control channel", 0, 0, NULL},
        {"payload", APP_FLAG, &run.payload, NULL, "captures other networks' octets, too, where the radio radiates", 0, 0, NULL},
        {"init-cluster", APP_U64, &n_members, "N", "makes keys and files for N stations, then exits", 2, 16, &init_given},
        {"dir", APP_TEXT, &init.dir, "DIR", "new folder for --init-cluster", 0, 0, NULL},
        {"engine", APP_TEXT, &init.engine, "NAME", "pbft or raft; default pbft", 0, 0, NULL},
        {"clients", APP_U64, &n_clients, "K", "keys for K clients; default 1", 0, CHAIN_MAX_MEMBERS, NULL},
        {"base-port", APP_U64, &base_port, "PORT", "first of 4 N ports: the air's streams, its clocks, the stations' doors; default 7500", 1,
         65535, NULL},
        {"rate", APP_FREQ_HZ, &rate_hz, "HZ", "samples a second; default 4M", 1e5, 1e8, NULL},
        {"block", APP_U64, &block, "N", "samples of one receive, and of the air's block; default 2048", 32, 65536, NULL},
        {"waveform", APP_TEXT, &init.waveform, "NAME", "wifi or flex; default wifi", 0, 0, NULL},
        {"radio", APP_TEXT, &init.radio, "URI", "a device, as uhd:addr=192.168.10.2, in place of an air on this machine", 0, 0, NULL},
        {"turnaround", APP_DURATION_NS, &init.turnaround_ns, "TIME", "of the slowest radio; default: what the air's block needs", 1e4, 1e9, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, exit_code;
    if (app_options_parse(argc, argv, options, "station CONFIG.yaml [options] | station --init-cluster N --dir DIR [options]", about,
                          &n_positional, &exit_code))
        return exit_code;
    if (init_given ? n_positional != 0 || !init.dir : n_positional != 1 || init.dir) {
        fprintf(stderr, "airdeed station: %s\n",
                init_given ? "--init-cluster takes --dir DIR and no file" : "one CONFIG.yaml is needed; 'airdeed station --help' says more");
        return APP_BAD_USAGE;
    }
    if (!init_given)
        return run_file(argv[1], &run);
    if (init.radio && !init.turnaround_ns)
        return refuse("turnaround", "--radio needs it; airdeed latency-probe measures it");
    init.n_members = (uint32_t)n_members;
    init.n_clients = (uint32_t)n_clients;
    init.base_port = (uint16_t)base_port;
    if (rate_hz - (double)(uint32_t)rate_hz > 1e-3)
        return refuse("rate", "it is no whole number of Hz");
    init.sample_rate_hz = (uint32_t)rate_hz;
    init.block_samples = (uint32_t)block;
    init.now_ns = (int64_t)time(NULL) * 1000000000;
    return init_cluster(&init);
}

const struct app_command app_command_station = {"station", "runs one station on a radio, or makes the files of a cluster", run_station};
