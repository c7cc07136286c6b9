/* events.jsonl and summary.json, read into lists. */
#include "apps/run/report_model.h"

#include "apps/run/report.h"
#include "apps/run/report_story.h"
#include "chain/ledger.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERDICT_GRACE_NS = 50000000 };

const void *app_report_at(const struct app_report_list *list, size_t i)
{
    return (const char *)list->items + i * list->item_bytes;
}

/* A zeroed item at the end; NULL when the list is full or memory is out: that event is not drawn. */
static void *append(struct app_report_model *m, struct app_report_list *list)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;
        void *items = list->n < APP_REPORT_MAX_ITEMS ? realloc(list->items, cap * list->item_bytes) : NULL;
        if (!items) {
            m->cut = true;
            return NULL;
        }
        list->items = items;
        list->cap = cap;
    }
    void *item = (char *)list->items + list->n++ * list->item_bytes;
    memset(item, 0, list->item_bytes);
    return item;
}

static int64_t get_int(const json_t *event, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(event, name);
    return json_is_integer(value) ? json_integer_value(value) : json_is_real(value) ? (int64_t)json_real_value(value) : otherwise;
}

static void get_text(const json_t *event, const char *name, char *out, size_t cap)
{
    const char *text = json_string_value(json_object_get(event, name));
    snprintf(out, cap, "%s", text ? text : "");
}

/* By index or by name. */
static uint32_t get_channel(const struct app_report_model *m, const json_t *event)
{
    const json_t *value = json_object_get(event, "channel");
    const char *name = json_string_value(value);
    if (!name) {
        int64_t index = json_is_integer(value) ? json_integer_value(value) : -1;
        return index >= 0 && index < APP_MAX_CHANNELS ? (uint32_t)index : APP_REPORT_NO_CHANNEL;
    }
    for (uint32_t i = 0; i < m->n_channels; i++)
        if (strcmp(m->channels[i].name, name) == 0)
            return i;
    return APP_REPORT_NO_CHANNEL;
}

/* A station by name or by index, in `name`. */
static void get_station(const struct app_report_model *m, const json_t *event, const char *name, char out[APP_REPORT_NAME])
{
    get_text(event, name, out, APP_REPORT_NAME);
    int64_t index = get_int(event, name, -1);
    if (!*out && index >= 0 && index < m->n_stations)
        snprintf(out, APP_REPORT_NAME, "%s", m->stations[index]);
}

static void read_run_start(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    (void)t_ns;
    get_text(e, "version", m->version, sizeof m->version);
    get_text(e, "scenario", m->scenario, sizeof m->scenario);
    get_text(e, "consensus", m->consensus, sizeof m->consensus);
    m->seed = get_int(e, "seed", 0);
    m->duration_ns = get_int(e, "duration_ns", 0);
}

static void read_channel(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    (void)t_ns;
    int64_t index = get_int(e, "index", -1);
    if (index < 0 || index >= APP_MAX_CHANNELS)
        return;
    if (index >= m->n_channels)
        m->n_channels = (uint32_t)index + 1;
    get_text(e, "name", m->channels[index].name, APP_REPORT_NAME);
    m->channels[index].low_hz = json_number_value(json_object_get(e, "low_hz"));
    m->channels[index].high_hz = json_number_value(json_object_get(e, "high_hz"));
    m->channels[index].control = json_is_true(json_object_get(e, "control"));
    m->channels[index].hop = json_is_true(json_object_get(e, "hop"));
}

static void read_station(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    (void)t_ns;
    int64_t index = get_int(e, "index", -1);
    if (index < 0 || index >= APP_MAX_STATIONS)
        return;
    if (index >= m->n_stations)
        m->n_stations = (uint32_t)index + 1;
    get_text(e, "station", m->stations[index], APP_REPORT_NAME);
    if (!*m->stations[index])
        get_text(e, "call_sign", m->stations[index], APP_REPORT_NAME);
}

static void read_emission(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_emission *x = append(m, &m->emissions);
    if (!x)
        return;
    x->start_ns = get_int(e, "start_ns", t_ns);
    x->end_ns = get_int(e, "end_ns", x->start_ns);
    x->channel = get_channel(m, e);
    const char *kind = json_string_value(json_object_get(e, "kind"));
    x->kind = kind && strcmp(kind, "data") == 0 ? APP_REPORT_DATA : kind && strcmp(kind, "ack") == 0 ? APP_REPORT_ACK : APP_REPORT_CONSENSUS;
}

