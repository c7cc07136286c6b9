/* airdeed air: options, ports, signals. */
#include "apps/air.h"
#include "apps/options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_BASE_PORT = 2000, DEFAULT_BLOCK_SAMPLES = 256, MAX_HOST = 100, MAX_FOLDER = 90 };

struct air_options {
    uint64_t n_ports, base_port, clock_port, block, seed, n_samples, delay;
    double rate_hz, gain_db, noise_dbfs;
    int64_t patience_ns, duration_ns;
    const char *host, *ipc, *port_tx, *port_rx, *links;
    bool pace, json, wait_all, duration_given, samples_given;
};

static volatile sig_atomic_t stop;

static void take_signal(int signal)
{
    (void)signal;
    stop = 1;
}

static int refuse(const char *what, const char *why)
{
    fprintf(stderr, "airdeed air: %s %s\n", what, why);
    return APP_BAD_USAGE;
}

/* "ENDPOINT,ENDPOINT,-": one for each port */
static int split_endpoints(const char *option, const char *text, uint32_t n_ports, char (*out)[APP_AIR_MAX_ENDPOINT])
{
    uint32_t k = 0;
    for (const char *at = text;; k++) {
        size_t len = strcspn(at, ",");
        if (k < n_ports) {
            if (len == 0 || len >= APP_AIR_MAX_ENDPOINT)
                return refuse(option, "takes one endpoint such as tcp://127.0.0.1:2000, or -, for each port, with commas between");
            snprintf(out[k], APP_AIR_MAX_ENDPOINT, "%.*s", len == 1 && *at == '-' ? 0 : (int)len, at);
        }
        if (!at[len])
            break;
        at += len + 1;
    }
    if (k + 1 == n_ports)
        return 0;
    fprintf(stderr, "airdeed air: %s names %u endpoints for %u ports\n", option, (unsigned)k + 1, (unsigned)n_ports);
    return APP_BAD_USAGE;
}

static int make_endpoints(const struct air_options *o, struct app_air_config *cfg)
{
    if (o->ipc && strlen(o->ipc) > MAX_FOLDER)
        return refuse("--ipc", "names a folder too deep for a socket: 90 octets at most");
    if (strlen(o->host) > MAX_HOST)
        return refuse("--host", "is too long");
    for (uint32_t k = 0; k < cfg->n_ports; k++) {
        if (o->ipc) {
            snprintf(cfg->tx[k], sizeof cfg->tx[k], "ipc://%s/tx%u", o->ipc, (unsigned)k + 1);
            snprintf(cfg->rx[k], sizeof cfg->rx[k], "ipc://%s/rx%u", o->ipc, (unsigned)k + 1);
        } else {
            snprintf(cfg->tx[k], sizeof cfg->tx[k], "tcp://%s:%u", o->host, (unsigned)(o->base_port + 2 * k));
            snprintf(cfg->rx[k], sizeof cfg->rx[k], "tcp://%s:%u", o->host, (unsigned)(o->base_port + 2 * k + 1));
        }
        if (o->clock_port)
            snprintf(cfg->clock[k], sizeof cfg->clock[k], "tcp://%s:%u", o->host, (unsigned)(o->clock_port + k));
    }
    int code = o->port_tx ? split_endpoints("--port-tx", o->port_tx, cfg->n_ports, cfg->tx) : 0;
    if (!code)
        code = o->port_rx ? split_endpoints("--port-rx", o->port_rx, cfg->n_ports, cfg->rx) : 0;
    for (uint32_t k = 0; k < cfg->n_ports && !code; k++)
        if (!cfg->tx[k][0] && !cfg->rx[k][0])
            code = refuse("--port-tx and --port-rx:", "a port has neither");
    return code;
}

