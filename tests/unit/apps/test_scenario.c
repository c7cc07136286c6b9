#define SUITE_NAME "scenario"
#include "tests/unit/check_main.h"

#include "apps/run/scenario.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];
static struct app_scenario scenario;
static char error[APP_SCENARIO_MAX_ERROR];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/airdeed-scenario-%ld", (long)getpid());
    snprintf(path, sizeof path, "%s/case.yaml", folder);
    mkdir(folder, 0700);
}

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

static int load_text(const char *text)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    error[0] = '\0';
    return app_scenario_load(path, NULL, &scenario, error);
}

static const char minimal[] = "name: small\n"
                              "channels:\n"
                              "  - {name: control, low: 5.18G, high: 5.19G}\n"
                              "  - {name: a, low: 5.19G, high: 5.2G}\n"
                              "control: control\n"
                              "stations:\n"
                              "  - {name: one}\n"
                              "  - {name: two}\n";

/* The minimal scenario with lines added is refused with a message that ends like this. */
static void check_refused(const char *added, const char *field, const char *why)
{
    char text[2048];
    snprintf(text, sizeof text, "%s%s", minimal, added);
    ck_assert_msg(load_text(text) == -EINVAL, "accepted: %s", added);
    ck_assert_msg(strncmp(error, path, strlen(path)) == 0, "no file in: %s", error);
    ck_assert_msg(strstr(error, field) != NULL, "no field %s in: %s", field, error);
    ck_assert_msg(strstr(error, why) != NULL, "not '%s': %s", why, error);
    ck_assert_msg(strchr(error, '\n') == NULL, "more than one line: %s", error);
}

START_TEST(the_embedded_quickstart_loads_by_its_name)
{
    ck_assert_msg(app_scenario_load("quickstart", NULL, &scenario, error) == 0, "%s", error);
    ck_assert_str_eq(scenario.file, "quickstart (embedded)");
    ck_assert_str_eq(scenario.folder, "");
    ck_assert_uint_eq(scenario.n_stations, 4);
    ck_assert_uint_eq(scenario.n_channels, 4);
    ck_assert_str_eq(scenario.stations[1].name, "bravo");
    ck_assert_int_eq(scenario.stations[2].clock_offset_ns, -80000);
    ck_assert_uint_eq(scenario.n_traffic, 1);
    ck_assert_uint_eq(scenario.traffic[0].from, 1);
    ck_assert_uint_eq(scenario.traffic[0].to, 2);
    ck_assert_uint_eq(scenario.traffic[0].n_wanted, 2);
    ck_assert_uint_eq(scenario.traffic[0].wanted[1], 3);
    ck_assert_uint_eq(scenario.n_primaries, 2);
    ck_assert_int_eq(scenario.primaries[1].start_ns, 4000000000);
    ck_assert_uint_eq(scenario.n_jammers, 1);
    ck_assert_int_gt(scenario.jammers[0].react_ns, 0);
    ck_assert_int_eq(scenario.lease.vacate_limit_ns, 600000000);
}
END_TEST

START_TEST(what_is_left_out_has_a_default)
{
    ck_assert_msg(load_text(minimal) == 0, "%s", error);
    ck_assert_str_eq(scenario.folder, folder);
    ck_assert_str_eq(scenario.consensus, "pbft");
    ck_assert_int_eq(scenario.duration_ns, 10000000000);
    ck_assert_uint_eq(scenario.sample_rate_hz, 10000000);
    ck_assert_uint_eq(scenario.n_traffic, 0);
    ck_assert_int_eq(scenario.lease.transmit_expire_ns, 2400000000);
    ck_assert_int_eq(scenario.engine.timeout_max_ns, 1600000000);
    ck_assert_int_eq(scenario.processing.verify_ns, 53000);
}
END_TEST

