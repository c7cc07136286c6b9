/* Who hears what, and what becomes of a frame at a receiver. */
#include "apps/ether_internal.h"


enum { DRAW_LOSS = 0x6c6f7373, DRAW_DETECT = 0x64657465 };

static bool hears(const struct app_ether *e, size_t listener, size_t sender)
{
    return listener != sender && (!e->cfg.hears || e->cfg.hears[listener * e->cfg.n + sender]);
}

static bool hears_jammer(const struct app_ether *e, size_t listener)
{
    return !e->cfg.jammer.heard || e->cfg.jammer.heard[listener];
}

static void tell(struct app_ether *e, size_t i, struct mac_event *event)
{
    int rc = app_ether_step(e, i, event);
    assert(rc == 0);
    (void)rc;
}

static void tell_busy(struct app_ether *e, size_t i)
{
    struct app_ether_receiver *r = &e->receivers[i];
    if (r->told_busy)
        return;
    r->told_busy = true;
    tell(e, i, &e->busy);
}

static void tell_idle(struct app_ether *e, size_t i)
{
    struct app_ether_receiver *r = &e->receivers[i];
    if (!r->told_busy || r->n_heard > 0 || r->n_noise > 0)
        return;
    r->told_busy = false;
    tell(e, i, &e->idle);
}

static void spoil(struct app_ether *e, struct app_ether_receiver *r, int64_t from_ns)
{
    if (r->spoilt)
        return;
    r->spoilt = true;
    r->rise_ns = from_ns > r->lock_ns ? from_ns - r->lock_ns : 0;
    e->stats.n_spoilt++;
}

/* --- frames --- */

static void react(struct app_ether *e)
{
    const struct app_ether_jammer *j = &e->cfg.jammer;
    if (j->burst_ns == 0 || app_ether_draw(e, DRAW_DETECT, e->n_detect_draws++) >= j->p_detect)
        return;
    for (uint32_t k = 0; k < ETHER_MAX_PULSES; k++)
        if (!e->pulses[k].used) {
            int64_t from_ns = e->now_ns + j->react_ns;
            e->pulses[k] = (struct app_ether_pulse){.used = true, .from_ns = from_ns, .to_ns = from_ns + j->burst_ns};
            app_ether_push(e, from_ns, ETHER_PULSE_BEGIN, k);
            return;
        }
    e->stats.n_pulses_dropped++;
}

void app_ether_leave(struct app_ether *e, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        uint32_t index = e->batch[k];
        const struct app_ether_frame *f = &e->frames[index];
        struct app_ether_receiver *r = &e->receivers[index / 2];
        assert(!r->on_air);
        r->on_air = true;
        r->locked_on = ETHER_NOBODY; /* what it was receiving is lost */
        e->stats.n_frames++;
        e->stats.n_responses += f->is_response;
        if (e->cfg.on_frame)
            e->cfg.on_frame(e->cfg.ctx, index / 2, f->start_ns, f->octets, f->len_bytes, f->is_response);
        app_ether_push(e, f->end_ns, ETHER_TX_DONE, index);
        app_ether_push(e, f->end_ns + e->cfg.propagation_ns, ETHER_END, index);
        if (e->cfg.propagation_ns > 0)
            app_ether_push(e, f->start_ns + e->cfg.propagation_ns, ETHER_ARRIVE, index);
        react(e);
    }
}

/* Carrier sense at a listener: by the preamble where it locks, else by energy. */
static void notice(struct app_ether *e, size_t i, uint32_t frame)
{
    struct app_ether_receiver *r = &e->receivers[i];
    bool locks = r->locked_on == (int32_t)frame && !r->told_lock;
    if (!locks || e->cfg.energy)
        tell_busy(e, i);
    if (!locks)
        return;
    r->told_lock = true;
    tell(e, i, &e->lock);
}

/* n_new frames begin at a listener in this instant, the last of them is `frame`. */
static void hear(struct app_ether *e, size_t i, unsigned n_new, uint32_t frame)
{
    struct app_ether_receiver *r = &e->receivers[i];
    bool was_quiet = r->n_heard == 0;
    r->n_heard = (uint16_t)(r->n_heard + n_new);
    if (was_quiet && n_new == 1 && !r->on_air) {
        r->locked_on = (int32_t)frame;
        r->lock_ns = e->now_ns;
        r->spoilt = r->told_lock = false;
    } else if (r->locked_on != ETHER_NOBODY) {
        spoil(e, r, e->now_ns);
    }
    if (e->cfg.cca_latency_ns == 0)
        notice(e, i, frame);
}

void app_ether_arrive(struct app_ether *e, size_t n)
{
    for (size_t i = 0; i < e->cfg.n; i++) {
        unsigned n_new = 0;
        uint32_t frame = 0;
        for (size_t k = 0; k < n; k++)
            if (hears(e, i, e->batch[k] / 2)) {
                n_new++;
                frame = e->batch[k];
            }
        if (n_new > 0) {
            hear(e, i, n_new, frame);
            app_ether_look(e, i);
        }
    }
    for (size_t k = 0; k < n && e->cfg.cca_latency_ns > 0; k++)
        app_ether_push(e, e->now_ns + e->cfg.cca_latency_ns, ETHER_TELL, e->batch[k]);
}

