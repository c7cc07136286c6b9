/* The table of a scenario's fields: names, units, ranges, defaults. docs/scenario.md says the same in words. */
#include "apps/run/scenario_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define US 1e3
#define MS 1e6
#define SECOND 1e9
#define HOUR 3600e9

static int find_station(void *root, void *value, const char *text, char *why_out)
{
    const struct app_scenario *s = root;
    for (uint32_t i = 0; i < s->n_stations; i++)
        if (strcmp(s->stations[i].name, text) == 0) {
            *(uint32_t *)value = i;
            return 0;
        }
    snprintf(why_out, APP_YAML_MAX_WHY, "no station has this name");
    return -EINVAL;
}

static int find_channel(void *root, void *value, const char *text, char *why_out)
{
    const struct app_scenario *s = root;
    for (uint32_t i = 0; i < s->n_channels; i++)
        if (strcmp(s->channels[i].name, text) == 0) {
            *(uint32_t *)value = i;
            return 0;
        }
    snprintf(why_out, APP_YAML_MAX_WHY, "no channel has this name");
    return -EINVAL;
}

static int find_control(void *root, void *value, const char *text, char *why_out)
{
    const struct app_scenario *s = root;
    if (!s->has_base)
        return find_channel(root, value, text, why_out);
    snprintf(why_out, APP_YAML_MAX_WHY, "%s", app_scenario_base_rule);
    return -EINVAL;
}

static const char *const engines[] = {"pbft", "raft", NULL};
static const char *const fidelities[] = {"iq", "packet", NULL};
static const char *const waveforms[] = {"wifi", "flex", NULL};
static const char *const jammer_kinds[] = {"tone",     "noise",    "pulse", "sweep",     "random",
                                           "reactive", "preamble", "pilot", "deceptive", "follower", "insider",
                                           NULL};
static const char *const primary_kinds[] = {"recording", "ofdm", "narrowband", "radar", NULL};
static const char *const fading_kinds[] = {"none", "fixed", "rayleigh", "rician", NULL};
static const char *const fading_changes[] = {"run", "frame", NULL};
static const char *const front_ends[] = {"ideal", "b210", NULL};
static const char *const clock_words[] = {"exact", "drift", NULL};

/* The tables below use few words: a row is name, kind, place, and what else matters to that kind. */
#define AT(type, member) .offset = offsetof(struct type, member)
#define SIZE_OF(type, member) .cap = sizeof((struct type *)0)->member
#define WORD(field, type, member, words) \
    {.name = field, .kind = APP_YAML_TEXT, AT(type, member), SIZE_OF(type, member), .choices = (words)}
#define NUMBER(field, type, member, low, high, unit_) \
    {.name = field, .kind = APP_YAML_REAL, AT(type, member), .min = (low), .max = (high), .unit = (unit_)}
#define FREQUENCY(field, type, member, low, high) \
    {.name = field, .kind = APP_YAML_FREQ_HZ, AT(type, member), .min = (low), .max = (high)}
#define PLACE(type) \
    NUMBER("x_m", type, x_m, -100e3, 100e3, "m"), NUMBER("y_m", type, y_m, -100e3, 100e3, "m"), \
        NUMBER("power_dbm", type, power_dbm, -100, 100, "dBm")
#define DURATION(field, type, member, low, high) \
    {.name = field, .kind = APP_YAML_DURATION_NS, AT(type, member), .min = (low), .max = (high)}

static const struct app_yaml_field channel_fields[] = {
    {.name = "name", .kind = APP_YAML_TEXT, AT(app_scenario_channel, name), SIZE_OF(app_scenario_channel, name), .required = true},
    {.name = "low", .kind = APP_YAML_FREQ_HZ, AT(app_scenario_channel, low_hz), .min = 1e6, .max = 100e9, .required = true},
    {.name = "high", .kind = APP_YAML_FREQ_HZ, AT(app_scenario_channel, high_hz), .min = 1e6, .max = 100e9, .required = true},
    {.name = ""},
};