START_TEST(an_item_that_leaves_fields_out_has_their_defaults)
{
    char text[2048];
    snprintf(text, sizeof text, "%straffic: [{from: two, to: one, wanted: [a]}]\njammers: [{name: j, kind: reactive, channel: control}]\n",
             minimal);
    ck_assert_msg(load_text(text) == 0, "%s", error);
    ck_assert_int_eq(scenario.traffic[0].interval_ns, 20000000);
    ck_assert_uint_eq(scenario.traffic[0].payload_bytes, 400);
    ck_assert_uint_eq(scenario.traffic[0].from, 1);
    ck_assert_int_eq(scenario.jammers[0].burst_ns, 400000);
}
END_TEST

START_TEST(names_that_nobody_has_are_refused)
{
    check_refused("traffic: [{from: three, to: one, wanted: [a]}]\n", "from", "'three': no station has this name");
    check_refused("traffic: [{from: one, to: two, wanted: [b]}]\n", "wanted", "'b': no channel has this name");
    check_refused("jammers: [{name: j, kind: reactive, channel: x}]\n", "channel", "'x': no channel has this name");
    check_refused("jammers: [{name: j, kind: constant, channel: a}]\n", "kind", "reactive");
}
END_TEST

START_TEST(times_that_contradict_each_other_are_refused)
{
    check_refused("traffic: [{from: one, to: two, wanted: [a], start: 2s, stop: 1s}]\n", "stop", "after start");
    check_refused("traffic: [{from: one, to: two, wanted: [a], start: 11s}]\n", "start", "before the end of the run");
    check_refused("jammers: [{name: j, kind: reactive, channel: a, stop: 11s}]\n", "stop", "end of the run");
    check_refused("primaries: [{name: p, recording: p.sigmf-meta, channel: a, start: 3s, stop: 3s}]\n", "stop", "after start");
    check_refused("quiet: {period: 10ms, length: 10ms, phase: 0s}\n", "length", "shorter than period");
    check_refused("quiet: {period: 10ms, length: 4ms, phase: 7ms}\n", "phase", "must not exceed period");
    check_refused("quiet: {length: 900us}\n", "quiet.length", "longer than 2 lease.max_skew");
    check_refused("lease: {heartbeat: 2400ms}\n", "heartbeat", "shorter than transmit_expire");
    check_refused("lease: {stop: 3s}\n", "stop", "not be longer than transmit_expire");
    check_refused("lease: {grant: 1s}\n", "grant", "not be shorter than transmit_expire");
    check_refused("engine: {heartbeat: 500ms}\n", "heartbeat", "shorter than timeout");
    check_refused("engine: {timeout: 2s}\n", "timeout_max", "not be shorter than timeout");
    check_refused("duration: 1s\nsettle: 1s\n", "settle", "shorter than duration");
}
END_TEST

START_TEST(values_out_of_range_are_refused_with_their_unit)
{
    check_refused("duration: 2h\n", "duration", "from 100ms to 1h");
    check_refused("link_snr_db: 90\n", "link_snr_db", "60 dB");
    check_refused("sample_rate: 100M\n", "sample_rate", "from 4M to 40M");
    check_refused("consensus: paxos\n", "consensus", "raft");
    check_refused("quiet: {period: 5}\n", "quiet.period", "duration");
    check_refused("traffic: [{from: one, to: two, wanted: [a], payload_bytes: 0}]\n", "payload_bytes", "16 to 1400 octets");
    check_refused("noise_dbfs: .nan\n", "noise_dbfs", "number");
}
END_TEST

START_TEST(roles_that_cannot_be_are_refused)
{
    check_refused("traffic: [{from: one, to: one, wanted: [a]}]\n", "to", "another station");
    check_refused("traffic: [{from: one, to: two, wanted: [control]}]\n", "wanted", "not leased");
    check_refused("traffic: [{from: one, to: two, wanted: [a, a]}]\n", "wanted", "twice");
    check_refused("primaries: [{name: p, recording: p.sigmf-meta, channel: control}]\n", "channel", "no primary user");
    check_refused("primaries: [{name: p, recording: p.sigmf-meta, channel: a, offset: 6M}]\n", "offset", "within the channel");
    check_refused("sensing: {min_positive: 3}\n", "min_positive", "number of stations, 2");
}
END_TEST

