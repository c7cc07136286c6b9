/* airdeed air --links: what differs between ports, and emitters. */
#include "apps/air.h"
#include "apps/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_LINKS = APP_AIR_MAX_PORTS * (APP_AIR_MAX_PORTS - 1) };

struct port_row {
    uint32_t port;
    double noise_dbfs, carrier_hz;
};

struct link_row {
    uint32_t from, to, delay;
    double gain_db;
};

struct page {
    uint32_t n_ports, n_links, n_emitters;
    struct port_row ports[APP_AIR_MAX_PORTS];
    struct link_row links[MAX_LINKS];
    struct app_air_emitter emitters[APP_AIR_MAX_EMITTERS];
    uint32_t n_ports_there, rate_hz; /* of the air */
};

static int check_port(void *root, void *item, const char **field_out, char *why_out)
{
    const struct page *page = root;
    const struct port_row *row = item;
    *field_out = "port";
    for (const struct port_row *other = page->ports; other < row; other++)
        if (other->port == row->port) {
            snprintf(why_out, APP_YAML_MAX_WHY, "port %u stands there twice", (unsigned)row->port);
            return -EINVAL;
        }
    if (row->port <= page->n_ports_there)
        return 0;
    snprintf(why_out, APP_YAML_MAX_WHY, "there are only %u ports", (unsigned)page->n_ports_there);
    return -EINVAL;
}

static int check_link(void *root, void *item, const char **field_out, char *why_out)
{
    const struct page *page = root;
    const struct link_row *row = item;
    *field_out = row->from > page->n_ports_there ? "from" : "to";
    if (row->from > page->n_ports_there || row->to > page->n_ports_there) {
        snprintf(why_out, APP_YAML_MAX_WHY, "there are only %u ports", (unsigned)page->n_ports_there);
        return -EINVAL;
    }
    for (const struct link_row *other = page->links; other < row; other++)
        if (other->from == row->from && other->to == row->to) {
            snprintf(why_out, APP_YAML_MAX_WHY, "the link from %u to %u stands there twice", (unsigned)row->from, (unsigned)row->to);
            return -EINVAL;
        }
    if (row->from != row->to)
        return 0;
    snprintf(why_out, APP_YAML_MAX_WHY, "a port does not hear itself");
    return -EINVAL;
}

static int check_emitter(void *root, void *item, const char **field_out, char *why_out)
{
    const struct page *page = root;
    const char *bad_field = app_air_find_bad_emitter(item, page->rate_hz, why_out, APP_YAML_MAX_WHY);
    if (!bad_field)
        return 0;
    *field_out = bad_field;
    return -EINVAL;
}

#define AT(type, member) .offset = offsetof(struct type, member)
#define LIST_OF(field, member, count, fields_, defaults_, check_) \
    {.name = field, .kind = APP_YAML_LIST, AT(page, member), .item = APP_YAML_MAP, .stride = sizeof(((struct page *)0)->member[0]), \
     .cap = sizeof((struct page *)0)->member / sizeof(((struct page *)0)->member[0]), .count_offset = offsetof(struct page, count), \
     .fields = (fields_), .item_defaults = (defaults_), .check = (check_)}
#define DURATION(field, member, low, high) \
    {.name = field, .kind = APP_YAML_DURATION_NS, AT(app_air_emitter, member), .min = (low), .max = (high)}

#define FREQUENCY(field, member, low, high) \
    {.name = field, .kind = APP_YAML_FREQ_HZ, AT(app_air_emitter, member), .min = (low), .max = (high)}

static const char *const kinds[] = {"tone",     "noise",    "pulse", "sweep",     "random",
                                    "reactive", "preamble", "pilot", "deceptive", NULL};
static const char *const waveforms[] = {"wifi", "flex", NULL};

static const struct app_yaml_field port_fields[] = {
    {.name = "port", .kind = APP_YAML_U32, AT(port_row, port), .min = 1, .max = APP_AIR_MAX_PORTS, .required = true},
    {.name = "noise_dbfs", .kind = APP_YAML_REAL, AT(port_row, noise_dbfs), .min = -300, .max = 20, .unit = "dBFS"},
    {.name = "carrier_hz", .kind = APP_YAML_REAL, AT(port_row, carrier_hz), .min = -1e6, .max = 1e6, .unit = "Hz"},
    {.name = ""},
};