static void begin_episode(struct app_report_model *m, struct app_report_list *list, const json_t *e, int64_t t_ns)
{
    struct app_report_episode *x = append(m, list);
    if (!x)
        return;
    get_text(e, "name", x->name, sizeof x->name);
    get_text(e, "kind", x->kind, sizeof x->kind);
    x->channel = get_channel(m, e);
    x->start_ns = t_ns;
    x->end_ns = -1; /* the end of the run, if nothing else is said */
    x->first_hit_ns = -1;
}

/* Of that name, on that channel, still under way; NULL: there is none. */
static struct app_report_episode *find_episode(const struct app_report_model *m, struct app_report_list *list, const json_t *e)
{
    const char *name = json_string_value(json_object_get(e, "name"));
    struct app_report_episode *episodes = list->items;
    for (size_t i = list->n; name && i-- > 0;)
        if (strcmp(episodes[i].name, name) == 0 && episodes[i].channel == get_channel(m, e) && episodes[i].end_ns < 0)
            return &episodes[i];
    return NULL;
}

static void end_episode(const struct app_report_model *m, struct app_report_list *list, const json_t *e, int64_t t_ns)
{
    struct app_report_episode *x = find_episode(m, list, e);
    if (x)
        x->end_ns = t_ns;
}

static void read_jam_burst(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_emission *x = append(m, &m->emissions);
    struct app_report_episode *jammer = find_episode(m, &m->jammers, e);
    if (jammer && jammer->first_hit_ns < 0 && json_is_true(json_object_get(e, "on_frame")))
        jammer->first_hit_ns = t_ns;
    if (x)
        *x = (struct app_report_emission){.start_ns = t_ns, .end_ns = get_int(e, "end_ns", t_ns), .channel = get_channel(m, e),
                                          .kind = APP_REPORT_JAM};
}

static void read_primary_on(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    begin_episode(m, &m->primaries, e, t_ns);
}

static void read_primary_off(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    end_episode(m, &m->primaries, e, t_ns);
}

static void read_jam_on(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    begin_episode(m, &m->jammers, e, t_ns);
}

static void read_jam_off(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    end_episode(m, &m->jammers, e, t_ns);
}

static void read_verdict(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_verdict *x = append(m, &m->verdicts);
    if (!x)
        return;
    get_station(m, e, "station", x->station);
    get_text(e, "kind", x->kind, sizeof x->kind);
    x->channel = get_channel(m, e);
    x->t_ns = t_ns;
    x->confidence_permille = get_int(e, "confidence_permille", -1);
    x->n_frames = get_int(e, "n_frames", -1);
    x->n_good = get_int(e, "n_good", -1);
    x->mean_rise_us = get_int(e, "mean_rise_us", -1);
}

static void read_block(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    (void)t_ns;
    char station[APP_REPORT_NAME];
    get_station(m, e, "station", station);
    for (uint32_t i = 0; i < m->n_stations; i++)
        if (strcmp(m->stations[i], station) == 0) {
            m->ledgers[i].height = (uint64_t)get_int(e, "height", 0);
            get_text(e, "hash", m->ledgers[i].hash, sizeof m->ledgers[i].hash);
        }
}

static void read_commit(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_commit *x = append(m, &m->commits);
    if (!x)
        return;
    x->t_ns = get_int(e, "last_ns", t_ns);
    x->height = (uint64_t)get_int(e, "height", 0);
    x->latency_us = get_int(e, "latency_us", -1);
}

static void read_window(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_window *x = append(m, &m->windows);
    if (!x)
        return;
    x->t_ns = t_ns;
    x->channel = get_channel(m, e);
    x->occupied = json_is_true(json_object_get(e, "occupied"));
}

static void read_granted(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_grant *x = append(m, &m->grants);
    if (!x)
        return;
    x->id = (uint64_t)get_int(e, "id", 0);
    x->channel = get_channel(m, e);
    get_station(m, e, "by", x->holder);
    x->granted_ns = t_ns;
    x->authorized_ns = x->suspended_ns = x->ended_ns = -1;
}