START_TEST(stations_and_channels_are_told_apart)
{
    static const char head[] = "name: x\nchannels: [{name: c, low: 5G, high: 5.01G}]\ncontrol: c\nstations: ";
    char text[512];
    snprintf(text, sizeof text, "%s[{name: one}, {name: one}]\n", head);
    ck_assert_int_eq(load_text(text), -EINVAL);
    ck_assert_msg(strstr(error, "'one' is taken") != NULL, "%s", error);
    snprintf(text, sizeof text, "%s[{name: one}, {name: ../two}]\n", head);
    ck_assert_int_eq(load_text(text), -EINVAL);
    ck_assert_msg(strstr(error, "lower-case") != NULL, "%s", error);
    snprintf(text, sizeof text, "%s[{name: one}, {name: two, clock_offset: 501us}]\n", head);
    ck_assert_int_eq(load_text(text), -EINVAL);
    ck_assert_msg(strstr(error, "further apart than lease.max_skew") != NULL, "%s", error);
    ck_assert_int_eq(load_text("name: x\nchannels: [{name: c, low: 5G, high: 5.01G}, {name: d, low: 5.005G, high: 5.02G}]\n"
                               "control: c\nstations: [{name: a}, {name: b}]\n"),
                     -EINVAL);
    ck_assert_msg(strstr(error, "channel 'd' overlaps channel 'c'") != NULL, "%s", error);
    ck_assert_int_eq(load_text("name: x\nchannels: [{name: c, low: 5G, high: 5.005G}]\ncontrol: c\nstations: [{name: a}, {name: b}]\n"),
                     -EINVAL);
    ck_assert_msg(strstr(error, "sample_rate wide (10000000 Hz), this one is 5000000 Hz") != NULL, "%s", error);
}
END_TEST

START_TEST(what_cannot_hold_together_names_the_line_of_a_field_that_is_given)
{
    check_refused("seed: 1\nquiet:\n  period: 100ms\n  phase: 0s\nsensing:\n  p_fa: 1e-3\n  decide_after: 401ms\n", ":15: field sensing.decide_after",
                  "not be longer than 4 quiet.period");
    check_refused("quiet:\n  phase: 0s\n  period: 10ms\n", ":11: field quiet.period", "sensing.decide_after");
    check_refused("seed: 2\nlease:\n  stop: 20ms\n  max_skew: 3ms\n", ":12: field lease.max_skew", "quiet.length must be longer");
    check_refused("seed: 2\nsettle: 10s\n", ":10: field settle", "shorter than duration");
    check_refused("seed: 9223372036854775808\n", ":9: field seed", "at most 9223372036854775807");
    check_refused("lease: {transmit_expire: 700ms, stop: 20ms, drift_guard: 700ms}\n", ":9: field lease.drift_guard", "shorter than");
    ck_assert_int_eq(load_text("name: x\nchannels: [{name: c, low: 5G, high: 5.01G}]\ncontrol: c\nstations:\n  - {name: one}\n"
                               "  - name: two\n    clock_offset: 501us\n"),
                     -EINVAL);
    ck_assert_msg(strstr(error, ":7: field stations[1].clock_offset") != NULL, "%s", error);
}
END_TEST

START_TEST(a_jammer_is_no_faster_than_a_block_and_no_shorter_than_a_burst_can_be)
{
    check_refused("jammers: [{name: j, kind: reactive, channel: a, react: 7us}]\n", "react", "at least 80 samples, 8us");
    check_refused("sample_rate: 4M\njammers: [{name: j, kind: reactive, channel: a, react: 20us, burst: 3us}]\n", "burst",
                  "at least 16 samples, 4us");
    check_refused("jammers: [{name: j, kind: reactive, channel: a, react: 10ms, burst: 100us}]\n", "react", "60 bursts");
    check_refused("jammers: [{name: j, kind: reactive, channel: a, burst: 1us}]\n", "burst", "from 2us to 100ms");
    check_refused("traffic:\n  - {from: one, to: two, wanted: [a]}\n  - {from: one, to: two, wanted: [a]}\n", ":11: field traffic[1].from",
                  "earlier line of traffic");
}
END_TEST

