#include "phy/phy.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/crc.h"
#include "phy/decibel.h"
#include "phy/machine.h"

enum { SHAPE_NOISE = 0x73686170 }; /* keeps the noise of shapes apart from all else that is drawn */

struct phy_signal *phy_signal_add(struct phy *m, enum phy_signal_kind kind, uint64_t sample)
{
    struct phy_update *out = m->out;
    /* the worst case of a step: two signals a CCA pair of blocks, two a lock */
    _Static_assert(PHY_MAX_STEP_SAMPLES / PHY_MIN_CCA_SAMPLES + 2 * PHY_FRAME_SLOTS + PHY_MAX_STEP_SAMPLES / PHY_SHAPE_SPACING + 5 <= PHY_MAX_SIGNALS,
                   "signals of a step fit");
    _Static_assert(PHY_MAX_STEP_SAMPLES / PHY_MIN_LOCK_SPACING + 2 <= PHY_FRAME_SLOTS, "frames of a step fit");
    assert(out->n_signals < PHY_MAX_SIGNALS);
    size_t i = out->n_signals++;
    /* in time order, signals of one sample in the order of their kinds */
    while (i > 0 && (out->signals[i - 1].sample > sample ||
                     (out->signals[i - 1].sample == sample && out->signals[i - 1].kind > kind))) {
        out->signals[i] = out->signals[i - 1];
        i--;
    }
    memset(&out->signals[i], 0, sizeof out->signals[i]);
    out->signals[i].kind = kind;
    out->signals[i].sample = sample;
    return &out->signals[i];
}

static void on_lock(void *ctx, size_t offset)
{
    struct phy *m = ctx;
    m->locked = true;
    m->lock_sample = m->position + offset;
    m->stats.n_locks++;
    phy_shape_lock(m, m->lock_sample, true);
    phy_signal_add(m, PHY_LOCK, m->lock_sample);
}

static bool check_fcs(const uint8_t *psdu, size_t len)
{
    if (len <= PHY_FCS_BYTES)
        return false;
    const uint8_t *fcs = psdu + len - PHY_FCS_BYTES;
    uint32_t received = (uint32_t)fcs[0] | (uint32_t)fcs[1] << 8 | (uint32_t)fcs[2] << 16 | (uint32_t)fcs[3] << 24;
    return phy_crc32(psdu, len - PHY_FCS_BYTES) == received;
}

static void keep_frame(struct phy *m, struct phy_frame *frame)
{
    assert(m->n_slots < PHY_FRAME_SLOTS && frame->psdu_len <= PHY_MAX_RX_PSDU_BYTES);
    struct phy_frame_slot *slot = &m->slots[m->n_slots++];
    if (frame->psdu_len > 0) {
        memcpy(slot->psdu, frame->psdu, frame->psdu_len);
        frame->psdu = slot->psdu;
    }
    if (frame->noise_db) {
        memcpy(slot->noise_db, frame->noise_db, sizeof slot->noise_db);
        frame->noise_db = slot->noise_db;
    }
}

static void finish_frame(struct phy *m, uint64_t sample, struct phy_frame *frame)
{
    phy_power_describe(m, frame);
    keep_frame(m, frame);
    if (!frame->header_ok)
        m->stats.n_header_bad++;
    else if (!frame->fcs_ok)
        m->stats.n_fcs_bad++;
    else
        m->stats.n_frames_ok++;
    m->locked = false;
    phy_signal_add(m, PHY_FRAME, sample)->frame = *frame;
}

static void on_frame(void *ctx, size_t end_offset, const struct phy_frame *demodulated)
{
    struct phy *m = ctx;
    struct phy_frame frame = *demodulated;
    frame.start_sample += m->position;
    frame.end_sample += m->position;
    frame.cfo_hz *= m->cfg.sample_rate_hz;
    frame.rate_kbps = (uint32_t)((uint64_t)frame.rate_kbps * m->cfg.sample_rate_hz / 1000000);
    frame.fcs_ok = frame.header_ok && check_fcs(frame.psdu, frame.psdu_len);
    phy_shape_lock(m, m->position + end_offset, false);
    finish_frame(m, m->position + end_offset, &frame);
}

/* --- events --- */

static void advance(struct phy *m, uint64_t n)
{
    m->position += n;
    if (m->tx_pending && m->position >= m->tx_end) {
        m->tx_pending = false;
        phy_signal_add(m, PHY_TX_DONE, m->tx_end);
    }
}

