/* The wifi waveform: detector, demodulator and modulator behind the waveform port.
 *
 * The detector runs all the time, also during a frame. A preamble within a frame in progress ends that frame if it drowns it: its check
 * is normalised by total power, so a good mark means that little else is on the air; a lesser one counts if it is as strong as the
 * frame's own. Everything happens at samples that are fixed in absolute terms (detector: each TICK; demodulator: a symbol's last sample),
 * so that nothing depends on how samples are cut into calls. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "phy/waveform.h"
#include "phy/wifi/demod.h"
#include "phy/wifi/detect.h"
#include "phy/wifi/modulate.h"
#include "phy/wifi/wifi.h"

enum {
    TICK = 16,             /* a preamble is acted on at a multiple of so many samples */
    HEADER_SAMPLES = 400,
    CAP = 8192,            /* samples held */
    SLOW_CLOCK_HZ = 2000000,
    WIDE_SEARCH = 4        /* subcarriers, at slow clocks */
};

struct phy_waveform_demod {
    phy_waveform_on_lock *on_lock;
    phy_waveform_on_frame *on_frame;
    void *ctx;
    struct phy_wifi_detect *detect;
    struct phy_wifi_demod *demod;
    uint64_t position;   /* samples taken since it was opened */
    uint64_t call_start; /* position when the present call began */
    uint64_t tick;       /* first at which a preamble may be acted on */
    bool locked;
    bool pending;        /* a preamble waits for the lock before it to be far enough away */
    struct phy_wifi_preamble present, next;
    bool found;          /* a preamble that becomes known later */
    struct phy_wifi_preamble ahead;
    uint64_t lock_sample, end_sample; /* of the latest lock and of the latest frame: when they were known */
    uint64_t base;       /* position of held[0] */
    _Alignas(64) float complex held[CAP];
};

/* --- locks and frames --- */

static void end_frame(struct phy_waveform_demod *d, uint64_t at)
{
    struct phy_frame frame;
    phy_wifi_demod_finish(d->demod, &frame);
    if (!frame.header_ok || frame.end_sample > at)
        frame.end_sample = at;
    if (frame.start_sample > at) /* before the first sample there ever was */
        frame.start_sample = 0;
    frame.start_sample -= d->call_start;
    frame.end_sample -= d->call_start;
    d->locked = false;
    d->end_sample = at;
    d->on_frame(d->ctx, (size_t)(at - d->call_start), &frame);
}

static void begin_frame(struct phy_waveform_demod *d, uint64_t at)
{
    d->present = d->next;
    d->pending = false;
    phy_wifi_demod_begin(d->demod, &d->present, d->held, d->base);
    if (d->locked)
        return; /* the lock was a false start of the same frame */
    d->locked = true;
    d->lock_sample = at;
    d->on_lock(d->ctx, (size_t)(at - d->call_start));
}

/* Does the preamble that was found displace the frame in progress? */
static bool displaces(const struct phy_waveform_demod *d)
{
    const struct phy_wifi_preamble *old = &d->present, *new = &d->next;
    if (!phy_wifi_demod_has_header(d->demod))
        return true;
    return new->quality > 0.5f || new->quality * new->power > 0.5f * old->quality * old->power;
}

static void take_preamble(struct phy_waveform_demod *d, uint64_t at)
{
    if (d->locked && !displaces(d)) {
        d->pending = false;
        return;
    }
    bool same_lock = d->locked && !phy_wifi_demod_has_header(d->demod) &&
                     d->next.long_sample < d->present.long_sample + HEADER_SAMPLES;
    if (!same_lock && (at < d->lock_sample + PHY_MIN_LOCK_SPACING || at == d->end_sample))
        return; /* stays pending */
    if (d->locked && !same_lock)
        end_frame(d, at - 1); /* signals of one sample have no order: the lock comes after */
    begin_frame(d, at);
}

/* --- samples --- */

static uint64_t to_tick(uint64_t sample)
{
    return (sample + TICK - 1) / TICK * TICK;
}

/* When there is something to do about preambles. The detector runs ahead over all that is held, so that it works on long stretches;
 * what it finds waits for the sample with which it is known. */
static uint64_t find_next_look(struct phy_waveform_demod *d, uint64_t end)
{
    if (!d->found)
        d->found = phy_wifi_detect(d->detect, d->held, d->base, end, &d->ahead);
    uint64_t at = d->found ? to_tick(d->ahead.known_sample) : UINT64_MAX;
    if (d->pending)
        at = d->tick;
    return at < d->tick ? d->tick : at;
}

static void look(struct phy_waveform_demod *d, uint64_t at, uint64_t end)
{
    d->tick = at + TICK;
    while (d->found && d->ahead.known_sample <= at) {
        d->next = d->ahead;
        d->pending = true;
        d->found = phy_wifi_detect(d->detect, d->held, d->base, end, &d->ahead);
    }
    if (d->pending)
        take_preamble(d, at);
}