START_TEST(an_air_that_cannot_be_is_refused)
{
    check_refused("fading: {kind: rayleigh, doppler: 6k}\n", "fading.doppler", "sample_rate / 2000");
    check_refused("fading: {kind: rayleigh, taps: [{delay: 100ns}, {delay: 120ns}]}\n", "fading.taps", "rise by a sample (100ns)");
    check_refused("fading: {kind: fixed, doppler: 10}\n", "fading.doppler", "do not move");
    check_refused("fidelity: packet\nfading: {kind: rayleigh}\n", "fading.kind", "fidelity: iq");
    check_refused("fidelity: packet\nfront_end: {preset: b210}\n", "front_end.preset", "fidelity: iq");
    check_refused("front_end: {adc_bits: 2}\n", "front_end.adc_bits", "4 to 16");
    check_refused("jammers: [{name: j, kind: sweep, channel: a, sweep_low: -6M}]\n", "jammers[0].sweep_low", "within the channel");
    check_refused("jammers: [{name: j, kind: pulse, channel: a, burst: 3ms, period: 1ms}]\n", "jammers[0].period", "shorter than burst");
    check_refused("fidelity: packet\njammers: [{name: j, kind: pilot, channel: a}]\n", "jammers[0].kind", "fidelity: iq");
    check_refused("primaries: [{name: p, channel: a}]\n", "primaries[0]", "must name a .sigmf-meta file");
    check_refused("primaries: [{name: p, kind: radar, channel: a, scan: 100ms}]\n", "primaries[0].scan", "dwell must be given");
    check_refused("primaries: [{name: p, kind: ofdm, channel: a, off: 1s}]\n", "primaries[0].off", "goes with on");
    check_refused("primaries: [{name: p, kind: ofdm, channel: a, on: 1s}]\n", "primaries[0].on", "goes with off");
    check_refused("path_loss: {exponent: 3}\nprimaries: [{name: p, kind: ofdm, channel: a, snr_db: 5}]\n", "primaries[0].snr_db",
                  "power_dbm");
    check_refused("jammers: [{name: j, kind: tone, channel: a, snr_db: 28}]\npath_loss: {exponent: 3}\n", "jammers[0].snr_db", "power_dbm");
    check_refused("jammers: [{name: j, kind: tone, channel: a, period: 2ms}]\n", "jammers[0].period", "goes with kinds pulse");
    check_refused("jammers: [{name: j, kind: noise, channel: a, offset: -4M, bandwidth: 3M}]\n", "jammers[0].offset", "within the channel");
    check_refused("jammers: [{name: one, kind: tone, channel: a}]\n", "jammers[0].name", "of a station");
    check_refused("primaries: [{name: two, kind: ofdm, channel: a}]\n", "primaries[0].name", "of a station");
}
END_TEST

START_TEST(jammers_of_several_channels_name_them_once)
{
    char text[2048];
    snprintf(text, sizeof text, "%sjammers: [{name: j, kind: noise, channels: [a, control]}, {name: k, kind: insider}, {name: l, kind: tone, channel: a}]\n", minimal);
    ck_assert_msg(load_text(text) == 0, "%s", error);
    ck_assert_uint_eq(scenario.jammers[0].n_channels, 2);
    ck_assert_uint_eq(scenario.jammers[0].channels[0], 1);
    ck_assert_uint_eq(scenario.jammers[1].n_channels, 1);
    ck_assert_uint_eq(scenario.jammers[1].channels[0], 0);
    ck_assert_uint_eq(scenario.jammers[2].n_channels, 1);
    check_refused("jammers: [{name: j, kind: noise}]\n", "jammers[0].channel", "missing");
    check_refused("jammers:\n  - name: j\n    kind: noise\n    channels: [a]\n    channel: control\n", ":12: field jammers[0].channels", "either");
    check_refused("jammers: [{name: j, kind: noise, channels: [a, a]}]\n", "jammers[0].channels", "twice");
    check_refused("jammers: [{name: j, kind: noise, channels: [a, b]}]\n", "jammers[0].channels[1]", "no channel has this name");
    check_refused("jammers: [{name: j, kind: noise, channels: []}]\n", "jammers[0].channels", "at least 1");
    check_refused("jammers: [{name: j, kind: reactive, channels: [a, control]}]\n", "jammers[0].channels", "follower");
    check_refused("jammers:\n  - name: j\n    kind: insider\n    channel: a\n", ":12: field jammers[0].channel", "knows which channel");
    check_refused("jammers:\n  - name: j\n    kind: noise\n    channel: a\n    retune: 1ms\n", ":13: field jammers[0].retune", "goes with kind follower");
    check_refused("jammers: [{name: j, kind: follower, channel: a, dwell: 10us}]\n", "jammers[0].dwell", "from 100us to 10s");
    check_refused("jammers: [{name: j, kind: follower, channel: a, react: 7us}]\n", "jammers[0].react", "at least 80 samples");
}
END_TEST