static int make_config(const struct air_options *o, struct app_air_config *cfg)
{
    *cfg = (struct app_air_config){
        .n_ports = (uint32_t)o->n_ports,
        .rate_hz = (uint32_t)llround(o->rate_hz),
        .block_samples = (uint32_t)o->block,
        .seed = o->seed,
        .patience_ns = o->patience_ns,
        .n_samples = o->n_samples,
        .pace = o->pace,
        .json = o->json,
        .wait_all = o->wait_all,
        .common_noise_dbfs = isnan(o->noise_dbfs) ? -INFINITY : o->noise_dbfs,
    };
    if (cfg->n_ports == 0)
        return refuse("--ports N", "says how many stations there are; 'airdeed air --help' tells how");
    if (o->duration_given && o->samples_given)
        return refuse("--duration and --samples", "exclude each other");
    if (o->duration_given)
        cfg->n_samples = (uint64_t)ceil((double)o->duration_ns * 1e-9 * cfg->rate_hz);
    for (uint32_t i = 0; i < APP_AIR_MAX_NODES; i++)
        cfg->noise_dbfs[i] = cfg->common_noise_dbfs;
    for (uint32_t from = 0; from < APP_AIR_MAX_PORTS; from++)
        for (uint32_t to = 0; to < APP_AIR_MAX_PORTS; to++)
            cfg->links[from][to] = (struct phy_air_link){(float)o->gain_db, (uint32_t)o->delay};
    int code = make_endpoints(o, cfg);
    char error[APP_AIR_MAX_ERROR];
    int err = !code && o->links ? app_air_read_links(o->links, cfg, error) : 0;
    if (!err)
        return code;
    fprintf(stderr, "airdeed air: %s\n", error);
    return err == -ENOMEM || err == -EIO ? APP_SYSTEM_FAILED : APP_BAD_USAGE;
}

static int parse(int argc, char **argv, struct app_air_config *cfg, int *exit_out)
{
    struct air_options o = {.base_port = DEFAULT_BASE_PORT, .block = DEFAULT_BLOCK_SAMPLES, .seed = 1, .rate_hz = 1e6, .noise_dbfs = NAN,
                            .patience_ns = 1000000000, .host = "127.0.0.1"};
    const struct app_option options[] = {
        {"ports", APP_U64, &o.n_ports, "N", "how many stations", 1, APP_AIR_MAX_PORTS, NULL},
        {"base-port", APP_U64, &o.base_port, "P", "station k answers at P + 2(k - 1) and asks at P + 2(k - 1) + 1 (default 2000)", 1,
         65535 - 2 * APP_AIR_MAX_PORTS, NULL},
        {"host", APP_TEXT, &o.host, "ADDRESS", "of these ports (default 127.0.0.1)", 0, 0, NULL},
        {"ipc", APP_TEXT, &o.ipc, "FOLDER", "instead of TCP: station k answers at ipc://FOLDER/tx<k> and asks at ipc://FOLDER/rx<k>", 0, 0, NULL},
        {"clock-port", APP_U64, &o.clock_port, "P", "station k asks the time at P + k - 1 (default: there is no clock)", 1,
         65535 - APP_AIR_MAX_PORTS, NULL},
        {"port-tx", APP_TEXT, &o.port_tx, "LIST", "instead: where each station answers; - for one that does not send", 0, 0, NULL},
        {"port-rx", APP_TEXT, &o.port_rx, "LIST", "instead: where each station asks; - for one that does not listen", 0, 0, NULL},
        {"rate", APP_FREQ_HZ, &o.rate_hz, "HZ", "samples a second of every stream (default 1M)", 1e3, 1e9, NULL},
        {"block", APP_U64, &o.block, "SAMPLES", "mixed at a time; stations' lead is at least this (default 256)", 16,
         APP_AIR_MAX_BLOCK_SAMPLES, NULL},
        {"gain", APP_REAL, &o.gain_db, "DB", "of every path (default 0)", -400, 100, NULL},
        {"delay", APP_U64, &o.delay, "SAMPLES", "of every path (default 0)", 0, 1000000, NULL},
        {"noise", APP_REAL, &o.noise_dbfs, "DBFS", "at every port (default: none)", -300, 20, NULL},
        {"links", APP_TEXT, &o.links, "FILE.yaml", "single paths and ports, and emitters", 0, 0, NULL},
        {"seed", APP_U64, &o.seed, "N", "of the noise (default 1)", 0, 0, NULL},
        {"patience", APP_DURATION_NS, &o.patience_ns, "TIME", "for a port that says nothing; 0s: for ever (default 1s)", 0, 3.6e12, NULL},
        {"wait-all", APP_FLAG, &o.wait_all, NULL, "begin when all stations are connected", 0, 0, NULL},
        {"pace", APP_FLAG, &o.pace, NULL, "no faster than real time (default: as fast as the stations go)", 0, 0, NULL},
        {"duration", APP_DURATION_NS, &o.duration_ns, "TIME", "of the streams, then end (default: until a signal)", 1, 1e15, &o.duration_given},
        {"samples", APP_U64, &o.n_samples, "N", "the same in samples", 1, 1e18, &o.samples_given},
        {"json", APP_FLAG, &o.json, NULL, "JSON Lines: where each port stands, the summary last", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL}};
    int n_positional;
    if (app_options_parse(argc, argv, options, "air --ports N [options]",
                          "Mixes the sample streams of N stations over ZeroMQ: each hears the others. A port that is not there, or\n"
                          "says nothing for too long, counts as zeros until it is back. Exit code: 0 ended, 2 bad input, 3 system failed.",
                          &n_positional, exit_out))
        return 1;
    *exit_out = n_positional ? refuse(argv[1], "is no option") : make_config(&o, cfg);
    return *exit_out != 0;
}

