/* zmq_frames RADIO WAVEFORM N [lossy]: hands N frames to a radio, one after the other at lengths and rates in turn, and receives what
 * comes back from whatever lies between its two streams. Prints one line a frame and a last line "N of N came back"; exit 0 if all of
 * them did, byte for byte with a valid FCS, and nothing else. lossy: frames may be lost, and are sent until N came back. */
#include "phy/crc.h"
#include "phy/phy.h"
#include "phy/radio/radio.h"
#include "phy/waveform.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RATE_HZ = 1000000, MAX_BURST = 400000, GAP = 2000, STEP = 1024, TIMEOUTS = 300 };
static const float amplitude = .1f;
static const double noise_dbfs = -58;

struct frames {
    const struct phy_waveform *waveform;
    struct phy_radio *radio;
    struct phy *phy;
    struct phy_waveform_demod *modulator;
    struct phy_update *update;
    unsigned n_sent, n_good, n_bad, n_next; /* next: that may come back */
    bool lossy;
    uint64_t n_received, last_end;
};

static void *allocate(size_t n_bytes)
{
    void *mem = aligned_alloc(64, (n_bytes + 63) / 64 * 64);
    if (!mem)
        abort();
    return mem;
}

static size_t make_psdu(unsigned i, uint8_t *psdu)
{
    size_t len = 40 + (i * 97) % 900;
    for (size_t k = 0; k < len; k++)
        psdu[k] = (uint8_t)(k * 31 + i * 7 + (k >> 3));
    uint32_t fcs = phy_crc32(psdu, len);
    for (size_t k = 0; k < 4; k++)
        psdu[len + k] = (uint8_t)(fcs >> (8 * k));
    return len + 4;
}

static int send_frame(struct frames *f)
{
    static float complex burst[MAX_BURST];
    uint8_t psdu[PHY_MAX_PSDU_BYTES];
    size_t len = make_psdu(f->n_sent, psdu);
    long n = f->waveform->modulate(f->modulator, psdu, len, f->n_sent % 4, burst, MAX_BURST);
    if (n < 0)
        return (int)n;
    for (long k = 0; k < n; k++)
        burst[k] *= amplitude;
    uint64_t earliest = f->n_received + f->radio->ops->lead_samples(f->radio) + GAP;
    uint64_t start = f->last_end + GAP > earliest ? f->last_end + GAP : earliest;
    int err = f->radio->ops->transmit(f->radio, start, burst, (size_t)n);
    if (err)
        return err;
    f->last_end = start + (uint64_t)n;
    f->n_sent++;
    return 0;
}

static void judge(struct frames *f, const struct phy_frame *frame)
{
    uint8_t psdu[PHY_MAX_PSDU_BYTES];
    bool good = false;
    for (unsigned i = f->n_next; i < f->n_sent && !good && (f->lossy || i == f->n_next); i++) {
        size_t len = make_psdu(i, psdu);
        good = frame->fcs_ok && frame->psdu_len == len && memcmp(frame->psdu, psdu, len) == 0;
        f->n_next = good ? i + 1 : f->n_next;
    }
    f->n_next += !good && !f->lossy;
    f->n_good += good;
    f->n_bad += !good;
    printf("%s %llu: %zu octets, snr %.1f dB, cfo %.0f Hz\n", good ? "good" : "BAD", (unsigned long long)frame->start_sample,
           frame->psdu_len, frame->snr_db, frame->cfo_hz);
    fflush(stdout);
}

static int hear(struct frames *f)
{
    static float complex samples[STEP];
    struct phy_radio_block block;
    int err = f->radio->ops->receive(f->radio, samples, STEP, 100000000, &block);
    if (err)
        return err;
    struct phy_event event = {.kind = PHY_EV_SAMPLES, .samples = {samples, block.n}};
    err = phy_step(f->phy, &event, f->update);
    for (size_t i = 0; i < f->update->n_signals && !err; i++)
        if (f->update->signals[i].kind == PHY_FRAME)
            judge(f, &f->update->signals[i].frame);
    f->n_received += block.n;
    return err;
}