static const struct app_yaml_field station_fields[] = {
    {.name = "name", .kind = APP_YAML_TEXT, AT(app_scenario_station, name), SIZE_OF(app_scenario_station, name), .required = true},
    {.name = "x_m", .kind = APP_YAML_REAL, AT(app_scenario_station, x_m), .min = -100e3, .max = 100e3, .unit = "m"},
    {.name = "y_m", .kind = APP_YAML_REAL, AT(app_scenario_station, y_m), .min = -100e3, .max = 100e3, .unit = "m"},
    {.name = "carrier_ppm", .kind = APP_YAML_REAL, AT(app_scenario_station, carrier_ppm), .min = -50, .max = 50, .unit = "ppm"},
    DURATION("clock_offset", app_scenario_station, clock_offset_ns, -SECOND, SECOND),
    {.name = "copies", .kind = APP_YAML_TEXT, AT(app_scenario_station, copies), SIZE_OF(app_scenario_station, copies)},
    {.name = ""},
};

static const struct app_yaml_field hop_fields[] = {
    {.name = "channels", .kind = APP_YAML_LIST, AT(app_scenario, hop.channels), .item = APP_YAML_PARSED, .parse = find_channel,
     .stride = sizeof(uint32_t), .cap = APP_MAX_CHANNELS, .min_items = 1, .count_offset = offsetof(struct app_scenario, hop.n_channels),
     .required = true, .required_unless = offsetof(struct app_scenario, has_base)},
    DURATION("dwell", app_scenario, hop.dwell_ns, 10 * MS, 60 * SECOND),
    {.name = "rendezvous_every", .kind = APP_YAML_U32, AT(app_scenario, hop.rendezvous_every), .min = 2, .max = 1000, .unit = "slots"},
    DURATION("hold_off", app_scenario, hop.hold_off_ns, 2 * SECOND, HOUR),
    DURATION("retune", app_scenario, hop.retune_ns, 0, SECOND),
    {.name = ""},
};

static const struct app_yaml_field traffic_fields[] = {
    {.name = "from", .kind = APP_YAML_PARSED, AT(app_scenario_traffic, from), .parse = find_station, .required = true},
    {.name = "to", .kind = APP_YAML_PARSED, AT(app_scenario_traffic, to), .parse = find_station, .required = true},
    {.name = "wanted", .kind = APP_YAML_LIST, AT(app_scenario_traffic, wanted), .item = APP_YAML_PARSED, .parse = find_channel,
     .stride = sizeof(uint32_t), .cap = APP_MAX_CHANNELS, .min_items = 1,
     .count_offset = offsetof(struct app_scenario_traffic, n_wanted), .required = true},
    DURATION("start", app_scenario_traffic, start_ns, 0, HOUR),
    DURATION("stop", app_scenario_traffic, stop_ns, 0, HOUR),
    DURATION("interval", app_scenario_traffic, interval_ns, 100 * US, 60 * SECOND),
    {.name = "payload_bytes", .kind = APP_YAML_U32, AT(app_scenario_traffic, payload_bytes), .min = 16, .max = 1400, .unit = "octets"},
    {.name = ""},
};

