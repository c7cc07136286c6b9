/* The samples of `airdeed modulate`: waveforms, impairments, the file. */
#include "apps/frame_json.h"
#include "apps/modulate.h"
#include "apps/options.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static int fail(int code, const char *why)
{
    fprintf(stderr, "airdeed modulate: %s\n", why);
    return code;
}

/* --- waveforms --- */

int app_modulator_open(struct app_modulator *m, const char *waveform)
{
    if (strcmp(waveform, "wifi") == 0) {
        m->n_rates = PHY_WIFI_N_RATES;
        return 0;
    }
    m->port = phy_waveform_find(waveform);
    if (!m->port) {
        fprintf(stderr, "airdeed modulate: option '--waveform': waveform '%.40s' is not known; known: wifi, flex\n", waveform);
        return APP_BAD_USAGE;
    }
    m->n_rates = m->port->n_rates;
    const struct phy_waveform_config cfg = {.sample_rate_hz = 1000000};
    m->mem = aligned_alloc(64, (m->port->bytes() + 63) / 64 * 64);
    if (!m->mem || m->port->open(m->mem, &cfg, &m->demod))
        return fail(APP_SYSTEM_FAILED, "the modulator cannot start");
    return 0;
}

void app_modulator_close(struct app_modulator *m)
{
    if (m->demod)
        m->port->close(m->demod);
    free(m->mem);
}

double app_modulator_kbps_at_1msps(const struct app_modulator *m, unsigned rate_index)
{
    return m->port ? m->port->rate_kbps_at_1msps[rate_index] : phy_wifi_rate(rate_index)->kbps_at_20msps / 20.0;
}

static size_t count_samples(const struct app_modulator *m, size_t psdu_len, unsigned rate_index)
{
    return m->port ? m->port->frame_samples(psdu_len, rate_index) : phy_wifi_frame_samples(psdu_len, rate_index) + m->window;
}

static long make_samples(struct app_modulator *m, unsigned rate_index, const uint8_t *psdu, size_t psdu_len, float complex *out, size_t cap)
{
    if (m->port)
        return m->port->modulate(m->demod, psdu, psdu_len, rate_index, out, cap);
    const struct phy_wifi_modulate cfg = {
        .rate_index = rate_index,
        .scrambler = m->scrambler ? m->scrambler : phy_wifi_scrambler_of(psdu, psdu_len),
        .window = m->window,
    };
    return phy_wifi_modulate(&cfg, psdu, psdu_len, out, cap);
}

/* --- impairments --- */

static const double two_pi = 6.283185307179586;
enum { N_TAPS = 32 }; /* of the interpolator, a Hann-windowed sinc: to both sides of a frame nothing is sent */

/* The signal between its samples, at `place`. */
static float complex interpolate(const float complex *in, size_t n, double place)
{
    double whole = floor(place), part = place - whole;
    if (part == 0)
        return whole >= 0 && whole < (double)n ? in[(size_t)whole] : 0;
    double complex sum = 0;
    for (int tap = 1 - N_TAPS / 2; tap <= N_TAPS / 2; tap++) {
        double at = whole + tap, off = part - tap, x = two_pi / 2 * off;
        if (at >= 0 && at < (double)n)
            sum += sin(x) / x * (0.5 + 0.5 * cos(two_pi / N_TAPS * off)) * (double complex)in[(size_t)at];
    }
    return (float complex)sum;
}

/* A sender's clock that runs faster by ppm makes a frame shorter. Returns its samples. */
static size_t stretch(const float complex *in, size_t n, double ppm, float complex *out)
{
    double step = 1 + ppm * 1e-6;
    size_t n_out = (size_t)ceil((double)n / step);
    for (size_t i = 0; i < n_out; i++)
        out[i] = interpolate(in, n, (double)i * step);
    return n_out;
}

/* Level, carrier offset, noise; then to the file. */
static int put(struct app_recording *r, float complex *samples, size_t n, bool silent)
{
    if (!silent)
        for (size_t i = 0; i < n; i++) {
            double turns = fmod(r->cfo_hz / r->sample_rate_hz * (double)(r->n_samples + i), 1.0);
            double complex turn = r->cfo_hz != 0 ? CMPLX(cos(two_pi * turns), sin(two_pi * turns)) : 1.0;
            samples[i] = (float complex)(r->amplitude * turn * (double complex)samples[i]);
        }
    if (r->noise_power > 0)
        phy_awgn_add(&r->noise, r->n_samples, (float)r->noise_power, samples, n);
    for (size_t i = 0; i < n && r->type != PHY_SIGMF_CF32_LE; i++)
        r->n_clipped += fabsf(crealf(samples[i])) > 1 || fabsf(cimagf(samples[i])) > 1;
    char error[PHY_SIGMF_MAX_ERROR];
    if (phy_sigmf_write(r->writer, samples, n, error))
        return fail(APP_SYSTEM_FAILED, error);
    r->n_samples += n;
    return 0;
}

/* --- the recording --- */

struct app_recording_note {
    uint64_t sample_start, sample_count;
    char label[PHY_SIGMF_MAX_LABEL + 1], comment[120];
};

int app_recording_open(struct app_recording *r)
{
    struct phy_sigmf_meta meta = {.type = r->type, .sample_rate_hz = r->sample_rate_hz, .noise_dbfs = NAN};
    double rounding = r->type == PHY_SIGMF_CI16_LE ? 2 / 12.0 / (32768.0 * 32768.0) : 0; /* two components, a step^2 / 12 each */
    if (r->noise_power + rounding > 0)
        meta.noise_dbfs = 10 * log10(r->noise_power + rounding);
    snprintf(meta.waveform, sizeof meta.waveform, "%s", r->waveform);
    char error[PHY_SIGMF_MAX_ERROR];
    int err = phy_sigmf_create(r->path, &meta, &r->writer, error);
    if (err)
        return fail(err == -ENOSPC || err == -EIO || err == -ENOMEM ? APP_SYSTEM_FAILED : APP_BAD_USAGE, error);
    phy_awgn_init(&r->noise, r->seed, 1, PHY_SIMD_BASELINE);
    return 0;
}

