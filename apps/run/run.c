#include "apps/run/run.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apps/options.h"
#include "apps/run/report.h"
#include "apps/run/responses.h"
#include "apps/run/scenario_table.h"
#include "phy/air/awgn.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

struct progress {
    const struct app_world *world;
    bool show;
    double started_s;
};

static double wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int show_progress(void *ctx, int64_t now_ns)
{
    struct progress *p = ctx;
    if (p->show) {
        uint64_t height = chain_ledger_height(chain_node_ledger(app_station_node(p->world->stations[0].station)));
        fprintf(stderr, "\r%5.2f s of %.2f s on the virtual air, block %llu, %.0f s of wall time ", (double)now_ns / 1e9,
                (double)p->world->scenario.duration_ns / 1e9, (unsigned long long)height, wall_s() - p->started_s);
    }
    return interrupted;
}

static int apply_options(struct app_world *w, const struct app_run_options *o)
{
    struct app_scenario *sc = &w->scenario;
    if (o->consensus)
        snprintf(sc->consensus, sizeof sc->consensus, "%.7s", o->consensus);
    char why[APP_YAML_MAX_WHY];
    _Static_assert((int)APP_RESPONSES_MAX_WHY <= (int)APP_YAML_MAX_WHY, "both write to it");
    if (o->responses && app_responses_parse(o->responses, &sc->responses, why) != 0) {
        snprintf(w->error, sizeof w->error, "--responses: %.200s", why);
        return -EINVAL;
    }
    struct mac_profile profile;
    if (o->profile) {
        int len = snprintf(sc->mac.profile, sizeof sc->mac.profile, "%s", o->profile);
        bool fits = len >= 0 && (size_t)len < sizeof sc->mac.profile;
        if (!fits || app_scenario_profile(sc, &profile, why) != 0) {
            snprintf(w->error, sizeof w->error, "--profile: %.200s", fits ? why : "no profile has so long a name");
            return -EINVAL;
        }
    }
    if (o->has_seed && o->seed > INT64_MAX) {
        snprintf(w->error, sizeof w->error, "--seed: %llu is out of range, it must be at most %lld", (unsigned long long)o->seed,
                 (long long)INT64_MAX);
        return -EINVAL;
    }
    w->seed = sc->seed = o->has_seed ? o->seed : sc->seed;
    w->cut_seed = o->cut_seed;
    if (o->duration_ns)
        sc->duration_ns = o->duration_ns;
    if (o->grant_ns) {
        sc->lease.grant_ns = sc->lease.transmit_expire_ns = o->grant_ns;
        sc->lease.heartbeat_ns = o->grant_ns / 4;
    }
    if (sc->settle_ns >= sc->duration_ns)
        sc->settle_ns = sc->duration_ns / 4;
    w->recorded = UINT32_MAX;
    if (!o->record)
        return 0;
    if (app_scenario_is_packet(sc)) {
        snprintf(w->error, sizeof w->error, "--record: at packet fidelity there are no samples to record");
        return -EINVAL;
    }
    w->recorded = 0;
    for (uint32_t i = 0; o->record_station; i++) {
        if (i == sc->n_stations) {
            snprintf(w->error, sizeof w->error, "--record-station: %.100s has no station '%.60s'", sc->file, o->record_station);
            return -EINVAL;
        }
        if (strcmp(sc->stations[i].name, o->record_station) == 0) {
            w->recorded = i;
            break;
        }
    }
    return 0;
}

