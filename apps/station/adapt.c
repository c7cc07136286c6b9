/* The responses to jamming at work: verdicts in, what the MAC is told out. */
#include "apps/station/internal.h"

void adapt_start(struct app_station *s)
{
    for (uint32_t c = 0; c < s->n_channels; c++)
        app_jammed_init(&s->jammed[c]);
    app_links_init(&s->links);
}

void adapt_verdict(struct app_station *s, const struct mac_jam_verdict *verdict, int64_t now_ns)
{
    app_jammed_verdict(&s->jammed[verdict->channel], verdict->kind, now_ns);
}

void adapt_heard(struct app_station *s, const struct mac_delivery *delivery, int64_t now_ns)
{
    app_links_heard(&s->links, mac_station_of(&delivery->from), delivery->snr_db, now_ns);
}

void adapt_exposure(struct app_station *s, int64_t now_ns)
{
    const struct app_jammed *jammed = &s->jammed[s->tuned];
    struct mac_exposure exposure = {0};
    if (s->cfg.responses.rate && app_jammed_at(jammed, now_ns))
        exposure = app_respond_exposure(jammed->kind, &s->links, s->cfg.waveform, &s->cfg.profile, now_ns);
    bool same = exposure.copies == s->exposure.copies && exposure.rate_index == s->exposure.rate_index && exposure.fragment_bytes == s->exposure.fragment_bytes;
    if (same)
        return;
    s->exposure = exposure;
    radio_expose(s, s->control, now_ns, &exposure);
}