static const struct app_yaml_field primary_fields[] = {
    {.name = "name", .kind = APP_YAML_TEXT, AT(app_scenario_primary, name), SIZE_OF(app_scenario_primary, name), .required = true},
    WORD("kind", app_scenario_primary, kind, primary_kinds),
    {.name = "recording", .kind = APP_YAML_TEXT, AT(app_scenario_primary, recording), SIZE_OF(app_scenario_primary, recording),
     .line_offset = offsetof(struct app_scenario_primary, recording_line)},
    {.name = "channel", .kind = APP_YAML_PARSED, AT(app_scenario_primary, channel), .parse = find_channel, .required = true},
    DURATION("start", app_scenario_primary, start_ns, 0, HOUR),
    DURATION("stop", app_scenario_primary, stop_ns, 0, HOUR),
    {.name = "snr_db", .kind = APP_YAML_REAL, AT(app_scenario_primary, snr_db), .min = -30, .max = 60, .unit = "dB",
     .line_offset = offsetof(struct app_scenario_primary, snr_line)},
    {.name = "offset", .kind = APP_YAML_FREQ_HZ, AT(app_scenario_primary, offset_hz), .min = -100e6, .max = 100e6},
    FREQUENCY("bandwidth", app_scenario_primary, bandwidth_hz, 0, 100e6),
    DURATION("pulse", app_scenario_primary, pulse_ns, 100, MS),
    DURATION("period", app_scenario_primary, period_ns, US, 100 * MS),
    DURATION("scan", app_scenario_primary, scan_ns, 0, SECOND),
    DURATION("dwell", app_scenario_primary, dwell_ns, 0, SECOND),
    DURATION("on", app_scenario_primary, on_ns, 0, HOUR),
    DURATION("off", app_scenario_primary, off_ns, 0, HOUR),
    PLACE(app_scenario_primary),
    {.name = ""},
};

static const struct app_yaml_field jammer_fields[] = {
    {.name = "name", .kind = APP_YAML_TEXT, AT(app_scenario_jammer, name), SIZE_OF(app_scenario_jammer, name), .required = true},
    {.name = "kind", .kind = APP_YAML_TEXT, AT(app_scenario_jammer, kind), SIZE_OF(app_scenario_jammer, kind), .choices = jammer_kinds,
     .required = true},
    {.name = "channel", .kind = APP_YAML_PARSED, AT(app_scenario_jammer, channels), .parse = find_channel,
     .line_offset = offsetof(struct app_scenario_jammer, channel_line)},
    {.name = "channels", .kind = APP_YAML_LIST, AT(app_scenario_jammer, channels), .item = APP_YAML_PARSED, .parse = find_channel,
     .stride = sizeof(uint32_t), .cap = APP_MAX_CHANNELS, .min_items = 1, .count_offset = offsetof(struct app_scenario_jammer, n_channels),
     .line_offset = offsetof(struct app_scenario_jammer, channels_line)},
    DURATION("start", app_scenario_jammer, start_ns, 0, HOUR),
    DURATION("stop", app_scenario_jammer, stop_ns, 0, HOUR),
    {.name = "snr_db", .kind = APP_YAML_REAL, AT(app_scenario_jammer, snr_db), .min = -30, .max = 60, .unit = "dB",
     .line_offset = offsetof(struct app_scenario_jammer, snr_line)},
    DURATION("react", app_scenario_jammer, react_ns, 2 * US, 10 * MS),
    DURATION("burst", app_scenario_jammer, burst_ns, 2 * US, 100 * MS),
    {.name = "period", .kind = APP_YAML_DURATION_NS, AT(app_scenario_jammer, period_ns), .min = 10 * US, .max = 10 * SECOND,
     .line_offset = offsetof(struct app_scenario_jammer, period_line)},
    FREQUENCY("offset", app_scenario_jammer, offset_hz, -100e6, 100e6),
    FREQUENCY("bandwidth", app_scenario_jammer, bandwidth_hz, 0, 100e6),
    FREQUENCY("sweep_low", app_scenario_jammer, sweep_low_hz, -100e6, 100e6),
    FREQUENCY("sweep_high", app_scenario_jammer, sweep_high_hz, -100e6, 100e6),
    DURATION("sweep", app_scenario_jammer, sweep_ns, 2 * US, 10 * SECOND),
    DURATION("mean_on", app_scenario_jammer, mean_on_ns, 10 * US, 10 * SECOND),
    DURATION("mean_off", app_scenario_jammer, mean_off_ns, 10 * US, 10 * SECOND),
    {.name = "dwell", .kind = APP_YAML_DURATION_NS, AT(app_scenario_jammer, dwell_ns), .min = 100 * US, .max = 10 * SECOND,
     .line_offset = offsetof(struct app_scenario_jammer, dwell_line)},
    {.name = "retune", .kind = APP_YAML_DURATION_NS, AT(app_scenario_jammer, retune_ns), .min = 0, .max = SECOND,
     .line_offset = offsetof(struct app_scenario_jammer, retune_line)},
    PLACE(app_scenario_jammer),
    {.name = ""},
};

