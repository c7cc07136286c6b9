/* airdeed modulate: frames as a SigMF recording, and as JSON Lines what was written. */
#include "apps/modulate.h"
#include "apps/options.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct modulate_options {
    const char *waveform, *psdu_hex, *out, *datatype;
    uint64_t n_random, length, seed, scrambler, window;
    double rate_mbps, sample_rate_hz, level_dbfs, snr_db, es_n0_db, cfo_hz, ppm;
    int64_t gap_ns;
    bool append_fcs, json;
    bool rate_given, random_given, length_given, scrambler_given, window_given;
};

static int refuse(const char *why)
{
    fprintf(stderr, "airdeed modulate: %s\n", why);
    return APP_BAD_USAGE;
}

static int parse_options(int argc, char **argv, struct modulate_options *o, int *exit_out)
{
    *o = (struct modulate_options){.waveform = "wifi", .datatype = "ci16_le", .length = 100, .seed = 1, .window = 1, .sample_rate_hz = 20e6,
                                   .level_dbfs = -15, .snr_db = NAN, .es_n0_db = NAN, .gap_ns = 50000};
    const struct app_option options[] = {
        {"waveform", APP_TEXT, &o->waveform, "NAME", "wifi (IEEE 802.11 OFDM) or flex (default wifi)", 0, 0, NULL},
        {"rate", APP_REAL, &o->rate_mbps, "MBPS", "at the sample rate: wifi at 20M has 6 to 54, at 10M 3 to 27", 1e-6, 10000, &o->rate_given},
        {"psdu-hex", APP_TEXT, &o->psdu_hex, "HEX", "one frame of these octets, FCS included as it stands", 0, 0, NULL},
        {"append-fcs", APP_FLAG, &o->append_fcs, NULL, "the octets of --psdu-hex lack their FCS: append it", 0, 0, NULL},
        {"random", APP_U64, &o->n_random, "FRAMES", "so many frames of random octets and a good FCS instead", 1, APP_MODULATE_MAX_FRAMES, &o->random_given},
        {"length", APP_U64, &o->length, "OCTETS", "of a random PSDU, FCS included (default 100)", 5, PHY_WIFI_MAX_PSDU, &o->length_given},
        {"seed", APP_U64, &o->seed, "N", "random octets and noise follow from it (default 1)", 0, 0, NULL},
        {"out", APP_TEXT, &o->out, "NAME", "writes NAME.sigmf-meta and NAME.sigmf-data", 0, 0, NULL},
        {"datatype", APP_TEXT, &o->datatype, "TYPE", "ci16_le or cf32_le (default ci16_le)", 0, 0, NULL},
        {"sample-rate", APP_FREQ_HZ, &o->sample_rate_hz, "HZ", "clock of waveform and recording (default 20M)", 1e3, 1e9, NULL},
        {"level", APP_REAL, &o->level_dbfs, "DBFS", "mean power of the frames (default -15)", -120, 20, NULL},
        {"gap", APP_DURATION_NS, &o->gap_ns, "TIME", "before, between and behind the frames (default 50us)", 0, 1e10, NULL},
        {"snr", APP_REAL, &o->snr_db, "DB", "adds noise: mean power over noise in the full sample rate", -60, 120, NULL},
        {"es-n0", APP_REAL, &o->es_n0_db, "DB", "adds noise: wifi, per occupied subcarrier (.9 dB above --snr)", -60, 120, NULL},
        {"cfo", APP_FREQ_HZ, &o->cfo_hz, "HZ", "carrier offset (default 0)", -1e9, 1e9, NULL},
        {"clock-offset", APP_REAL, &o->ppm, "PPM", "the sender's sample clock runs faster by that (default 0)", -1000, 1000, NULL},
        {"scrambler", APP_U64, &o->scrambler, "STATE", "wifi: at first, X1 its lowest bit (default: follows the octets)", 1, 127, &o->scrambler_given},
        {"window", APP_U64, &o->window, "SAMPLES", "wifi: symbols overlap by that (default 1)", 0, PHY_WIFI_MAX_WINDOW, &o->window_given},
        {"json", APP_FLAG, &o->json, NULL, "print JSON Lines, as it does anyway", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL}};
    int n_positional;
    if (app_options_parse(argc, argv, options, "modulate --rate MBPS (--psdu-hex HEX | --random FRAMES) --out NAME [options]",
                          "Writes frames as a SigMF recording, and prints them as JSON Lines: what 'airdeed replay --expect' reads.",
                          &n_positional, exit_out))
        return 1;
    if (n_positional == 0)
        return 0;
    fprintf(stderr, "airdeed modulate: '%.60s' is no option; 'airdeed modulate --help' lists them\n", argv[1]);
    *exit_out = APP_BAD_USAGE;
    return 1;
}