static int open_recording(struct app_world *w, const char *partial)
{
    const struct app_scenario *sc = &w->scenario;
    const char *name = sc->stations[w->recorded].name, *channel = sc->channels[sc->control_channel].name;
    double megabytes = (double)sc->duration_ns / 1e9 * w->rate_hz * 4 / 1e6;
    fprintf(stderr, "recording %s's channel %s: %.0f MB of ci16_le\n", name, channel, megabytes);
    char path[640], error[PHY_SIGMF_MAX_ERROR];
    snprintf(path, sizeof path, "%.500s/iq", partial);
    if (mkdir(path, 0777) != 0)
        return -errno;
    struct phy_sigmf_meta meta = {.type = PHY_SIGMF_CI16_LE, .sample_rate_hz = w->rate_hz, .n_captures = 1, .noise_dbfs = sc->noise_dbfs};
    const struct app_scenario_channel *band = &sc->channels[sc->control_channel];
    meta.captures[0].frequency_hz = (band->low_hz + band->high_hz) / 2;
    snprintf(meta.datetime, sizeof meta.datetime, "2020-01-01T00:00:00Z");
    snprintf(meta.waveform, sizeof meta.waveform, "%.15s", sc->waveform);
    snprintf(meta.profile, sizeof meta.profile, "%.23s", sc->mac.profile);
    snprintf(path, sizeof path, "%.500s/iq/%.31s-%.31s", partial, name, channel);
    int rc = phy_sigmf_create(path, &meta, &w->recording, error);
    if (rc != 0) {
        snprintf(w->error, sizeof w->error, "%.390s", error);
        return rc;
    }
    snprintf(path, sizeof path, "%.500s/iq/%.31s-%.31s.frames.jsonl", partial, name, channel);
    w->expectation = fopen(path, "wb");
    return w->expectation ? 0 : -errno;
}

static int64_t find_sifs_ns(const struct app_world *w)
{
    struct mac_profile profile;
    char why[APP_YAML_MAX_WHY];
    return app_scenario_profile(&w->scenario, &profile, why) == 0 ? profile.sifs_ns : 0;
}

static int open_outputs(struct app_world *w, const char *partial)
{
    char path[640];
    const char *names[APP_MAX_STATIONS];
    snprintf(path, sizeof path, "%.500s/events.jsonl", partial);
    int rc = app_journal_open(path, &w->journal);
    for (uint32_t i = 0; i < w->scenario.n_stations; i++)
        names[i] = w->scenario.stations[i].name;
    snprintf(path, sizeof path, "%.500s/air.pcapng", partial);
    if (rc == 0)
        rc = app_pcapng_open(path, names, w->scenario.n_stations, &w->pcap);
    if (rc == 0)
        rc = app_accounts_open(&w->accounts, &w->scenario, &w->genesis, w->waveform, find_sifs_ns(w), w->journal);
    if (rc == 0 && w->recorded != UINT32_MAX)
        rc = open_recording(w, partial);
    if (rc != 0 && w->error[0] == 0)
        snprintf(w->error, sizeof w->error, "%.300s: %s", path, strerror(-rc));
    return rc;
}

/* Everything is on disk after this, or there is an error. */
static int close_outputs(struct app_world *w, int rc)
{
    char error[PHY_SIGMF_MAX_ERROR] = "";
    int first = 0;
    if (w->recording) {
        if (rc != 0)
            phy_sigmf_abort(w->recording);
        else
            first = phy_sigmf_finish(w->recording, "control channel of one station of an airdeed run", NULL, 0, error);
        w->recording = NULL;
    }
    errno = 0;
    bool bad = w->expectation && ferror(w->expectation);
    if (w->expectation && (fclose(w->expectation) != 0 || bad) && first == 0)
        first = errno ? -errno : -EIO;
    w->expectation = NULL;
    int closed = w->pcap ? app_pcapng_close(w->pcap) : 0;
    if (first == 0)
        first = closed;
    closed = w->journal ? app_journal_close(w->journal) : 0;
    if (first == 0)
        first = closed;
    w->pcap = NULL;
    w->journal = NULL;
    if (rc == 0 && first != 0)
        snprintf(w->error, sizeof w->error, "the run folder: %.300s", error[0] ? error : strerror(-first));
    return rc != 0 ? rc : first;
}

static void hex(const uint8_t *data, size_t len, char *out)
{
    sodium_bin2hex(out, 2 * len + 1, data, len);
}