static const struct app_yaml_field path_loss_fields[] = {
    NUMBER("exponent", app_scenario, path_loss.exponent, 0, 6, NULL),
    NUMBER("reference_m", app_scenario, path_loss.reference_m, 0.1, 1000, "m"),
    NUMBER("shadowing_db", app_scenario, path_loss.shadowing_db, 0, 20, "dB"),
    NUMBER("power_dbm", app_scenario, path_loss.power_dbm, -100, 100, "dBm"),
    NUMBER("noise_figure_db", app_scenario, path_loss.noise_figure_db, 0, 40, "dB"),
    {.name = ""},
};

static const struct app_yaml_field tap_fields[] = {
    DURATION("delay", app_scenario_tap, delay_ns, 0, 25 * US),
    NUMBER("power_db", app_scenario_tap, power_db, -60, 0, "dB"),
    {.name = ""},
};

static const struct app_yaml_field fading_fields[] = {
    WORD("kind", app_scenario, fading.kind, fading_kinds),
    WORD("change", app_scenario, fading.change, fading_changes),
    NUMBER("k_db", app_scenario, fading.k_db, -40, 60, "dB"),
    FREQUENCY("doppler", app_scenario, fading.doppler_hz, 0, 20e3),
    DURATION("rms_spread", app_scenario, fading.rms_spread_ns, 0, 10 * US),
    {.name = "taps", .kind = APP_YAML_LIST, AT(app_scenario, fading.taps), .item = APP_YAML_MAP, .stride = sizeof(struct app_scenario_tap),
     .cap = APP_MAX_TAPS, .count_offset = offsetof(struct app_scenario, fading.n_taps), .fields = tap_fields},
    {.name = ""},
};

static const struct app_yaml_field front_end_fields[] = {
    WORD("preset", app_scenario, front_end.preset, front_ends),
    {.name = "adc_bits", .kind = APP_YAML_U32, AT(app_scenario, front_end.adc_bits), .min = 0, .max = 16, .unit = "bits"},
    NUMBER("ppm", app_scenario, front_end.ppm, 0, 50, "ppm"),
    WORD("clocks", app_scenario, front_end.clocks, clock_words),
    {.name = ""},
};

static const char *const accesses[] = {"dcf", "aloha", "slotted-aloha", NULL};
static const char *const rate_words[] = {"fixed", "auto", NULL};

static const struct app_yaml_field mac_fields[] = {
    {.name = "profile", .kind = APP_YAML_TEXT, AT(app_scenario, mac.profile), SIZE_OF(app_scenario, mac.profile)},
    WORD("access", app_scenario, mac.access, accesses),
    WORD("rate", app_scenario, mac.rate, rate_words),
    {.name = "rts_threshold", .kind = APP_YAML_U32, AT(app_scenario, mac.rts_threshold), .min = 0, .max = MAC_MAX_MPDU_BYTES, .unit = "octets"},
    {.name = "cts_to_self", .kind = APP_YAML_BOOL, AT(app_scenario, mac.cts_to_self)},
    {.name = "vote_slots", .kind = APP_YAML_BOOL, AT(app_scenario, mac.vote_slots)},
    {.name = "repair", .kind = APP_YAML_BOOL, AT(app_scenario, mac.repair)},
    DURATION("aloha_slot", app_scenario, mac.aloha_slot_ns, 100 * US, SECOND),
    {.name = "aloha_one_in", .kind = APP_YAML_U32, AT(app_scenario, mac.aloha_one_in), .min = 1, .max = 1000},
    {.name = ""},
};

static const struct app_yaml_field quiet_fields[] = {
    DURATION("period", app_scenario, quiet.period_ns, 10 * MS, 60 * SECOND),
    DURATION("length", app_scenario, quiet.length_ns, 100 * US, SECOND),
    DURATION("phase", app_scenario, quiet.phase_ns, 0, 60 * SECOND),
    {.name = ""},
};