static struct app_report_grant *find_grant(struct app_report_model *m, const json_t *e)
{
    uint64_t id = (uint64_t)get_int(e, "id", -1);
    struct app_report_grant *grants = m->grants.items;
    for (size_t i = m->grants.n; i-- > 0;)
        if (grants[i].id == id)
            return &grants[i];
    return NULL;
}

static void read_authorized(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_grant *x = find_grant(m, e);
    if (!x)
        return;
    if (x->authorized_ns < 0)
        x->authorized_ns = t_ns;
    x->n_heartbeats++; /* it was a heartbeat that authorized it */
}

static void read_heartbeat(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    (void)t_ns;
    struct app_report_grant *x = find_grant(m, e);
    if (x)
        x->n_heartbeats++;
}

static void read_suspended(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_grant *x = find_grant(m, e);
    if (x && x->suspended_ns < 0)
        x->suspended_ns = t_ns;
}

static void read_ended(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_grant *x = find_grant(m, e);
    bool expired = strcmp(json_string_value(json_object_get(e, "event")), "expired") == 0;
    if (!x || x->ended_ns >= 0 || (expired && get_int(e, "code", 0) != CHAIN_TERMINATED_GRANT))
        return; /* code 0: only transmitExpireTime passed, the next heartbeat authorizes again */
    x->ended_ns = t_ns;
    snprintf(x->end_reason, sizeof x->end_reason, "%s", expired ? "grantExpireTime passed" : "given back");
}

static void read_message(struct app_report_model *m, const json_t *e, int64_t t_ns)
{
    struct app_report_message *x = append(m, &m->messages);
    if (!x)
        return;
    const char *event = json_string_value(json_object_get(e, "event"));
    x->t_ns = t_ns;
    x->step = strcmp(event, "data_sent") == 0 ? APP_REPORT_SENT : strcmp(event, "data_acked") == 0 ? APP_REPORT_ACKED : APP_REPORT_RECEIVED;
}

static const struct {
    const char *event;
    void (*read)(struct app_report_model *m, const json_t *e, int64_t t_ns);
} readers[] = {
    {"run_start", read_run_start}, {"channel", read_channel}, {"station_info", read_station}, {"emission", read_emission},
    {"primary_on", read_primary_on}, {"primary_off", read_primary_off}, {"jam_on", read_jam_on}, {"jam_off", read_jam_off},
    {"jam_burst", read_jam_burst}, {"jam_verdict", read_verdict}, {"block", read_block}, {"commit", read_commit}, {"window-fused", read_window},
    {"granted", read_granted}, {"authorized", read_authorized}, {"heartbeat", read_heartbeat}, {"suspended", read_suspended},
    {"expired", read_ended}, {"relinquished", read_ended}, {"data_sent", read_message}, {"data_received", read_message},
    {"data_acked", read_message},
};

/* Once for each instant, however often. */
static void keep_line(struct app_report_model *m, const struct app_report_line *line)
{
    struct app_report_line *lines = m->story.items;
    for (size_t i = m->story.n; i-- > 0 && lines[i].t_ns == line->t_ns;)
        if (strcmp(lines[i].who, line->who) == 0 && strcmp(lines[i].text, line->text) == 0) {
            lines[i].n++;
            return;
        }
    struct app_report_line *kept = m->story.n < APP_REPORT_MAX_STORY ? append(m, &m->story) : NULL;
    if (!kept) {
        m->cut = true;
        return;
    }
    *kept = *line;
    kept->n = 1;
}

static void read_event(struct app_report_model *m, const json_t *e)
{
    const char *event = json_string_value(json_object_get(e, "event"));
    int64_t t_ns = get_int(e, "t_ns", -1);
    if (!event || t_ns < 0)
        return;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (strcmp(readers[i].event, event) == 0)
            readers[i].read(m, e, t_ns);
    struct app_report_facts facts = {.event = event, .channel = get_channel(m, e), .id = get_int(e, "id", -1),
                                     .code = get_int(e, "code", -1), .confidence_permille = get_int(e, "confidence_permille", -1)};
    get_station(m, e, "station", facts.station);
    get_station(m, e, "by", facts.by);
    get_text(e, "name", facts.name, sizeof facts.name);
    get_text(e, "kind", facts.kind, sizeof facts.kind);
    get_text(e, "reason", facts.reason, sizeof facts.reason);
    get_text(e, "op", facts.op, sizeof facts.op);
    struct app_report_line line = {.t_ns = t_ns};
    if (app_report_tell(m, &facts, &line))
        keep_line(m, &line);
}