static void tell_ports(const struct app_air *air)
{
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        const char *tx = air->cfg.tx[k], *rx = air->cfg.rx[k];
        fprintf(stderr, "airdeed air: port %u: a station opens zmq:%s%s%s%s%s,lead=%u\n", (unsigned)k + 1, *tx ? "tx=" : "", tx,
                *tx && *rx ? "," : "", *rx ? "rx=" : "", rx, (unsigned)air->cfg.block_samples);
    }
}

static int open_and_run(struct app_air *air)
{
    int code;
    air->mix = app_air_mix_open(&air->cfg, air->error, &code);
    if (!air->mix)
        return code;
    air->context = zmq_ctx_new();
    if (!air->context) {
        snprintf(air->error, sizeof air->error, "ZeroMQ cannot start: %s", strerror(errno));
        return APP_SYSTEM_FAILED;
    }
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        int err = app_air_port_open(&air->ports[k], air->context, k, &air->cfg, air->error);
        if (err)
            return err == -EINVAL || err == -EPROTONOSUPPORT ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
    }
    int err = app_air_clocks_open(air);
    if (err)
        return err == -EINVAL || err == -EPROTONOSUPPORT ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
    tell_ports(air);
    air->opened_ns = app_air_now_ns();
    air->progress = isatty(STDERR_FILENO) == 1;
    code = app_air_loop(air);
    app_air_summary(air);
    return code;
}

static void close_air(struct app_air *air)
{
    for (uint32_t k = 0; k < air->cfg.n_ports; k++)
        app_air_port_close(&air->ports[k]);
    app_air_clocks_close(air);
    if (air->context)
        zmq_ctx_term(air->context);
    if (air->mix)
        app_air_mix_close(air->mix);
    free(air);
}

static int run_air(int argc, char **argv)
{
    struct app_air *air = calloc(1, sizeof *air);
    if (!air) {
        fprintf(stderr, "airdeed air: not enough memory\n");
        return APP_SYSTEM_FAILED;
    }
    int code;
    if (parse(argc, argv, &air->cfg, &code)) {
        free(air);
        return code;
    }
    /* It stays to the end of the program: a second signal, as timeout(1) sends it, must not cut the summary off. */
    struct sigaction action = {.sa_handler = take_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    stop = 0;
    air->stop = &stop;
    code = open_and_run(air);
    if (code)
        fprintf(stderr, "airdeed air: %s\n", air->error);
    close_air(air);
    return code;
}

const struct app_command app_command_air = {"air", "mixes the sample streams of stations over ZeroMQ", run_air};