/* Written beside it as base.yaml. */
static void write_base(const char *text)
{
    char base[96];
    snprintf(base, sizeof base, "%s/base.yaml", folder);
    FILE *file = fopen(base, "wb");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%s%s", minimal, text);
    fclose(file);
}

static void check_refused_over_base(const char *text, const char *where, const char *why)
{
    ck_assert_msg(load_text(text) == -EINVAL, "accepted: %s", text);
    ck_assert_msg(strstr(error, where) && strstr(error, why), "not '%s', '%s': %s", where, why, error);
}

START_TEST(a_scenario_may_begin_from_another_one)
{
    write_base("duration: 5s\nlease: {heartbeat: 500ms, stop: 300ms}\njammers: [{name: j, kind: tone, channel: a}, {name: k, kind: tone, channel: a}]\n"
               "traffic: [{from: two, to: one, wanted: [a]}]\n");
    ck_assert_msg(load_text("lease: {stop: 200ms}\njammers: [{name: x, kind: noise, channel: a}]\nname: over\nbase: base.yaml\n") == 0, "%s", error);
    ck_assert_str_eq(scenario.name, "over");
    ck_assert_int_eq(scenario.duration_ns, 5000000000);
    ck_assert_int_eq(scenario.lease.heartbeat_ns, 500000000);
    ck_assert_int_eq(scenario.lease.stop_ns, 200000000);
    ck_assert_uint_eq(scenario.n_jammers, 1); /* lists take the place of the base's */
    ck_assert_str_eq(scenario.jammers[0].kind, "noise");
    ck_assert_uint_eq(scenario.n_traffic, 1);
    ck_assert_str_eq(scenario.file, path);
    check_refused_over_base("base: base.yaml\n", "name", "missing");
    check_refused_over_base("name: x\nbase: nothing.yaml\n", ":2: field base", "nothing.yaml: cannot be opened");
    check_refused_over_base("name: x\nbase: base.yaml\nchannels: [{name: c, low: 5.18G, high: 5.19G}]\n", ":3: field channels[0]", "are the base's");
    check_refused_over_base("name: x\nbase: base.yaml\nstations: [{name: c}, {name: d}]\n", ":3: field stations[0]", "are the base's");
    check_refused_over_base("name: x\nbase: base.yaml\ncontrol: a\n", ":3: field control", "are the base's");
    check_refused_over_base("name: x\nbase: base.yaml\njammers: [{name: y, kind: noise, channel: z}]\n", ":3: field jammers[0].channel", "no channel");
    check_refused_over_base("name: x\nbase: base.yaml\nhop: {channels: [a]}\n", ":3: field hop.channels", "wanted by traffic");
    check_refused_over_base("name: x\nbase: base.yaml\nsettle: 5s\n", ":3: field settle", "shorter than duration");
    write_base("duration: 1\n");
    check_refused_over_base("name: x\nbase: base.yaml\n", "base.yaml:9: field duration", "duration");
    write_base("base: quickstart\n");
    check_refused_over_base("name: x\nbase: base.yaml\n", "base.yaml:9: field base", "no base of its own");
    char base[96];
    snprintf(base, sizeof base, "%s/base.yaml", folder);
    unlink(base);
}
END_TEST