static int read_events(struct app_report_model *m, const char *path, char *error_out)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        int err = -errno;
        snprintf(error_out, APP_REPORT_MAX_ERROR, "%.300s: %s", path, strerror(-err));
        return err;
    }
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    int err = 0;
    for (unsigned long n = 1; !err && (len = getline(&text, &cap, file)) >= 0; n++) {
        json_error_t why;
        json_t *event = json_loadb(text, (size_t)len, 0, &why);
        if (json_is_object(event)) {
            read_event(m, event);
        } else {
            snprintf(error_out, APP_REPORT_MAX_ERROR, "%.300s:%lu: not a JSON object", path, n);
            err = -EINVAL;
        }
        json_decref(event);
    }
    if (!err && ferror(file)) {
        err = -EIO;
        snprintf(error_out, APP_REPORT_MAX_ERROR, "%.300s: cannot be read", path);
    }
    free(text);
    fclose(file);
    return err;
}

/* Episodes without an end last to the end of the run. */
static void close_episodes(const struct app_report_model *m, struct app_report_list *list)
{
    struct app_report_episode *episodes = list->items;
    for (size_t i = 0; i < list->n; i++)
        if (episodes[i].end_ns < 0)
            episodes[i].end_ns = m->duration_ns;
}

int app_report_model_load(const char *folder, struct app_report_model *m, char *error_out)
{
    *m = (struct app_report_model){
        .emissions.item_bytes = sizeof(struct app_report_emission), .primaries.item_bytes = sizeof(struct app_report_episode),
        .jammers.item_bytes = sizeof(struct app_report_episode), .verdicts.item_bytes = sizeof(struct app_report_verdict),
        .grants.item_bytes = sizeof(struct app_report_grant), .commits.item_bytes = sizeof(struct app_report_commit),
        .windows.item_bytes = sizeof(struct app_report_window), .messages.item_bytes = sizeof(struct app_report_message),
        .story.item_bytes = sizeof(struct app_report_line)};
    char path[1024];
    snprintf(path, sizeof path, "%s/summary.json", folder);
    json_error_t why;
    m->summary = json_load_file(path, 0, &why);
    if (!json_is_object(m->summary)) {
        bool missing = json_error_code(&why) == json_error_cannot_open_file;
        snprintf(error_out, APP_REPORT_MAX_ERROR, "%.300s: %s", path, missing ? "cannot be opened" : "not a JSON object");
        return missing ? -ENOENT : -EINVAL;
    }
    snprintf(path, sizeof path, "%s/events.jsonl", folder);
    int err = read_events(m, path, error_out);
    if (m->duration_ns <= 0)
        m->duration_ns = 1000000000;
    close_episodes(m, &m->primaries);
    close_episodes(m, &m->jammers);
    return err;
}

void app_report_model_free(struct app_report_model *m)
{
    struct app_report_list *lists[] = {&m->emissions, &m->primaries, &m->jammers, &m->verdicts, &m->grants,
                                       &m->commits, &m->windows, &m->messages, &m->story};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        free(lists[i]->items);
    json_decref(m->summary);
}

const char *app_report_channel_name(const struct app_report_model *m, uint32_t channel)
{
    return channel < m->n_channels && *m->channels[channel].name ? m->channels[channel].name : "?";
}

const json_t *app_report_value(const struct app_report_model *m, const char *path)
{
    const json_t *at = m->summary;
    char name[APP_REPORT_NAME];
    while (*path) {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        at = json_object_get(at, name);
        path += len + (path[len] == '.');
    }
    return at;
}

double app_report_number(const struct app_report_model *m, const char *path)
{
    const json_t *value = app_report_value(m, path);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

bool app_report_matches(const struct app_report_verdict *verdict, const struct app_report_episode *episode)
{
    return verdict->channel == episode->channel && strcmp(verdict->kind, episode->kind) == 0 && verdict->t_ns >= episode->start_ns &&
           verdict->t_ns <= episode->end_ns + VERDICT_GRACE_NS;
}