/* Keeps what the longest block in progress may need; moves it to the front only now and then. */
static void keep_recent(struct phy *m, size_t n_held)
{
    size_t n_needed = m->cfg.cca_samples > PHY_SHAPE_SAMPLES ? m->cfg.cca_samples : PHY_SHAPE_SAMPLES;
    m->n_recent = n_held;
    if (n_held > PHY_MAX_CCA_SAMPLES) {
        memmove(m->recent, m->recent + n_held - n_needed, n_needed * sizeof *m->recent);
        m->n_recent = n_needed;
    }
}

static void take_piece(struct phy *m, const float complex *samples, size_t n)
{
    float complex *fresh = m->recent + m->n_recent;
    phy_shape_begin(m);
    m->stats.n_nan_samples += phy_copy_finite(fresh, samples, n);
    m->stats.n_samples += n;
    uint64_t end = m->position + n;
    phy_power_measure(m, end);
    phy_sense_measure(m, end);
    m->cfg.waveform->execute(m->demod, fresh, n);
    advance(m, n);
    m->n_recent += n;
    phy_shape_measure(m, m->position - n);
    keep_recent(m, m->n_recent);
}

/* In pieces that stay in the nearest cache until everybody has seen them. */
static int take_samples(struct phy *m, const float complex *samples, size_t n)
{
    if (n > PHY_MAX_STEP_SAMPLES)
        return -EAGAIN;
    if (n > 0 && !samples)
        return -EBADMSG;
    while (n > 0) {
        size_t n_here = PHY_PIECE_SAMPLES - m->position % PHY_PIECE_SAMPLES;
        n_here = n < n_here ? n : n_here;
        take_piece(m, samples, n_here);
        samples += n_here;
        n -= n_here;
    }
    return 0;
}

/* --- packet fidelity --- */

static void on_packet_lock(void *ctx, uint64_t sample)
{
    struct phy *m = ctx;
    m->locked = true;
    m->lock_sample = sample;
    m->stats.n_locks++;
    phy_shape_lock(m, sample, true);
    phy_signal_add(m, PHY_LOCK, sample);
}

static void on_packet_frame(void *ctx, uint64_t sample, unsigned rate_index, const struct phy_frame *received)
{
    struct phy *m = ctx;
    struct phy_frame frame = *received;
    if (frame.header_ok)
        frame.rate_kbps = (uint32_t)((uint64_t)m->cfg.waveform->rate_kbps_at_1msps[rate_index] * m->cfg.sample_rate_hz / 1000000);
    phy_shape_lock(m, sample, false);
    finish_frame(m, sample, &frame);
}

static void on_packet_profile(void *ctx, uint64_t block, double power)
{
    phy_power_take_profile(ctx, block, power);
}

static void on_packet_cca(void *ctx, uint64_t end_sample, double power)
{
    phy_power_take_cca(ctx, end_sample, power);
}

static bool is_arrival(const struct phy *m, const struct phy_arrival *a, uint64_t end)
{
    return a->end_sample > m->position && a->start_sample < end && a->end_sample > a->start_sample && a->power >= 0.0 &&
           a->interference < PHY_N_INTERFERENCE &&
           (!a->psdu || (a->psdu_len > 0 && a->psdu_len <= PHY_MAX_RX_PSDU_BYTES && a->rate_index < m->cfg.waveform->n_rates));
}

/* At most up to the next half of a piece. */
static void take_stretch(struct phy *m, const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t n)
{
    phy_shape_begin_half(m);
    if (!phy_packet_arrives(arrivals, n_arrivals, m->position, n))
        n_arrivals = 0;
    bool wanted = n_arrivals > 0 && phy_shape_is_wanted(m) &&
                  phy_packet_render(m->render, arrivals, n_arrivals, m->position, n, m->recent + m->n_recent);
    m->n_recent = wanted ? m->n_recent + n : 0;
    phy_packet_advance(m->packet, arrivals, n_arrivals, n, m->cca_busy);
    advance(m, n);
    if (wanted)
        phy_shape_measure(m, m->position - n);
}

static int take_arrivals(struct phy *m, const struct phy_event *in)
{
    uint64_t n = in->arrivals.n, left = n;
    double power;
    if (n > PHY_MAX_STEP_SAMPLES)
        return -EAGAIN;
    for (size_t i = 0; i < in->arrivals.n_arrivals; i++)
        if (!is_arrival(m, &in->arrivals.arrivals[i], m->position + n))
            return -EBADMSG;
    while (left > 0) {
        uint64_t to_half = PHY_SHAPE_SAMPLES - m->position % PHY_SHAPE_SAMPLES;
        uint64_t n_here = in->arrivals.n_arrivals == 0 || left < to_half ? left : to_half;
        take_stretch(m, in->arrivals.arrivals, in->arrivals.n_arrivals, n_here);
        left -= n_here;
    }
    m->stats.n_samples += n;
    if (phy_packet_sensed(m->packet, &power))
        phy_sense_take(m, power);
    return 0;
}