START_TEST(each_jamming_scenario_differs_from_the_one_without_a_jammer_by_its_jammer)
{
    static const char *const kinds[] = {"noise",    "tone",  "sweep",     "pulse",    "random", "reactive",
                                        "preamble", "pilot", "deceptive", "follower", "insider"};
    static struct app_scenario none;
    ck_assert_msg(app_scenario_load("jamming-none", NULL, &none, error) == 0, "%s", error);
    ck_assert_uint_eq(none.n_jammers, 0);
    ck_assert_uint_eq(none.hop.n_channels, 3);
    ck_assert(none.responses.hop && none.responses.rate && none.responses.slots && none.responses.timers && none.responses.migrate);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char name[64];
        snprintf(name, sizeof name, "jamming-%s", kinds[i]);
        ck_assert_msg(app_scenario_load(name, NULL, &scenario, error) == 0, "%s", error);
        ck_assert_str_eq(scenario.name, name);
        ck_assert_uint_eq(scenario.n_jammers, 1);
        ck_assert_str_eq(scenario.jammers[0].kind, kinds[i]);
        ck_assert_int_eq(scenario.jammers[0].start_ns, 1500000000);
        ck_assert_int_eq(scenario.jammers[0].stop_ns, 5500000000);
        ck_assert_int_eq(scenario.duration_ns, none.duration_ns);
        ck_assert_uint_eq(scenario.jammers[0].n_channels, i < 9 ? 1 : 4);
        ck_assert_mem_eq(scenario.stations, none.stations, sizeof none.stations);
        ck_assert_mem_eq(&scenario.traffic, &none.traffic, sizeof none.traffic);
        ck_assert_mem_eq(&scenario.engine, &none.engine, sizeof none.engine);
    }
}
END_TEST

START_TEST(a_misspelt_field_is_named_with_its_line)
{
    check_refused("lease: {heartbeet: 1s}\n", "heartbeet", ":9:");
    check_refused("sed: 4\n", "sed", "seed");
}
END_TEST

START_TEST(a_file_that_is_not_there_says_what_there_is)
{
    ck_assert_int_eq(app_scenario_load("quickstrt", NULL, &scenario, error), -ENOENT);
    ck_assert_msg(strstr(error, "embedded are access-comparison, fading, jamming-deceptive, ") != NULL, "%s", error);
    ck_assert_msg(strstr(error, ", jamming-tone, quickstart") != NULL, "%s", error);
    ck_assert_int_eq(app_scenario_load("/nowhere/x.yaml", NULL, &scenario, error), -ENOENT);
    ck_assert_msg(strstr(error, "/nowhere/x.yaml") != NULL, "%s", error);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *t = tcase_create("scenario");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, the_embedded_quickstart_loads_by_its_name);
    tcase_add_test(t, what_is_left_out_has_a_default);
    tcase_add_test(t, an_item_that_leaves_fields_out_has_their_defaults);
    tcase_add_test(t, names_that_nobody_has_are_refused);
    tcase_add_test(t, times_that_contradict_each_other_are_refused);
    tcase_add_test(t, values_out_of_range_are_refused_with_their_unit);
    tcase_add_test(t, roles_that_cannot_be_are_refused);
    tcase_add_test(t, stations_and_channels_are_told_apart);
    tcase_add_test(t, what_cannot_hold_together_names_the_line_of_a_field_that_is_given);
    tcase_add_test(t, a_jammer_is_no_faster_than_a_block_and_no_shorter_than_a_burst_can_be);
    tcase_add_test(t, an_air_that_cannot_be_is_refused);
    tcase_add_test(t, jammers_of_several_channels_name_them_once);
    tcase_add_test(t, a_scenario_may_begin_from_another_one);
    tcase_add_test(t, each_jamming_scenario_differs_from_the_one_without_a_jammer_by_its_jammer);
    tcase_add_test(t, a_misspelt_field_is_named_with_its_line);
    tcase_add_test(t, a_file_that_is_not_there_says_what_there_is);
    suite_add_tcase(suite, t);
}