/* What goes with what. */
static int check_options(const struct modulate_options *o)
{
    if (!o->out)
        return refuse("where to? --out NAME says");
    if (!o->rate_given)
        return refuse("how fast? --rate MBPS says");
    if (!o->psdu_hex == !o->random_given)
        return refuse(o->psdu_hex ? "--psdu-hex and --random exclude each other" : "which frames? --psdu-hex HEX or --random FRAMES says");
    if (o->psdu_hex && o->length_given)
        return refuse("--length is for --random; the octets of --psdu-hex have a length");
    if (o->append_fcs && !o->psdu_hex)
        return refuse("--append-fcs is for --psdu-hex; random frames have their FCS");
    if (!isnan(o->snr_db) && !isnan(o->es_n0_db))
        return refuse("--snr and --es-n0 exclude each other");
    if (fabs(o->cfo_hz) > o->sample_rate_hz / 2) {
        fprintf(stderr, "airdeed modulate: option '--cfo': %.10g Hz would fold over, at %g Msps it must be from %.10g to %.10g Hz\n", o->cfo_hz,
                o->sample_rate_hz / 1e6, -o->sample_rate_hz / 2, o->sample_rate_hz / 2);
        return APP_BAD_USAGE;
    }
    if (strcmp(o->waveform, "wifi") != 0 && (!isnan(o->es_n0_db) || o->scrambler_given || o->window_given))
        return refuse("--es-n0, --scrambler and --window are for the wifi waveform");
    return 0;
}

static int choose_datatype(const struct modulate_options *o, enum phy_sigmf_type *type_out)
{
    *type_out = strcmp(o->datatype, "cf32_le") == 0 ? PHY_SIGMF_CF32_LE : PHY_SIGMF_CI16_LE;
    if (strcmp(o->datatype, phy_sigmf_type_name(*type_out)) == 0)
        return 0;
    fprintf(stderr, "airdeed modulate: option '--datatype': '%.20s' is neither ci16_le nor cf32_le\n", o->datatype);
    return APP_BAD_USAGE;
}

/* Within a thousandth: 13.5 at 10 Msps is 27 at 20. */
static int choose_rate(const struct modulate_options *o, const struct app_modulator *m, unsigned *rate_index_out)
{
    double clock_msps = o->sample_rate_hz / 1e6;
    for (unsigned i = 0; i < m->n_rates; i++)
        if (fabs(app_modulator_kbps_at_1msps(m, i) * clock_msps / 1e3 / o->rate_mbps - 1) < 1e-3) {
            *rate_index_out = i;
            return 0;
        }
    fprintf(stderr, "airdeed modulate: option '--rate': %s has no %g Mb/s at %g Msps, but", o->waveform, o->rate_mbps, clock_msps);
    for (unsigned i = 0; i < m->n_rates; i++)
        fprintf(stderr, "%s%g", i ? ", " : " ", app_modulator_kbps_at_1msps(m, i) * clock_msps / 1e3);
    fprintf(stderr, "\n");
    return APP_BAD_USAGE;
}

static void append_fcs(uint8_t *psdu, size_t len)
{
    uint32_t fcs = phy_crc32(psdu, len);
    for (size_t i = 0; i < PHY_FCS_BYTES; i++)
        psdu[len + i] = (uint8_t)(fcs >> 8 * i);
}