static const struct app_yaml_field link_fields[] = {
    {.name = "from", .kind = APP_YAML_U32, AT(link_row, from), .min = 1, .max = APP_AIR_MAX_PORTS, .required = true},
    {.name = "to", .kind = APP_YAML_U32, AT(link_row, to), .min = 1, .max = APP_AIR_MAX_PORTS, .required = true},
    {.name = "gain_db", .kind = APP_YAML_REAL, AT(link_row, gain_db), .min = -400, .max = 100, .unit = "dB"},
    {.name = "delay", .kind = APP_YAML_U32, AT(link_row, delay), .min = 0, .max = 1e6, .unit = "samples"},
    {.name = ""},
};

static const struct app_yaml_field emitter_fields[] = {
    {.name = "kind", .kind = APP_YAML_TEXT, AT(app_air_emitter, kind), .cap = sizeof((struct app_air_emitter *)0)->kind, .choices = kinds,
     .required = true},
    {.name = "power_dbfs", .kind = APP_YAML_REAL, AT(app_air_emitter, power_dbfs), .min = -200, .max = 20, .unit = "dBFS", .required = true},
    DURATION("start", start_ns, 0, 3.6e12),
    DURATION("stop", stop_ns, 0, 3.6e12),
    DURATION("burst", burst_ns, 1e3, 1e9),
    DURATION("period", period_ns, 1e3, 60e9),
    DURATION("react", react_ns, 1e3, 1e9),
    FREQUENCY("offset", offset_hz, -500e6, 500e6),
    FREQUENCY("bandwidth", bandwidth_hz, 0, 1e9),
    FREQUENCY("sweep_low", sweep_low_hz, -500e6, 500e6),
    FREQUENCY("sweep_high", sweep_high_hz, -500e6, 500e6),
    DURATION("sweep", sweep_ns, 1e3, 60e9),
    DURATION("mean_on", mean_on_ns, 1e3, 60e9),
    DURATION("mean_off", mean_off_ns, 1e3, 60e9),
    {.name = "waveform", .kind = APP_YAML_TEXT, AT(app_air_emitter, waveform), .cap = sizeof((struct app_air_emitter *)0)->waveform,
     .choices = waveforms},
    {.name = "threshold_db", .kind = APP_YAML_REAL, AT(app_air_emitter, threshold_db), .min = 0, .max = 100, .unit = "dB"},
    {.name = ""},
};

static const struct port_row port_defaults = {.noise_dbfs = NAN, .carrier_hz = NAN};
static const struct link_row link_defaults = {.delay = UINT32_MAX, .gain_db = NAN};
static const struct app_air_emitter emitter_defaults = {
    .waveform = "wifi", .burst_ns = 400000, .period_ns = 1000000, .react_ns = 40000, .threshold_db = 8, .sweep_low_hz = NAN,
    .sweep_high_hz = NAN, .sweep_ns = 1000000, .mean_on_ns = 1000000, .mean_off_ns = 1000000};

static const struct app_yaml_field page_fields[] = {
    LIST_OF("ports", ports, n_ports, port_fields, &port_defaults, check_port),
    LIST_OF("links", links, n_links, link_fields, &link_defaults, check_link),
    LIST_OF("emitters", emitters, n_emitters, emitter_fields, &emitter_defaults, check_emitter),
    {.name = ""},
};

int app_air_read_links(const char *path, struct app_air_config *cfg, char *error_out)
{
    struct page page = {.n_ports_there = cfg->n_ports, .rate_hz = cfg->rate_hz};
    int err = app_yaml_read(path, page_fields, NULL, &page, error_out);
    if (err)
        return err;
    for (uint32_t i = 0; i < page.n_ports; i++) {
        const struct port_row *row = &page.ports[i];
        if (!isnan(row->noise_dbfs))
            cfg->noise_dbfs[row->port - 1] = row->noise_dbfs;
        if (!isnan(row->carrier_hz))
            cfg->carrier_hz[row->port - 1] = row->carrier_hz;
    }
    for (uint32_t i = 0; i < page.n_links; i++) {
        const struct link_row *row = &page.links[i];
        struct phy_air_link *link = &cfg->links[row->from - 1][row->to - 1];
        if (!isnan(row->gain_db))
            link->gain_db = (float)row->gain_db;
        if (row->delay != UINT32_MAX)
            link->delay_samples = row->delay;
    }
    cfg->n_emitters = page.n_emitters;
    memcpy(cfg->emitters, page.emitters, sizeof page.emitters);
    return 0;
}
