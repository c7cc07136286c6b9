#include "apps/calibrate/link.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phy/air/awgn.h"
#include "phy/crc.h"

enum { LEAD = 400, TAIL = 1200, MAX_APART = 4000, MAX_PSDU = 2000, NOISE_DBFS = -40, OFDM_SAMPLES = 40000 };
enum purpose { DRAW_PSDU = 1, DRAW_LEAD, DRAW_PHASE, DRAW_CFO, DRAW_TONE, DRAW_OFDM, DRAW_SECOND };

struct app_link {
    struct app_link_config cfg;
    struct phy *phy, *sender;
    void *phy_memory, *sender_memory;
    struct phy_update update;
    float complex *x;
    size_t cap;
    float complex *second; /* cap of them */
    size_t n_second;
    float complex *ofdm; /* data symbols of other frames, no preamble among them */
    uint64_t position;   /* of the receiver */
    struct phy_awgn noise, jam;
    uint64_t n_noise;
};

static uint64_t mix_bits(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t draw_bits(uint64_t seed, uint64_t purpose, uint64_t counter)
{
    return mix_bits(mix_bits(seed + purpose * 0x9e3779b97f4a7c15u) ^ mix_bits(counter * 0xd1342543de82ef95u + purpose));
}

double app_link_draw(uint64_t seed, uint64_t purpose, uint64_t counter)
{
    return (double)(draw_bits(seed, purpose, counter) >> 11) / 9007199254740992.0;
}

static int open_phy(const struct app_link_config *cfg, bool packet, struct phy **out, void **memory_out)
{
    struct phy_config phy = {.waveform = cfg->waveform,
                             .sample_rate_hz = cfg->sample_rate_hz,
                             .noise_dbfs = NOISE_DBFS,
                             .cca_energy_db = 8.0,
                             .cca_samples = 80,
                             .packet = packet ? cfg->tables : NULL,
                             .seed = cfg->seed,
                             .stream = 1};
    const char *bad_field;
    size_t len = (phy_bytes(&phy) + 63) / 64 * 64;
    *memory_out = aligned_alloc(64, len);
    return *memory_out ? phy_init(*memory_out, len, &phy, out, &bad_field) : -ENOMEM;
}

static int step(struct app_link *l, struct phy *phy, const struct phy_event *event)
{
    return phy_step(phy, event, &l->update);
}

/* The sender's clock does not matter: each frame is withdrawn once its samples are copied. */
static int modulate(struct app_link *l, uint64_t purpose, uint64_t counter, unsigned rate_index, size_t psdu_len, uint8_t *mpdu)
{
    for (size_t i = 0; i < psdu_len - 4; i++)
        mpdu[i] = (uint8_t)draw_bits(l->cfg.seed, purpose, counter * 4096 + i);
    struct phy_event transmit = {.kind = PHY_EV_TRANSMIT, .transmit = {0, mpdu, psdu_len - 4, rate_index}};
    struct phy_event withdraw = {.kind = PHY_EV_WITHDRAW};
    int rc = step(l, l->sender, &transmit);
    if (rc)
        return rc;
    const float complex *burst = l->update.burst;
    size_t n = l->update.burst_len;
    rc = step(l, l->sender, &withdraw);
    l->update.burst = burst;
    l->update.burst_len = n;
    return rc;
}

static int make_ofdm(struct app_link *l)
{
    uint8_t mpdu[MAX_PSDU];
    size_t at = 0;
    for (uint64_t i = 0; at < OFDM_SAMPLES; i++) {
        int rc = modulate(l, DRAW_OFDM, i, (unsigned)(i % l->cfg.waveform->n_rates), MAX_PSDU, mpdu);
        if (rc)
            return rc;
        for (size_t k = 2 * APP_LINK_HEAD; k + 80 < l->update.burst_len && at < OFDM_SAMPLES; k++)
            l->ofdm[at++] = l->update.burst[k];
    }
    return 0;
}

int app_link_open(const struct app_link_config *cfg, struct app_link **out)
{
    struct app_link *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->cfg = *cfg;
    l->cap = cfg->waveform->frame_samples(MAX_PSDU, 0) + LEAD + TAIL + MAX_APART + 1024;
    l->x = calloc(l->cap, sizeof *l->x);
    l->second = calloc(l->cap, sizeof *l->second);
    l->ofdm = calloc(OFDM_SAMPLES, sizeof *l->ofdm);
    phy_awgn_init(&l->noise, cfg->seed, 1, PHY_SIMD_AUTO);
    phy_awgn_init(&l->jam, cfg->seed, 2, PHY_SIMD_AUTO);
    int rc = l->x && l->second && l->ofdm ? open_phy(cfg, cfg->tables, &l->phy, &l->phy_memory) : -ENOMEM;
    if (rc == 0)
        rc = open_phy(cfg, false, &l->sender, &l->sender_memory);
    if (rc == 0)
        rc = make_ofdm(l);
    if (rc == 0)
        *out = l;
    else
        app_link_close(l);
    return rc;
}

void app_link_close(struct app_link *l)
{
    phy_close(l->phy);
    phy_close(l->sender);
    free(l->phy_memory);
    free(l->sender_memory);
    free(l->x);
    free(l->second);
    free(l->ofdm);
    free(l);
}

/* --- samples --- */

static void add_rotating(float complex *out, const float complex *in, size_t n, double amplitude, double phase, double turns_a_sample)
{
    double complex rotation = amplitude * cexp(2.0 * acos(-1.0) * phase * I), turn = cexp(2.0 * acos(-1.0) * turns_a_sample * I);
    for (size_t i = 0; i < n; i++) {
        out[i] += in ? (float complex)rotation * in[i] : (float complex)rotation;
        rotation *= turn;
    }
}

static void add_interference(struct app_link *l, const struct app_link_trial *t, float complex *out, size_t n, double power)
{
    const uint64_t seed = l->cfg.seed, c = t->counter;
    double amplitude = sqrt(power);
    size_t at = (size_t)(app_link_draw(seed, DRAW_OFDM, ~c) * OFDM_SAMPLES);
    switch (t->kind) {
    case PHY_INTERFERENCE_TONE: /* anywhere in the occupied band */
        add_rotating(out, NULL, n, amplitude, app_link_draw(seed, DRAW_PHASE, ~c), (app_link_draw(seed, DRAW_TONE, c) - 0.5) * 53.0 / 64.0);
        return;
    case PHY_INTERFERENCE_OFDM:
        for (size_t done = 0; done < n;) {
            size_t part = n - done < OFDM_SAMPLES - at ? n - done : OFDM_SAMPLES - at;
            add_rotating(out + done, l->ofdm + at, part, amplitude, app_link_draw(seed, DRAW_PHASE, ~c), 0.0);
            done += part;
            at = 0;
        }
        return;
    case PHY_INTERFERENCE_NOISE:
    case PHY_INTERFERENCE_PULSED:
    default:
        phy_awgn_add(&l->jam, l->n_noise, (float)power, out, n);
        l->n_noise += n;
        return;
    }
}

static double draw_cfo(const struct app_link *l, uint64_t counter) /* turns a sample */
{
    return (app_link_draw(l->cfg.seed, DRAW_CFO, counter) - 0.5) * 0.2 / 64.0;
}

static void add_second(struct app_link *l, const struct app_link_trial *t, size_t lead, double signal)
{
    double amplitude = sqrt(signal * pow(10.0, -t->second.sir_db / 10.0));
    add_rotating(l->x + ((int64_t)lead + t->second.start), l->second, l->n_second, amplitude,
                 app_link_draw(l->cfg.seed, DRAW_PHASE, ~t->counter), draw_cfo(l, t->counter) + t->second.cfo_apart);
}

static size_t count_samples(const struct app_link *l, const struct app_link_trial *t, size_t lead, size_t burst_len)
{
    size_t end = lead + burst_len, second_end = t->second.on ? (size_t)((int64_t)lead + t->second.start) + l->n_second : 0;
    return (second_end > end ? second_end : end) + TAIL;
}

/* Noise, the frame behind `lead` samples, the interferer. Returns how many samples there are. */
static size_t render(struct app_link *l, const struct app_link_trial *t, size_t lead, size_t burst_len)
{
    const uint64_t seed = l->cfg.seed;
    size_t n = count_samples(l, t, lead, burst_len);
    double noise = pow(10.0, NOISE_DBFS / 10.0), signal = noise * pow(10.0, t->snr_db / 10.0);
    memset(l->x, 0, n * sizeof *l->x);
    phy_awgn_add(&l->noise, l->n_noise, (float)noise, l->x, n);
    l->n_noise += n;
    add_rotating(l->x + lead, l->update.burst, burst_len, sqrt(signal), app_link_draw(seed, DRAW_PHASE, t->counter),
                 draw_cfo(l, t->counter));
    if (t->second.on)
        add_second(l, t, lead, signal);
    for (size_t i = 0; i < t->n_spans; i++) {
        int64_t start = t->spans[i].start + (int64_t)lead, end = t->spans[i].end + (int64_t)lead;
        start = start > 0 ? start : 0;
        end = end < (int64_t)n ? end : (int64_t)n;
        if (start < end)
            add_interference(l, t, l->x + start, (size_t)(end - start), signal * pow(10.0, -t->sir_db / 10.0));
    }
    return n;
}

/* --- receiving --- */

struct expected {
    uint64_t start, end; /* of the frame at the receiver */
    double cfo_hz;
    const uint8_t *mpdu;
    size_t mpdu_len;
    uint64_t second_start; /* UINT64_MAX: there is none */
    const uint8_t *second;
    size_t second_len;
};

static void take_signals(struct app_link *l, const struct expected *e, struct app_link_outcome *out)
{
    const int64_t near = 60;
    for (size_t i = 0; i < l->update.n_signals; i++) {
        const struct phy_signal *s = &l->update.signals[i];
        const struct phy_frame *f = &s->frame;
        if (s->kind == PHY_CCA_BUSY && s->sample > e->start && !out->busy) {
            out->busy = true;
            out->cca_delay = (int64_t)(s->sample - e->start);
        }
        if (s->kind == PHY_LOCK)
            out->lock_delay = out->locked ? out->lock_delay : (int64_t)(s->sample - e->start);
        if (s->kind == PHY_FRAME && e->second_start != UINT64_MAX && llabs((int64_t)(f->start_sample - e->second_start)) <= near) {
            out->second_locked = true;
            out->second_ok |= f->fcs_ok && f->psdu_len == e->second_len + 4 && memcmp(f->psdu, e->second, e->second_len) == 0;
        }
        if (s->kind != PHY_FRAME || llabs((int64_t)(f->start_sample - e->start)) > near)
            continue;
        out->locked = true;
        out->header_ok |= f->header_ok;
        if (!f->fcs_ok || f->psdu_len != e->mpdu_len + 4 || memcmp(f->psdu, e->mpdu, e->mpdu_len) != 0)
            continue;
        out->frame_ok = true;
        out->frame_delay = (int64_t)(s->sample - e->end);
        out->cfo_error_hz = f->cfo_hz - e->cfo_hz;
        out->snr_db = f->snr_db;
        out->rssi_dbfs = f->rssi_dbfs;
    }
}

static int hear_samples(struct app_link *l, const struct expected *e, size_t n, uint64_t n_missed, struct app_link_outcome *out)
{
    uint64_t first = l->position, from = n_missed ? e->start + n_missed : first;
    if (n_missed) {
        struct phy_event skip = {.kind = PHY_EV_SKIP, .skip.n = from - first};
        int rc = step(l, l->phy, &skip);
        if (rc)
            return rc;
    }
    for (uint64_t at = from; at < first + n;) {
        size_t part = first + n - at < PHY_MAX_STEP_SAMPLES ? (size_t)(first + n - at) : PHY_MAX_STEP_SAMPLES;
        struct phy_event samples = {.kind = PHY_EV_SAMPLES, .samples = {l->x + (at - first), part}};
        int rc = step(l, l->phy, &samples);
        if (rc)
            return rc;
        take_signals(l, e, out);
        at += part;
    }
    return 0;
}

static size_t describe_arrivals(const struct app_link_trial *t, const struct expected *e, const uint8_t *psdu, struct phy_arrival *out)
{
    double noise = pow(10.0, NOISE_DBFS / 10.0), signal = noise * pow(10.0, t->snr_db / 10.0);
    size_t n = 0;
    out[n++] = (struct phy_arrival){.id = t->counter * 1024, .start_sample = e->start, .end_sample = e->end, .power = signal,
                                    .interference = PHY_INTERFERENCE_OFDM, .psdu = psdu, .psdu_len = e->mpdu_len + 4,
                                    .rate_index = t->rate_index};
    for (size_t i = 0; i < t->n_spans; i++)
        out[n++] = (struct phy_arrival){.id = t->counter * 1024 + 1 + i,
                                        .start_sample = e->start + (uint64_t)t->spans[i].start,
                                        .end_sample = e->start + (uint64_t)t->spans[i].end,
                                        .power = signal * pow(10.0, -t->sir_db / 10.0),
                                        .interference = t->kind};
    return n;
}

static int hear_arrivals(struct app_link *l, const struct app_link_trial *t, const struct expected *e, size_t n,
                         struct app_link_outcome *out)
{
    struct phy_arrival all[APP_LINK_MAX_SPANS + 1], here[APP_LINK_MAX_SPANS + 1];
    uint8_t psdu[MAX_PSDU];
    uint32_t fcs = phy_crc32(e->mpdu, e->mpdu_len);
    memcpy(psdu, e->mpdu, e->mpdu_len);
    for (size_t i = 0; i < 4; i++)
        psdu[e->mpdu_len + i] = (uint8_t)(fcs >> (8 * i));
    size_t n_all = describe_arrivals(t, e, psdu, all);
    uint64_t end = l->position + n;
    for (uint64_t at = l->position; at < end;) {
        uint64_t part = end - at < PHY_MAX_STEP_SAMPLES ? end - at : PHY_MAX_STEP_SAMPLES;
        size_t n_here = 0;
        for (size_t i = 0; i < n_all; i++)
            if (all[i].start_sample < at + part && all[i].end_sample > at)
                here[n_here++] = all[i];
        struct phy_event event = {.kind = PHY_EV_ARRIVALS, .arrivals = {part, here, n_here}};
        int rc = step(l, l->phy, &event);
        if (rc)
            return rc;
        take_signals(l, e, out);
        at += part;
    }
    return 0;
}

static bool is_sound(const struct app_link *l, const struct app_link_trial *t)
{
    const struct app_link_second *s = &t->second;
    bool second = !s->on || (s->psdu_len >= 5 && s->psdu_len <= MAX_PSDU && s->start >= -LEAD && s->start <= LEAD + MAX_APART && !l->cfg.tables);
    return t->psdu_len >= 5 && t->psdu_len <= MAX_PSDU && t->n_spans <= APP_LINK_MAX_SPANS && second;
}

static int make_second(struct app_link *l, const struct app_link_trial *t, uint8_t *mpdu)
{
    int rc = modulate(l, DRAW_SECOND, t->counter, t->second.rate_index, t->second.psdu_len, mpdu);
    if (rc)
        return rc;
    l->n_second = l->update.burst_len;
    memcpy(l->second, l->update.burst, l->n_second * sizeof *l->second);
    return 0;
}

int app_link_run(struct app_link *l, const struct app_link_trial *t, struct app_link_outcome *out)
{
    uint8_t mpdu[MAX_PSDU], second[MAX_PSDU];
    memset(out, 0, sizeof *out);
    if (!is_sound(l, t))
        return -EINVAL;
    int rc = t->second.on ? make_second(l, t, second) : 0;
    if (rc == 0)
        rc = modulate(l, DRAW_PSDU, t->counter, t->rate_index, t->psdu_len, mpdu);
    if (rc)
        return rc;
    size_t burst_len = l->update.burst_len, lead = LEAD + (size_t)(app_link_draw(l->cfg.seed, DRAW_LEAD, t->counter) * 640.0);
    struct expected e = {l->position + lead, l->position + lead + burst_len,
                         draw_cfo(l, t->counter) * l->cfg.sample_rate_hz, mpdu, t->psdu_len - 4, UINT64_MAX, second, 0};
    if (t->second.on) {
        e.second_start = e.start + (uint64_t)t->second.start;
        e.second_len = t->second.psdu_len - 4;
    }
    size_t n = count_samples(l, t, lead, burst_len);
    if (l->cfg.tables) {
        rc = hear_arrivals(l, t, &e, n, out);
    } else {
        render(l, t, lead, burst_len);
        rc = hear_samples(l, &e, n, t->n_missed, out);
    }
    if (rc)
        return rc;
    /* whatever the receiver is still at ends here */
    struct phy_event skip = {.kind = PHY_EV_SKIP, .skip.n = 1};
    l->position += n;
    rc = step(l, l->phy, &skip);
    take_signals(l, &e, out);
    l->position++;
    return rc;
}