static json_t *agreement_json(const struct app_world *w)
{
    bool all_equal = true;
    uint64_t lowest = UINT64_MAX;
    json_t *roots = json_object();
    char text[2 * CHAIN_HASH_BYTES + 1], first[2 * CHAIN_HASH_BYTES + 1] = "";
    for (uint32_t i = 0; i < w->scenario.n_stations; i++) {
        const struct chain_ledger *ledger = chain_node_ledger(app_station_node(w->stations[i].station));
        hex(chain_ledger_tip(ledger)->state_root.octets, CHAIN_HASH_BYTES, text);
        if (i == 0)
            memcpy(first, text, sizeof first);
        all_equal = all_equal && strcmp(first, text) == 0;
        if (chain_ledger_height(ledger) < lowest)
            lowest = chain_ledger_height(ledger);
        json_object_set_new(roots, w->scenario.stations[i].name,
                            json_pack("{s:I, s:s}", "height", (json_int_t)chain_ledger_height(ledger), "state_root", text));
    }
    return json_pack("{s:b, s:s, s:I, s:o}", "all_equal", all_equal, "state_root", first, "height", (json_int_t)lowest, "ledgers", roots);
}

static void air_sha256(const struct app_world *w, char out[65])
{
    crypto_hash_sha256_state state;
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_init(&state);
    for (uint32_t i = 0; i < w->scenario.n_stations; i++)
        for (uint32_t c = 0; c < w->scenario.n_channels * WORLD_FOLDS; c++) {
            uint8_t octets[8];
            for (size_t k = 0; k < 8; k++)
                octets[k] = (uint8_t)(w->stations[i].fold[c / WORLD_FOLDS][c % WORLD_FOLDS] >> (8 * k));
            crypto_hash_sha256_update(&state, octets, sizeof octets);
        }
    crypto_hash_sha256_final(&state, digest);
    hex(digest, sizeof digest, out);
}

/* Of all channels on which members talk to each other. */
static struct phy_stats shared_phy_stats(const struct app_world *w, const struct app_station *s)
{
    struct phy_stats sum = {0}, one;
    for (uint32_t c = 0; c < w->scenario.n_channels; c++) {
        if (!app_scenario_shares(&w->scenario, c))
            continue;
        app_station_phy_stats(s, c, &one);
        sum.n_locks += one.n_locks;
        sum.n_frames_ok += one.n_frames_ok;
    }
    return sum;
}

static json_t *hop_json(const struct app_station *s)
{
    struct app_station_hop_stats hop;
    app_station_hop_stats(s, &hop);
    return json_pack("{s:I, s:I, s:I, s:I}", "hops", (json_int_t)hop.n_hops, "epoch", (json_int_t)hop.epoch, "brought", (json_int_t)hop.n_brought,
                     "useless", (json_int_t)hop.n_useless);
}

static json_t *station_stats(const struct app_world *w)
{
    json_t *all = json_object();
    for (uint32_t i = 0; i < w->scenario.n_stations; i++) {
        struct app_station *s = w->stations[i].station;
        struct chain_node_stats node;
        struct mac_stats mac;
        struct phy_stats phy = shared_phy_stats(w, s);
        chain_node_stats(app_station_node(s), &node);
        app_station_mac_stats(s, w->scenario.control_channel, &mac);
        struct mac_repair_stats mended;
        app_station_repair_stats(s, &mended);
        json_t *json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "view", (json_int_t)node.engine.view, "view_changes",
                                 (json_int_t)node.engine.view_changes, "retransmitted", (json_int_t)node.engine.retransmitted,
                                 "blocks_fetched", (json_int_t)node.blocks_fetched, "refused_signature",
                                 (json_int_t)node.refused_signature, "mac_sent", (json_int_t)mac.sent_frames, "mac_expired",
                                 (json_int_t)mac.expired, "mac_queue_full", (json_int_t)mac.queue_full, "phy_locks",
                                 (json_int_t)phy.n_locks, "phy_frames_ok", (json_int_t)phy.n_frames_ok);
        json_object_set_new(json, "certified_height", json_integer((json_int_t)node.certified_height));
        json_object_set_new(json, "dropped", json_integer((json_int_t)app_station_inbox_full(s)));
        if (w->scenario.hop.n_channels > 0)
            json_object_set_new(json, "hop", hop_json(s));
        if (w->scenario.mac.repair)
            json_object_set_new(json, "repair", json_pack("{s:I, s:I, s:I, s:I, s:I}", "pieces", (json_int_t)mended.pieces, "further_pieces",
                                                          (json_int_t)mended.further_pieces, "asks", (json_int_t)mended.asks, "decoded",
                                                          (json_int_t)mended.decoded, "given_up", (json_int_t)mended.given_up));
        json_object_set_new(all, w->scenario.stations[i].name, json);
    }
    return all;
}