static const struct app_yaml_field sensing_fields[] = {
    {.name = "p_fa", .kind = APP_YAML_REAL, AT(app_scenario, sensing.p_fa), .min = 1e-9, .max = 0.5},
    {.name = "min_positive", .kind = APP_YAML_U32, AT(app_scenario, sensing.min_positive), .min = 1, .max = APP_MAX_STATIONS,
     .unit = "stations"},
    {.name = "white_after", .kind = APP_YAML_U32, AT(app_scenario, sensing.white_after), .min = 0, .max = 100, .unit = "windows"},
    {.name = "plain", .kind = APP_YAML_BOOL, AT(app_scenario, sensing.plain)},
    DURATION("decide_after", app_scenario, sensing.decide_after_ns, MS, 60 * SECOND),
    {.name = ""},
};

static const struct app_yaml_field lease_fields[] = {
    DURATION("transmit_expire", app_scenario, lease.transmit_expire_ns, 10 * MS, 240 * SECOND),
    DURATION("heartbeat", app_scenario, lease.heartbeat_ns, 10 * MS, 240 * SECOND),
    DURATION("stop", app_scenario, lease.stop_ns, MS, 60 * SECOND),
    DURATION("grant", app_scenario, lease.grant_ns, 10 * MS, 24 * HOUR),
    DURATION("max_skew", app_scenario, lease.max_skew_ns, 0, SECOND),
    DURATION("drift_guard", app_scenario, lease.drift_guard_ns, 0, SECOND),
    DURATION("vacate_limit", app_scenario, lease.vacate_limit_ns, MS, 60 * SECOND),
    {.name = "max_eirp_dbm_mhz", .kind = APP_YAML_REAL, AT(app_scenario, lease.max_eirp_dbm_mhz), .min = -137, .max = 37,
     .unit = "dBm/MHz"},
    {.name = "abandon", .kind = APP_YAML_DURATION_NS, AT(app_scenario, lease.abandon_ns), .min = 0, .max = 24 * HOUR,
     .line_offset = offsetof(struct app_scenario, lease.abandon_line)},
    {.name = "reuse", .kind = APP_YAML_U32, AT(app_scenario, lease.reuse_m), .min = 0, .max = 200e3, .unit = "m"},
    {.name = ""},
};

static const struct app_yaml_field processing_fields[] = {
    DURATION("verify", app_scenario, processing.verify_ns, 0, SECOND),
    DURATION("sign", app_scenario, processing.sign_ns, 0, SECOND),
    DURATION("execute", app_scenario, processing.execute_ns, 0, SECOND),
    DURATION("persist", app_scenario, processing.persist_ns, 0, SECOND),
    {.name = ""},
};

static const struct app_yaml_field engine_fields[] = {
    DURATION("heartbeat", app_scenario, engine.heartbeat_ns, MS, 60 * SECOND),
    DURATION("timeout", app_scenario, engine.timeout_ns, MS, 60 * SECOND),
    DURATION("timeout_max", app_scenario, engine.timeout_max_ns, MS, 600 * SECOND),
    DURATION("gossip", app_scenario, engine.gossip_ns, MS, 60 * SECOND),
    DURATION("status", app_scenario, engine.status_ns, MS, 60 * SECOND),
    DURATION("propose_delay", app_scenario, engine.propose_delay_ns, 0, SECOND),
    DURATION("min_block_interval", app_scenario, engine.min_block_interval_ns, 0, 60 * SECOND),
    {.name = ""},
};

static const struct app_yaml_field response_fields[] = {
    {.name = "hop", .kind = APP_YAML_BOOL, AT(app_scenario, responses.hop)},
    {.name = "rate", .kind = APP_YAML_BOOL, AT(app_scenario, responses.rate)},
    {.name = "slots", .kind = APP_YAML_BOOL, AT(app_scenario, responses.slots)},
    {.name = "timers", .kind = APP_YAML_BOOL, AT(app_scenario, responses.timers)},
    {.name = "migrate", .kind = APP_YAML_BOOL, AT(app_scenario, responses.migrate)},
    {.name = ""},
};