void app_ether_tell(struct app_ether *e, uint32_t frame)
{
    for (size_t i = 0; i < e->cfg.n; i++) {
        struct app_ether_receiver *r = &e->receivers[i];
        if (!hears(e, i, frame / 2) || r->n_heard == 0)
            continue;
        notice(e, i, frame);
        app_ether_look(e, i);
    }
}

/* Noise that is still on has overlapped the frame so far. */
static void weigh_noise(struct app_ether *e, struct app_ether_receiver *r, const struct app_ether_pulse *p)
{
    int64_t least_ns = e->cfg.jammer.overlap_ns > 0 ? e->cfg.jammer.overlap_ns : 1;
    int64_t from_ns = p->from_ns > r->lock_ns ? p->from_ns : r->lock_ns;
    if (e->now_ns - from_ns >= least_ns)
        spoil(e, r, from_ns);
}

static bool fcs_holds(struct app_ether *e, struct app_ether_frame *f)
{
    if (!f->checked) {
        const uint8_t *at = f->octets + f->len_bytes;
        uint32_t fcs = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        f->checked = true;
        f->fcs_ok = phy_crc32(f->octets, f->len_bytes) == fcs;
        e->stats.n_fcs_checks++;
        e->stats.n_fcs_bad += !f->fcs_ok;
    }
    return f->fcs_ok;
}

/* event: the frame as one that arrived whole. */
static void receive(struct app_ether *e, size_t i, struct app_ether_frame *f, struct mac_event *event)
{
    struct app_ether_receiver *r = &e->receivers[i];
    struct mac_rx_quality *q = &event->frame.quality;
    for (size_t k = 0; r->n_noise > 0 && k < ETHER_MAX_PULSES; k++)
        if (e->pulses[k].active)
            weigh_noise(e, r, &e->pulses[k]);
    r->locked_on = ETHER_NOBODY;
    if (!r->told_lock)
        return;
    bool lost = e->cfg.loss > 0 && app_ether_draw(e, DRAW_LOSS, e->n_loss_draws++) < e->cfg.loss;
    q->fcs_ok = !r->spoilt && !lost && fcs_holds(e, f);
    q->rise_ns = r->spoilt ? r->rise_ns : -1;
    q->rise_db = r->spoilt ? 3 : 0;
    tell(e, i, event);
}

void app_ether_end(struct app_ether *e, uint32_t frame)
{
    struct app_ether_frame *f = &e->frames[frame];
    struct mac_event event = {.kind = MAC_EV_FRAME};
    event.frame.mpdu = f->octets;
    event.frame.len_bytes = f->len_bytes;
    event.frame.quality = (struct mac_rx_quality){.start_ns = f->start_ns + e->cfg.propagation_ns,
                                                  .end_ns = e->now_ns,
                                                  .header_ok = true,
                                                  .rssi_dbfs = -60,
                                                  .head_dbfs = -60,
                                                  .snr_db = 30};
    for (size_t i = 0; i < e->cfg.n; i++) {
        struct app_ether_receiver *r = &e->receivers[i];
        if (!hears(e, i, frame / 2))
            continue;
        r->n_heard--;
        if (r->n_heard > 0) /* something goes on behind a frame that was locked */
            tell_busy(e, i);
        if (r->locked_on == (int32_t)frame)
            receive(e, i, f, &event);
        tell_idle(e, i);
        app_ether_look(e, i);
    }
}

/* --- noise --- */

void app_ether_next_pulse(struct app_ether *e)
{
    const struct app_ether_jammer *j = &e->cfg.jammer;
    struct app_ether_pulse pulse = {.used = true, .scheduled = true};
    if (!j->next || !j->next(j->ctx, &pulse.from_ns, &pulse.to_ns))
        return;
    for (uint32_t k = 0; k < ETHER_MAX_PULSES; k++)
        if (!e->pulses[k].used) {
            e->pulses[k] = pulse;
            app_ether_push(e, pulse.from_ns, ETHER_PULSE_BEGIN, k);
            return;
        }
    e->stats.n_pulses_dropped++;
}

void app_ether_pulse_begin(struct app_ether *e, uint32_t pulse)
{
    struct app_ether_pulse *p = &e->pulses[pulse];
    p->active = true;
    e->stats.n_pulses++;
    app_ether_push(e, p->to_ns, ETHER_PULSE_END, pulse);
    for (size_t i = 0; i < e->cfg.n; i++)
        if (hears_jammer(e, i)) {
            e->receivers[i].n_noise++;
            tell_busy(e, i);
            app_ether_look(e, i);
        }
    if (p->scheduled)
        app_ether_next_pulse(e);
}

void app_ether_pulse_end(struct app_ether *e, uint32_t pulse)
{
    struct app_ether_pulse *p = &e->pulses[pulse];
    for (size_t i = 0; i < e->cfg.n; i++) {
        struct app_ether_receiver *r = &e->receivers[i];
        if (!hears_jammer(e, i))
            continue;
        if (r->locked_on != ETHER_NOBODY)
            weigh_noise(e, r, p);
        r->n_noise--;
        tell_idle(e, i);
        app_ether_look(e, i);
    }
    p->used = p->active = false;
}