static json_t *summarise(const struct app_world *w, int64_t reached_ns, double wall)
{
    char air[65];
    air_sha256(w, air);
    json_t *json = json_pack("{s:I, s:s, s:s, s:s, s:s, s:f, s:f, s:I, s:s}", "seed", (json_int_t)w->seed, "version", AIRDEED_VERSION,
                             "scenario", w->scenario.name, "simd", phy_simd_name(phy_simd_best()), "air_sha256", air, "virtual_s",
                             (double)reached_ns / 1e9, "wall_s", round(wall * 100) / 100, "stations",
                             (json_int_t)w->scenario.n_stations, "consensus", w->scenario.consensus);
    json_object_set_new(json, "fidelity", json_string(app_scenario_is_packet(&w->scenario) ? "packet" : "iq"));
    json_object_set_new(json, "responses", app_responses_json(&w->scenario.responses));
    json_object_set_new(json, "agreement", agreement_json(w));
    app_accounts_summarise(&w->accounts, json);
    json_object_set_new(json, "station_stats", station_stats(w));
    return json;
}

/* What a run promises, whatever its scenario: one line for each promise that was broken. */
static json_t *broken_promises(const struct app_world *w, json_t *summary)
{
    json_t *list = json_array();
    const struct app_accounts *a = &w->accounts;
    if (!json_is_true(json_object_get(json_object_get(summary, "agreement"), "all_equal")))
        json_array_append_new(list, json_string("the ledgers do not hold the same state root"));
    if (a->n_violations)
        json_array_append_new(list, json_string("somebody transmitted outside a lease"));
    int64_t vacate_ns = app_accounts_vacate_ns(a), limit_ns = w->scenario.lease.vacate_limit_ns;
    if (limit_ns > 0 && vacate_ns > limit_ns)
        json_array_append_new(list, json_string("a holder vacated its channel later than the limit"));
    if (a->n_false_verdicts)
        json_array_append_new(list, json_string("jamming was named where there was none"));
    for (uint32_t j = 0; j < w->scenario.n_jammers; j++)
        if (a->jams[j].n_verdicts == 0 && a->jams[j].first_burst_ns != INT64_MIN)
            json_array_append_new(list, json_string("a jammer was not named"));
    return list;
}

static int write_summary(const char *partial, const json_t *summary)
{
    char path[640];
    snprintf(path, sizeof path, "%.500s/summary.json", partial);
    FILE *file = fopen(path, "wb");
    if (!file)
        return -errno;
    int rc = json_dumpf(summary, file, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) == 0 && fputc('\n', file) != EOF ? 0 : -EIO;
    return fclose(file) != 0 ? -errno : rc;
}

