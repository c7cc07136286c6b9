/* What a report is drawn from: the events of a run, sorted into lists. Owned by the report; app_report_model_free releases it. */
#ifndef APPS_RUN_REPORT_MODEL_H
#define APPS_RUN_REPORT_MODEL_H

#include "apps/run/scenario.h"

#include <jansson.h>

enum {
    APP_REPORT_NAME = 40, APP_REPORT_TEXT = 200, APP_REPORT_NO_CHANNEL = APP_MAX_CHANNELS,
    APP_REPORT_MAX_ITEMS = 2000000, /* of one list; what comes after is not drawn, and the page says so */
    APP_REPORT_MAX_STORY = 400
};

/* Items of one type, one after the other. */
struct app_report_list {
    void *items;
    size_t n, cap, item_bytes;
};
const void *app_report_at(const struct app_report_list *list, size_t i);

enum app_report_emission_kind { APP_REPORT_CONSENSUS, APP_REPORT_DATA, APP_REPORT_ACK, APP_REPORT_JAM, APP_REPORT_N_KINDS };

struct app_report_emission {
    int64_t start_ns, end_ns;
    uint32_t channel;
    enum app_report_emission_kind kind;
};

struct app_report_episode { /* of a primary user or a jammer: what really happened */
    char name[APP_REPORT_NAME], kind[APP_REPORT_NAME];
    uint32_t channel;
    int64_t start_ns, end_ns;
    int64_t first_hit_ns; /* jammers: the first burst that met a frame, -1: none */
};

struct app_report_verdict {
    char station[APP_REPORT_NAME], kind[APP_REPORT_NAME];
    uint32_t channel;
    int64_t t_ns;
    int64_t confidence_permille, n_frames, n_good, mean_rise_us;
};

struct app_report_grant {
    uint64_t id;
    uint32_t channel;
    char holder[APP_REPORT_NAME], end_reason[APP_REPORT_NAME];
    int64_t granted_ns, authorized_ns, suspended_ns, ended_ns; /* -1: not */
    unsigned n_heartbeats;
};

struct app_report_commit {
    int64_t t_ns, latency_us;
    uint64_t height;
};

struct app_report_window { /* a sensing window as the ledger fused it */
    int64_t t_ns;
    uint32_t channel;
    bool occupied;
};

struct app_report_message { /* a data message of the traffic */
    int64_t t_ns;
    enum { APP_REPORT_SENT, APP_REPORT_RECEIVED, APP_REPORT_ACKED } step;
};

struct app_report_line { /* of the story */
    int64_t t_ns;
    char who[APP_REPORT_NAME], text[APP_REPORT_TEXT];
    const char *tone; /* class of the page's style */
    unsigned n;       /* so often at this instant */
};

struct app_report_ledger { /* the last block that a station executed */
    uint64_t height;
    char hash[80];
};

struct app_report_model {
    json_t *summary;
    char version[APP_REPORT_NAME], scenario[APP_REPORT_NAME], consensus[APP_REPORT_NAME];
    int64_t seed, duration_ns;
    uint32_t n_channels;
    struct {
        char name[APP_REPORT_NAME];
        double low_hz, high_hz;
        bool control, hop; /* hop: of the hop set */
    } channels[APP_MAX_CHANNELS];
    uint32_t n_stations;
    char stations[APP_MAX_STATIONS][APP_REPORT_NAME];
    struct app_report_ledger ledgers[APP_MAX_STATIONS];
    struct app_report_list emissions, primaries, jammers, verdicts, grants, commits, windows, messages, story;
    bool cut; /* some list was full */
};

__attribute__((warn_unused_result)) int app_report_model_load(const char *folder, struct app_report_model *m, char *error_out);
void app_report_model_free(struct app_report_model *m);
const char *app_report_channel_name(const struct app_report_model *m, uint32_t channel);
/* A number of summary.json by its path ("commits.p50_ms"); NAN if there is none. */
double app_report_number(const struct app_report_model *m, const char *path);
/* The value at such a path, NULL if there is none. */
const json_t *app_report_value(const struct app_report_model *m, const char *path);
/* Does the verdict match the episode: same channel and kind, within it or at most 50 ms after? */
bool app_report_matches(const struct app_report_verdict *verdict, const struct app_report_episode *episode);
#endif