static const struct app_scenario_traffic traffic_defaults = {.interval_ns = 20000000, .payload_bytes = 400};
static const struct app_scenario_primary primary_defaults = {
    .kind = "recording", .snr_db = 15, .pulse_ns = 1000, .period_ns = 1000000, .power_dbm = 30};
static const struct app_scenario_jammer jammer_defaults = {
    .snr_db = 28, .react_ns = 40000, .burst_ns = 400000, .period_ns = 2000000, .sweep_low_hz = -4e6, .sweep_high_hz = 4e6,
    .sweep_ns = 100000, .mean_on_ns = 1000000, .mean_off_ns = 1000000, .dwell_ns = 20000000, .retune_ns = 100000, .power_dbm = 20};

/* Names come before what refers to them: channels and stations first. */
#define LIST_OF(field, type, member, count, fields_, defaults_, check_, most, fewest) \
    {.name = field, .kind = APP_YAML_LIST, AT(app_scenario, member), .item = APP_YAML_MAP, .stride = sizeof(struct type), \
     .cap = (most), .min_items = (fewest), .count_offset = offsetof(struct app_scenario, count), .fields = (fields_), \
     .item_defaults = (defaults_), .check = (check_), .required = (fewest) > 0, \
     .required_unless = offsetof(struct app_scenario, has_base)}
/* The offsets of a map's rows count from the struct of its table; these maps lie in struct app_scenario itself. */
#define MAP_OF(field, fields_, check_) {.name = field, .kind = APP_YAML_MAP, .offset = 0, .fields = (fields_), .check = (check_)}
/* As the cluster file of ledger nodes has them. */
#define RULES_OF(field, fields_, check_) {.name = field, .kind = APP_YAML_MAP, AT(app_scenario, rules), .fields = (fields_), .check = (check_)}

const struct app_yaml_field app_scenario_fields[] = {
    {.name = "base", .kind = APP_YAML_PARSED, AT(app_scenario, has_base), .parse = app_scenario_read_base},
    {.name = "name", .kind = APP_YAML_TEXT, AT(app_scenario, name), SIZE_OF(app_scenario, name), .required = true},
    {.name = "seed", .kind = APP_YAML_U64, AT(app_scenario, seed)},
    DURATION("duration", app_scenario, duration_ns, 100 * MS, HOUR),
    DURATION("settle", app_scenario, settle_ns, 0, 60 * SECOND),
    {.name = "consensus", .kind = APP_YAML_TEXT, AT(app_scenario, consensus), SIZE_OF(app_scenario, consensus), .choices = engines},
    {.name = "waveform", .kind = APP_YAML_TEXT, AT(app_scenario, waveform), SIZE_OF(app_scenario, waveform), .choices = waveforms},
    {.name = "fidelity", .kind = APP_YAML_TEXT, AT(app_scenario, fidelity), SIZE_OF(app_scenario, fidelity), .choices = fidelities},
    {.name = "tables", .kind = APP_YAML_TEXT, AT(app_scenario, tables), SIZE_OF(app_scenario, tables)},
    {.name = "sample_rate", .kind = APP_YAML_FREQ_U32_HZ, AT(app_scenario, sample_rate_hz), .min = 4e6, .max = 40e6},
    {.name = "noise_dbfs", .kind = APP_YAML_REAL, AT(app_scenario, noise_dbfs), .min = -120, .max = -10, .unit = "dBFS"},
    {.name = "link_snr_db", .kind = APP_YAML_REAL, AT(app_scenario, link_snr_db), .min = -10, .max = 60, .unit = "dB"},
    LIST_OF("channels", app_scenario_channel, channels, n_channels, channel_fields, NULL, app_scenario_check_channel,
            APP_MAX_CHANNELS, 1),
    {.name = "control", .kind = APP_YAML_PARSED, AT(app_scenario, control_channel), .parse = find_control, .required = true,
     .required_unless = offsetof(struct app_scenario, has_base)},
    LIST_OF("stations", app_scenario_station, stations, n_stations, station_fields, NULL, app_scenario_check_station,
            APP_MAX_STATIONS, 2),
    MAP_OF("hop", hop_fields, app_scenario_check_hop),
    LIST_OF("traffic", app_scenario_traffic, traffic, n_traffic, traffic_fields, &traffic_defaults, app_scenario_check_traffic,
            APP_MAX_TRAFFIC, 0),
    MAP_OF("path_loss", path_loss_fields, NULL), /* before those whose level it sets */
    LIST_OF("primaries", app_scenario_primary, primaries, n_primaries, primary_fields, &primary_defaults, app_scenario_check_primary,
            APP_MAX_PRIMARIES, 0),
    LIST_OF("jammers", app_scenario_jammer, jammers, n_jammers, jammer_fields, &jammer_defaults, app_scenario_check_jammer,
            APP_MAX_JAMMERS, 0),
    MAP_OF("fading", fading_fields, app_scenario_check_fading),
    MAP_OF("front_end", front_end_fields, app_scenario_check_front_end),
    MAP_OF("mac", mac_fields, app_scenario_check_mac),
    MAP_OF("quiet", quiet_fields, app_scenario_check_quiet),
    MAP_OF("sensing", sensing_fields, NULL),
    MAP_OF("lease", lease_fields, app_scenario_check_lease),
    RULES_OF("admission", app_genesis_admission_fields, NULL),
    RULES_OF("access", app_genesis_access_fields, app_genesis_check_access),
    RULES_OF("units", app_genesis_unit_fields, app_genesis_check_units),
    MAP_OF("processing", processing_fields, NULL),
    MAP_OF("engine", engine_fields, app_scenario_check_engine),
    MAP_OF("responses", response_fields, NULL),
    {.name = ""},
};