static int read_psdu(const struct modulate_options *o, uint8_t *psdu, size_t *len_out)
{
    size_t n_digits = strlen(o->psdu_hex), max = PHY_WIFI_MAX_PSDU - (o->append_fcs ? PHY_FCS_BYTES : 0);
    size_t n_good = strspn(o->psdu_hex, "0123456789abcdefABCDEF");
    if (n_good < n_digits) {
        fprintf(stderr, "airdeed modulate: option '--psdu-hex': place %zu is no hexadecimal digit\n", n_good + 1);
        return APP_BAD_USAGE;
    }
    if (n_digits % 2 || n_digits == 0 || n_digits / 2 > max) {
        fprintf(stderr, "airdeed modulate: option '--psdu-hex': %zu digits, it must be two an octet and 1 to %zu octets\n", n_digits, max);
        return APP_BAD_USAGE;
    }
    if (sodium_hex2bin(psdu, max, o->psdu_hex, n_digits, NULL, len_out, NULL))
        return refuse("option '--psdu-hex': cannot be read");
    if (o->append_fcs) {
        append_fcs(psdu, *len_out);
        *len_out += PHY_FCS_BYTES;
    }
    return 0;
}

/* splitmix64 of (seed, frame, place) */
static void draw_psdu(uint64_t seed, uint64_t i_frame, uint8_t *psdu, size_t len)
{
    for (size_t i = 0; i < len - PHY_FCS_BYTES; i++) {
        uint64_t z = seed * 0x9e3779b97f4a7c15u + (i_frame << 12 | i) * 0xd1342543de82ef95u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        psdu[i] = (uint8_t)(z >> 56);
    }
    append_fcs(psdu, len - PHY_FCS_BYTES);
}

static int write_frames(const struct modulate_options *o, struct app_modulator *m, struct app_recording *r, unsigned rate_index)
{
    uint8_t psdu[PHY_WIFI_MAX_PSDU];
    size_t len = (size_t)o->length;
    uint64_t n_frames = o->random_given ? o->n_random : 1, gap = (uint64_t)llround((double)o->gap_ns * 1e-9 * o->sample_rate_hz);
    int code = o->psdu_hex ? read_psdu(o, psdu, &len) : 0;
    if (!code)
        code = app_recording_open(r);
    if (!code)
        code = app_recording_silence(r, gap);
    for (uint64_t i = 0; i < n_frames && !code; i++) {
        if (o->random_given)
            draw_psdu(o->seed, i, psdu, len);
        code = app_recording_frame(r, m, rate_index, psdu, len);
        if (!code)
            code = app_recording_silence(r, gap);
    }
    return code ? code : app_recording_finish(r);
}

static int modulate_frames(const struct modulate_options *o, struct app_modulator *m)
{
    struct app_recording r = {.path = o->out, .waveform = o->waveform, .sample_rate_hz = o->sample_rate_hz,
                              .amplitude = pow(10, o->level_dbfs / 20), .cfo_hz = o->cfo_hz, .ppm = o->ppm, .seed = o->seed};
    double snr_db = isnan(o->es_n0_db) ? o->snr_db : o->es_n0_db - 10 * log10(64.0 / 52);
    if (!isnan(snr_db))
        r.noise_power = pow(10, (o->level_dbfs - snr_db) / 10);
    unsigned rate_index = 0;
    int code = choose_datatype(o, &r.type);
    if (!code)
        code = choose_rate(o, m, &rate_index);
    if (!code)
        code = write_frames(o, m, &r, rate_index);
    app_recording_close(&r);
    return code;
}

static int modulate(int argc, char **argv)
{
    struct modulate_options o;
    int code;
    if (parse_options(argc, argv, &o, &code))
        return code;
    code = check_options(&o);
    if (code)
        return code;
    struct app_modulator m = {.scrambler = (uint8_t)o.scrambler, .window = (unsigned)o.window};
    code = app_modulator_open(&m, o.waveform);
    if (!code)
        code = modulate_frames(&o, &m);
    app_modulator_close(&m);
    return code;
}

const struct app_command app_command_modulate = {"modulate", "writes frames as a SigMF recording", modulate};