static int finish(struct app_world *w, const char *partial, const char *folder, int64_t reached_ns, double wall, json_t **summary_out)
{
    json_t *summary = summarise(w, reached_ns, wall);
    json_t *broken = broken_promises(w, summary);
    bool kept = json_array_size(broken) == 0;
    json_object_set_new(summary, "broken", broken);
    for (uint32_t i = 0; i < w->scenario.n_stations; i++) {
        chain_store_close(w->stations[i].store);
        w->stations[i].store = NULL;
    }
    int rc = write_summary(partial, summary);
    if (rc != 0)
        snprintf(w->error, sizeof w->error, "summary.json: %s", strerror(-rc));
    if (rc == 0)
        rc = app_report_write(partial, w->error);
    if (rc == 0) {
        rc = app_folder_publish(partial, folder, w->error);
        w->keep_partial = rc != 0;
    }
    *summary_out = summary;
    if (rc != 0)
        return APP_SYSTEM_FAILED;
    return kept ? APP_OK : APP_EXPECTATION_FAILED;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    interrupted = 0;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int run_world(struct app_world *w, const struct app_run_options *o, const char *partial, const char *folder, json_t **summary_out)
{
    struct progress progress = {.world = w, .show = o->progress, .started_s = wall_s()};
    int rc = app_world_open(w, partial);
    if (rc == 0)
        rc = open_outputs(w, partial);
    if (rc != 0) {
        (void)close_outputs(w, rc);
        return rc == -EINVAL ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
    }
    catch_signals();
    app_accounts_start(&w->accounts, w->seed);
    rc = app_loop_run(w, show_progress, &progress);
    if (o->progress)
        fprintf(stderr, "\r%78s\r", "");
    if (interrupted && rc == 0) {
        snprintf(w->error, sizeof w->error, "interrupted; what there is of the run is in %.300s", partial);
        rc = -EINTR;
        w->keep_partial = true;
    }
    if (rc == 0) {
        app_journal_begin(w->journal, w->scenario.duration_ns, "run_end", NULL);
        app_journal_end(w->journal);
    }
    rc = close_outputs(w, rc);
    if (rc != 0)
        return APP_SYSTEM_FAILED;
    return finish(w, partial, folder, w->scenario.duration_ns, wall_s() - progress.started_s, summary_out);
}

static int run_scenario(struct app_world *w, const struct app_run_options *o, json_t **summary_out, char *folder_out, size_t folder_cap)
{
    char partial[600];
    int rc = app_scenario_load(o->scenario, o->fidelity, &w->scenario, w->error);
    if (rc == 0)
        rc = apply_options(w, o);
    if (rc != 0)
        return APP_BAD_USAGE;
    int len = o->out ? snprintf(folder_out, folder_cap, "%s", o->out)
                     : snprintf(folder_out, folder_cap, "run-%s-%llu", w->scenario.name, (unsigned long long)w->seed);
    if (len < 0 || (size_t)len >= folder_cap) {
        snprintf(w->error, sizeof w->error, "--out: the name is longer than %zu octets", folder_cap - 1);
        return APP_BAD_USAGE;
    }
    rc = app_folder_prepare(folder_out, partial, sizeof partial, w->error);
    if (rc != 0)
        return rc == -EINVAL ? APP_BAD_USAGE : APP_SYSTEM_FAILED;
    int code = run_world(w, o, partial, folder_out, summary_out);
    app_world_close(w);
    if (code > APP_EXPECTATION_FAILED && !w->keep_partial)
        app_folder_discard(partial);
    size_t said = strlen(w->error);
    if (code == APP_SYSTEM_FAILED && !w->keep_partial)
        snprintf(w->error + said, sizeof w->error - said, "; nothing of this run is kept");
    return code;
}

int app_run(const struct app_run_options *o, json_t **summary_out, char *folder_out, size_t folder_cap, char *error_out)
{
    struct app_world *w = calloc(1, sizeof *w);
    *summary_out = NULL;
    if (!w) {
        snprintf(error_out, WORLD_MAX_ERROR, "out of memory");
        return APP_SYSTEM_FAILED;
    }
    int code = run_scenario(w, o, summary_out, folder_out, folder_cap);
    if (code > APP_EXPECTATION_FAILED)
        snprintf(error_out, WORLD_MAX_ERROR, "%s", w->error);
    app_accounts_close(&w->accounts);
    free(w);
    return code;
}