/* --- skipping and sending --- */

static void abort_lock(struct phy *m)
{
    struct phy_frame frame = {
        .start_sample = m->lock_sample - m->cfg.waveform->lock_delay_samples,
        .end_sample = m->position,
        .noise_dbfs = NAN,
        .evm_db = NAN,
        .corrected_bits = -1,
        .error_samples = -1,
        .ht_mcs = -1,
    };
    phy_power_describe(m, &frame);
    m->locked = false;
    m->stats.n_aborted++;
    phy_signal_add(m, PHY_FRAME, m->position)->frame = frame;
}

static void skip_samples(struct phy *m, uint64_t n)
{
    if (n == 0)
        return;
    if (m->locked && !m->packet && m->cfg.waveform->cut)
        m->cfg.waveform->cut(m->demod);
    if (m->locked)
        abort_lock(m);
    if (m->cca_busy)
        phy_signal_add(m, PHY_CCA_IDLE, m->position);
    m->cca_busy = false;
    phy_sense_skip(m, n);
    m->stats.n_skipped += n;
    advance(m, n);
    m->n_recent = 0;
    m->had_silence[0] = m->had_silence[1] = true; /* until the next whole piece */
    if (m->packet)
        phy_packet_skip(m->packet, n);
    else
        m->cfg.waveform->reset(m->demod);
    phy_power_restart(m);
}

static int transmit(struct phy *m, const struct phy_event *in)
{
    const uint8_t *mpdu = in->transmit.mpdu;
    size_t len = in->transmit.len_bytes;
    if (m->tx_pending || in->transmit.start_sample < m->position || !mpdu || len == 0 ||
        len > PHY_MAX_PSDU_BYTES - PHY_FCS_BYTES || in->transmit.rate_index >= m->cfg.waveform->n_rates)
        return -EBADMSG;
    memcpy(m->tx_psdu, mpdu, len);
    uint32_t fcs = phy_crc32(mpdu, len);
    for (size_t i = 0; i < PHY_FCS_BYTES; i++)
        m->tx_psdu[len + i] = (uint8_t)(fcs >> (8 * i));
    len += PHY_FCS_BYTES;
    unsigned rate = in->transmit.rate_index;
    long n = m->packet ? (long)m->cfg.waveform->frame_samples(len, rate)
                       : m->cfg.waveform->modulate(m->demod, m->tx_psdu, len, rate, m->burst, m->burst_cap);
    if (n < 0)
        return -EBADMSG;
    m->tx_pending = true;
    m->tx_end = in->transmit.start_sample + (uint64_t)n;
    m->stats.n_sent++;
    m->out->burst = m->burst;
    m->out->burst_len = (size_t)n;
    m->out->psdu = m->tx_psdu;
    m->out->psdu_len = len;
    return 0;
}

static int withdraw(struct phy *m)
{
    if (!m->tx_pending)
        return -EBADMSG;
    m->tx_pending = false;
    m->stats.n_sent--;
    return 0;
}

int phy_step(struct phy *m, const struct phy_event *in, struct phy_update *out)
{
    int status = -EBADMSG;
    out->n_signals = 0;
    out->burst = NULL;
    out->burst_len = 0;
    out->psdu = NULL;
    out->psdu_len = 0;
    m->out = out;
    m->n_slots = 0;
    switch (in->kind) {
    case PHY_EV_SAMPLES:
        if (!m->packet)
            status = take_samples(m, in->samples.samples, in->samples.n);
        break;
    case PHY_EV_ARRIVALS:
        if (m->packet)
            status = take_arrivals(m, in);
        break;
    case PHY_EV_SKIP:
        skip_samples(m, in->skip.n);
        status = 0;
        break;
    case PHY_EV_TRANSMIT: status = transmit(m, in); break;
    case PHY_EV_WITHDRAW: status = withdraw(m); break;
    case PHY_EV_SENSE:
        status = phy_sense_begin(m, in->sense.start_sample, in->sense.n_samples, in->sense.p_fa);
        break;
    }
    m->out = NULL;
    m->stats.n_bad_events += status == -EBADMSG;
    return status;
}

/* --- life --- */

static size_t longest_burst(const struct phy_waveform *waveform)
{
    size_t longest = 0;
    for (unsigned i = 0; i < waveform->n_rates; i++) {
        size_t n = waveform->frame_samples(PHY_MAX_PSDU_BYTES, i);
        longest = n > longest ? n : longest;
    }
    return longest;
}

static size_t machine_bytes(void)
{
    return (sizeof(struct phy) + 63) / 64 * 64;
}

static size_t demod_bytes(const struct phy_waveform *waveform)
{
    return (waveform->bytes() + 63) / 64 * 64;
}