int app_recording_silence(struct app_recording *r, uint64_t n)
{
    float complex block[4096];
    int code = 0;
    for (uint64_t done = 0; done < n && !code; done += sizeof block / sizeof *block) {
        size_t some = n - done < sizeof block / sizeof *block ? (size_t)(n - done) : sizeof block / sizeof *block;
        memset(block, 0, sizeof block);
        code = put(r, block, some, true);
    }
    return code;
}

static bool make_room(struct app_recording *r, size_t n)
{
    if (n > r->cap) {
        free(r->frame);
        free(r->stretched);
        r->cap = n;
        r->frame = malloc(n * sizeof *r->frame);
        r->stretched = malloc((n + n / 500 + 2) * sizeof *r->stretched); /* 1000 ppm and more */
    }
    if (r->n_frames == r->cap_notes) {
        size_t cap = 2 * r->cap_notes + 64;
        struct app_recording_note *notes = realloc(r->notes, cap * sizeof *notes);
        if (!notes)
            return false;
        r->notes = notes;
        r->cap_notes = cap;
    }
    return r->frame && r->stretched;
}

static void note_frame(struct app_recording *r, size_t n, double rate_mbps, const uint8_t *psdu, size_t psdu_len)
{
    struct app_recording_note *note = &r->notes[r->n_frames++];
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];
    crypto_hash_sha256(hash, psdu, psdu_len);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    *note = (struct app_recording_note){.sample_start = r->n_samples, .sample_count = n};
    snprintf(note->label, sizeof note->label, "%s %.6g Mb/s", r->waveform, rate_mbps);
    snprintf(note->comment, sizeof note->comment, "PSDU of %zu octets, SHA-256 %s", psdu_len, hex);
    uint32_t fcs = 0;
    for (size_t i = 0; i < PHY_FCS_BYTES && psdu_len >= PHY_FCS_BYTES; i++)
        fcs |= (uint32_t)psdu[psdu_len - PHY_FCS_BYTES + i] << 8 * i;
    bool fcs_ok = psdu_len > PHY_FCS_BYTES && phy_crc32(psdu, psdu_len - PHY_FCS_BYTES) == fcs;
    printf("{\"start_sample\": %llu", (unsigned long long)r->n_samples);
    app_json_number(stdout, "rate_mbps", rate_mbps < .01 ? 6 : 3, rate_mbps);
    printf(", \"length_octets\": %zu, \"fcs_ok\": %s, \"psdu_sha256\": \"%s\"}\n", psdu_len, fcs_ok ? "true" : "false", hex);
}

int app_recording_frame(struct app_recording *r, struct app_modulator *m, unsigned rate_index, const uint8_t *psdu, size_t psdu_len)
{
    size_t cap = count_samples(m, psdu_len, rate_index);
    if (!make_room(r, cap))
        return fail(APP_SYSTEM_FAILED, "not enough memory");
    long n = make_samples(m, rate_index, psdu, psdu_len, r->frame, cap);
    if (n < 0) {
        fprintf(stderr, "airdeed modulate: %s cannot send a PSDU of %zu octets\n", r->waveform, psdu_len);
        return APP_BAD_USAGE;
    }
    float complex *samples = r->frame;
    size_t n_samples = (size_t)n;
    if (r->ppm != 0) {
        samples = r->stretched;
        n_samples = stretch(r->frame, n_samples, r->ppm, samples);
    }
    note_frame(r, n_samples, app_modulator_kbps_at_1msps(m, rate_index) * r->sample_rate_hz / 1e9, psdu, psdu_len);
    return put(r, samples, n_samples, false);
}

int app_recording_finish(struct app_recording *r)
{
    struct phy_sigmf_annotation *annotations = calloc(r->n_frames, sizeof *annotations);
    if (!annotations)
        return fail(APP_SYSTEM_FAILED, "not enough memory");
    for (size_t i = 0; i < r->n_frames; i++)
        annotations[i] = (struct phy_sigmf_annotation){
            .sample_start = r->notes[i].sample_start, .sample_count = r->notes[i].sample_count, .low_hz = NAN, .high_hz = NAN,
            .label = r->notes[i].label, .comment = r->notes[i].comment};
    char error[PHY_SIGMF_MAX_ERROR];
    int err = phy_sigmf_finish(r->writer, "Frames made by airdeed modulate", annotations, r->n_frames, error);
    free(annotations);
    if (err)
        return fail(APP_SYSTEM_FAILED, error);
    r->writer = NULL;
    printf("{\"summary\": {\"waveform\": \"%s\", \"n_samples\": %llu, \"frames\": %llu, \"clipped_samples\": %llu}}\n", r->waveform,
           (unsigned long long)r->n_samples, (unsigned long long)r->n_frames, (unsigned long long)r->n_clipped);
    if (r->n_clipped)
        fprintf(stderr, "airdeed modulate: warning: %llu sample%s beyond full scale clipped; --level is too high for ci16_le\n",
                (unsigned long long)r->n_clipped, r->n_clipped == 1 ? "" : "s");
    return 0;
}

void app_recording_close(struct app_recording *r)
{
    if (r->writer)
        phy_sigmf_abort(r->writer);
    free(r->frame);
    free(r->stretched);
    free(r->notes);
}