static void on_frame(void *ctx, size_t end_offset, const struct phy_frame *frame)
{
    (void)ctx;
    (void)end_offset;
    (void)frame;
}

static void on_lock(void *ctx, size_t offset)
{
    (void)ctx;
    (void)offset;
}

static int open_all(struct frames *f, const char *uri, const char *waveform, char *error)
{
    struct phy_radio_config radio = {.sample_rate_hz = RATE_HZ, .center_hz = NAN, .max_tx_gain_db = NAN, .transmit = true};
    f->waveform = phy_waveform_find(waveform);
    snprintf(error, PHY_RADIO_MAX_ERROR, "no waveform is called %s", waveform);
    if (!f->waveform)
        return -EINVAL;
    struct phy_config phy = {.waveform = f->waveform, .sample_rate_hz = RATE_HZ, .noise_dbfs = noise_dbfs, .cca_energy_db = 10,
                             .cca_samples = 80};
    struct phy_waveform_config modulator = {.sample_rate_hz = RATE_HZ, .on_frame = on_frame, .on_lock = on_lock};
    const char *bad_field = "";
    f->update = allocate(sizeof *f->update);
    if (phy_init(allocate(phy_bytes(&phy)), phy_bytes(&phy), &phy, &f->phy, &bad_field)) {
        snprintf(error, PHY_RADIO_MAX_ERROR, "phy: %s", bad_field);
        return -EINVAL;
    }
    int err = f->waveform->open(allocate(f->waveform->bytes()), &modulator, &f->modulator);
    return err ? err : phy_radio_open(uri, &radio, &f->radio, error);
}

static void print_counters(const struct frames *f)
{
    struct phy_radio_counter all[PHY_RADIO_MAX_COUNTERS];
    size_t n = f->radio->ops->counters(f->radio, all, PHY_RADIO_MAX_COUNTERS);
    for (size_t i = 0; i < n; i++)
        if (all[i].count)
            fprintf(stderr, "%s %llu: %s\n", all[i].name, (unsigned long long)all[i].count, all[i].words);
    fprintf(stderr, "%llu samples received, the last of %u bursts ends at %llu\n", (unsigned long long)f->n_received, f->n_sent,
            (unsigned long long)f->last_end);
}

/* How far it is waited for a frame after its end */
enum { PATIENCE_SAMPLES = 50000 };

static bool goes_on(struct frames *f, unsigned n)
{
    if (f->lossy && f->n_received > f->last_end + PATIENCE_SAMPLES)
        f->n_next = f->n_sent;
    return f->lossy ? f->n_good < n : f->n_good + f->n_bad < n && f->n_received <= f->last_end + PATIENCE_SAMPLES;
}

int main(int argc, char **argv)
{
    struct frames f = {0};
    char error[PHY_RADIO_MAX_ERROR] = "";
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: zmq_frames RADIO WAVEFORM N [lossy]\n");
        return 2;
    }
    unsigned n = (unsigned)atoi(argv[3]), n_timeouts = 0;
    f.lossy = argc == 5;
    int err = open_all(&f, argv[1], argv[2], error);
    while (!err && goes_on(&f, n) && n_timeouts < TIMEOUTS) {
        while (!err && (f.lossy || f.n_sent < n) && f.n_sent < f.n_next + 4)
            err = send_frame(&f);
        err = err ? err : hear(&f);
        n_timeouts += err == -EAGAIN;
        err = err == -EAGAIN ? 0 : err;
    }
    printf("%u of %u came back\n", f.n_good, n);
    if (f.radio)
        print_counters(&f);
    if (err)
        fprintf(stderr, "zmq_frames: %d %s\n", err, f.radio ? f.radio->ops->last_error(f.radio) : error);
    if (f.radio)
        f.radio->ops->close(f.radio);
    return err || f.n_good != n || (f.n_bad && !f.lossy) ? 1 : 0;
}