size_t phy_bytes(const struct phy_config *cfg)
{
    if (!cfg->waveform)
        return machine_bytes();
    if (cfg->packet)
        return machine_bytes() + phy_packet_bytes() + sizeof(struct phy_packet_render);
    return machine_bytes() + demod_bytes(cfg->waveform) + longest_burst(cfg->waveform) * sizeof(float complex);
}

static const char *find_bad_field(const struct phy_config *cfg)
{
    if (!cfg->waveform)
        return "waveform";
    if (cfg->packet && strcmp(cfg->packet->waveform, cfg->waveform->name) != 0)
        return "packet";
    if (cfg->sample_rate_hz == 0)
        return "sample_rate_hz";
    if (!(cfg->noise_dbfs > -250.0 && cfg->noise_dbfs < 100.0))
        return "noise_dbfs";
    if (!(cfg->cca_energy_db > 0.0 && cfg->cca_energy_db < 100.0))
        return "cca_energy_db";
    if (!(cfg->squelch_db > -1000.0 && cfg->squelch_db < 100.0))
        return "squelch_db";
    if (cfg->cca_samples < PHY_MIN_CCA_SAMPLES || cfg->cca_samples > PHY_MAX_CCA_SAMPLES)
        return "cca_samples";
    return NULL;
}

static int open_packet(struct phy *m, void *mem)
{
    const struct phy_packet_config cfg = {.tables = m->cfg.packet,
                                          .seed = m->cfg.seed,
                                          .stream = m->cfg.stream,
                                          .noise_power = m->noise_power,
                                          .sample_rate_hz = m->cfg.sample_rate_hz,
                                          .cca_samples = m->cfg.cca_samples,
                                          .profile_samples = PHY_PROFILE_SAMPLES,
                                          .first_sample = m->cfg.first_sample};
    const struct phy_packet_sink sink = {on_packet_lock, on_packet_frame, on_packet_profile, on_packet_cca, m};
    m->packet = phy_packet_init(mem, &cfg, &sink);
    m->render = (struct phy_packet_render *)((unsigned char *)mem + phy_packet_bytes());
    phy_packet_render_init(m->render, m->cfg.seed ^ SHAPE_NOISE, m->cfg.stream, phy_simd_choose(m->cfg.simd), m->noise_power);
    return 0;
}

static int open_demod(struct phy *m, unsigned char *mem)
{
    const struct phy_waveform *waveform = m->cfg.waveform;
    struct phy_waveform_config cfg = {.sample_rate_hz = m->cfg.sample_rate_hz,
                                      .simd = phy_simd_choose(m->cfg.simd),
                                      .on_lock = on_lock,
                                      .on_frame = on_frame,
                                      .ctx = m};
    m->burst = (float complex *)(mem + demod_bytes(waveform));
    m->burst_cap = longest_burst(waveform);
    int status = waveform->open(mem, &cfg, &m->demod);
    if (status < 0)
        return status;
    double squelch_db = m->cfg.squelch_db > 0.0 ? m->cfg.squelch_db : 1.5;
    waveform->set_squelch(m->demod, m->cfg.squelch_db < 0.0 ? 0.0 : m->noise_power * phy_from_db(squelch_db));
    return 0;
}

int phy_init(void *mem, size_t len, const struct phy_config *cfg, struct phy **out, const char **bad_field_out)
{
    assert(mem && (uintptr_t)mem % 64 == 0 && len >= phy_bytes(cfg));
    *bad_field_out = find_bad_field(cfg);
    if (*bad_field_out)
        return -EINVAL;
    struct phy *m = mem;
    memset(m, 0, sizeof *m);
    m->cfg = *cfg;
    m->noise_power = phy_from_db(cfg->noise_dbfs);
    m->cca_power = m->noise_power * phy_from_db(cfg->cca_energy_db);
    m->position = cfg->first_sample;
    phy_power_restart(m);
    unsigned char *rest = (unsigned char *)mem + machine_bytes();
    int status = cfg->packet ? open_packet(m, rest) : open_demod(m, rest);
    if (status < 0) {
        *bad_field_out = "waveform";
        return status;
    }
    *out = m;
    return 0;
}

uint64_t phy_deadline(const struct phy *m)
{
    uint64_t first = m->tx_pending ? m->tx_end : UINT64_MAX;
    uint64_t window_end = m->sense.start + m->sense.n_samples;
    return m->sense.pending && window_end < first ? window_end : first;
}

void phy_stats(const struct phy *m, struct phy_stats *out)
{
    *out = m->stats;
}

void phy_close(struct phy *m)
{
    if (m && m->demod)
        m->cfg.waveform->close(m->demod);
}