/* Everything that the samples up to `end` allow, in the order of samples. */
static void advance(struct phy_waveform_demod *d, uint64_t end)
{
    for (;;) {
        uint64_t first, wants = UINT64_MAX, at = find_next_look(d, end);
        if (d->locked)
            wants = phy_wifi_demod_wants(d->demod, &first);
        if (at < wants) {
            if (at > end)
                return;
            look(d, at, end);
        } else {
            if (wants > end)
                return;
            if (phy_wifi_demod_symbol(d->demod, d->held, d->base)) {
                /* at the tick behind it at most; a symbol may have been held before the lock */
                end_frame(d, wants > d->lock_sample ? wants : d->lock_sample);
            }
        }
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Makes room; keeps what is still needed. */
static void make_room(struct phy_waveform_demod *d)
{
    uint64_t first = earlier(phy_wifi_detect_needs(d->detect), d->position), symbol;
    if (d->locked) {
        phy_wifi_demod_wants(d->demod, &symbol);
        first = earlier(first, symbol);
    }
    if (d->pending)
        first = earlier(first, d->next.long_sample - 2 * PHY_WIFI_GUARD);
    if (d->found)
        first = earlier(first, d->ahead.long_sample - 2 * PHY_WIFI_GUARD);
    if (first <= d->base)
        return;
    size_t n_drop = (size_t)(first - d->base), n_held = (size_t)(d->position - d->base);
    memmove(d->held, d->held + n_drop, (n_held - n_drop) * sizeof *d->held);
    d->base = first;
}

static void execute(struct phy_waveform_demod *d, const float complex *samples, size_t n)
{
    d->call_start = d->position;
    while (n > 0) {
        size_t n_held = (size_t)(d->position - d->base);
        if (n_held == CAP) {
            make_room(d);
            n_held = (size_t)(d->position - d->base);
            assert(n_held < CAP);
        }
        size_t n_take = CAP - n_held < n ? CAP - n_held : n;
        memcpy(d->held + n_held, samples, n_take * sizeof *samples);
        d->position += n_take;
        advance(d, d->position);
        samples += n_take;
        n -= n_take;
    }
}

static void cut(struct phy_waveform_demod *d)
{
    d->call_start = d->position;
    if (d->locked && phy_wifi_demod_has_header(d->demod))
        end_frame(d, d->position);
}

static void reset(struct phy_waveform_demod *d)
{
    d->locked = d->pending = d->found = false;
    d->base = d->position;
    d->tick = (d->position / TICK + 1) * TICK;
    phy_wifi_detect_restart(d->detect, d->position);
}

static void set_squelch(struct phy_waveform_demod *d, double power)
{
    (void)d, (void)power;
}

/* --- sending --- */

static long modulate(struct phy_waveform_demod *d, const uint8_t *psdu, size_t psdu_len, unsigned rate_index, float complex *out,
                     size_t cap)
{
    (void)d;
    if (psdu_len == 0 || psdu_len > PHY_MAX_PSDU_BYTES)
        return -EINVAL;
    struct phy_wifi_modulate cfg = {.rate_index = rate_index, .scrambler = phy_wifi_scrambler_of(psdu, psdu_len)};
    return phy_wifi_modulate(&cfg, psdu, psdu_len, out, cap);
}

/* --- opening and closing --- */

static size_t round_up(size_t n)
{
    return (n + 63) / 64 * 64;
}

static size_t receiver_bytes(void)
{
    return round_up(sizeof(struct phy_waveform_demod)) + round_up(phy_wifi_detect_bytes()) + round_up(phy_wifi_demod_bytes());
}

static int open_receiver(void *mem, const struct phy_waveform_config *cfg, struct phy_waveform_demod **out)
{
    struct phy_waveform_demod *d = mem;
    memset(d, 0, sizeof *d);
    d->on_lock = cfg->on_lock;
    d->on_frame = cfg->on_frame;
    d->ctx = cfg->ctx;
    d->tick = TICK;
    unsigned char *rest = (unsigned char *)mem + round_up(sizeof *d);
    struct phy_wifi_detect_config detect = {.simd = cfg->simd,
                                            .max_subcarriers = cfg->sample_rate_hz <= SLOW_CLOCK_HZ ? WIDE_SEARCH : 0};
    d->detect = phy_wifi_detect_init(rest, &detect);
    d->demod = phy_wifi_demod_init(rest + round_up(phy_wifi_detect_bytes()), cfg->simd);
    *out = d;
    return 0;
}

static void close_receiver(struct phy_waveform_demod *d)
{
    (void)d; /* all memory is the caller's */
}

static const struct phy_waveform wifi = {
    .name = "wifi",
    .n_rates = PHY_WIFI_N_RATES,
    .rate_kbps_at_1msps = {300, 450, 600, 900, 1200, 1800, 2400, 2700},
    .sure_snr_db = {0.5f, 3, 4, 6.5f, 10.5f, 12.5f, 19, 19}, /* of its shipped tables */
    .data_rate = 2,
    .lock_delay_samples = PHY_WIFI_DETECT_DELAY + TICK,
    .cca_delay_samples = 80,
    .frame_samples = phy_wifi_frame_samples,
    .bytes = receiver_bytes,
    .open = open_receiver,
    .modulate = modulate,
    .execute = execute,
    .set_squelch = set_squelch,
    .cut = cut,
    .reset = reset,
    .close = close_receiver,
};

const struct phy_waveform *phy_waveform_wifi(void)
{
    return &wifi;
}