const struct app_scenario app_scenario_defaults = {
    .seed = 1,
    .duration_ns = 10000000000,
    .settle_ns = 500000000,
    .consensus = "pbft",
    .waveform = "wifi",
    .fidelity = "iq",
    .sample_rate_hz = 10000000,
    .noise_dbfs = -60,
    .link_snr_db = 20,
    .path_loss = {.reference_m = 1, .power_dbm = 10, .noise_figure_db = 8},
    .fading = {.kind = "none", .change = "run", .k_db = 6},
    .front_end = {.preset = "ideal", .clocks = "exact"},
    .mac = {.profile = "dot11-10", .access = "dcf", .rate = "fixed", .rts_threshold = MAC_MAX_MPDU_BYTES, .aloha_slot_ns = 5000000,
            .aloha_one_in = 4},
    .hop = {.dwell_ns = 50000000, .rendezvous_every = 8, .hold_off_ns = 5000000000, .retune_ns = 200000},
    .quiet = {.period_ns = 200000000, .length_ns = 4000000, .phase_ns = 100000000},
    .sensing = {.p_fa = 1e-4, .min_positive = 2, .white_after = 2, .decide_after_ns = 150000000},
    .lease = {.transmit_expire_ns = 2400000000, .heartbeat_ns = 600000000, .stop_ns = 600000000, .grant_ns = 60000000000,
              .max_skew_ns = 500000, .drift_guard_ns = 1000000, .vacate_limit_ns = 600000000, .max_eirp_dbm_mhz = 10},
    /* Ed25519 at 18.8 k verifications and 49.7 k signatures a core-second; a durable SQLite commit of .22 ms */
    .processing = {.verify_ns = 53000, .sign_ns = 20000, .execute_ns = 100000, .persist_ns = 220000},
    .engine = {.heartbeat_ns = 45000000, .timeout_ns = 400000000, .timeout_max_ns = 1600000000, .gossip_ns = 60000000,
               .status_ns = 100000000, .propose_delay_ns = 8000000, .min_block_interval_ns = 20000000},
};
