/* Messages to all on the control channel through the repair machine, which stands between the station and its MAC. */
#include "apps/station/internal.h"
#include "mac/fragment.h"
#include "mac/repair_wire.h"

#include <errno.h>

enum { KEPT_MESSAGES = 32, MAX_ASKS = 8 };
static const uint64_t frame_id = UINT64_C(1) << 63;
static const int64_t keep_ns = 2000000000;

bool group_id(uint64_t report_id)
{
    return report_id == frame_id;
}

/* A frame to all with its access to an idle medium. */
static int64_t frame_ns(const struct mac_config *mac, size_t payload_bytes, enum mac_category category)
{
    const struct mac_profile *p = &mac->profile;
    int64_t access_ns = p->sifs_ns + 2 * p->slot_ns + (int64_t)p->cw_min[category] / 2 * p->slot_ns;
    return access_ns + mac->airtime_ns(mac->airtime_ctx, MAC_DATA_OVERHEAD_BYTES + payload_bytes, p->basic_rate);
}

struct mac_repair_config group_config(const struct app_station_config *cfg, const struct mac_config *mac)
{
    size_t payload = mac_fragment_payload(&mac->profile);
    return (struct mac_repair_config){.seed = cfg->seed,
                                      .station_id = cfg->id,
                                      /* milliseconds of block time: above all serials of an earlier life */
                                      .first_serial = (uint32_t)((cfg->genesis->time_ns + cfg->clock_offset_ns) / 1000000 +
                                                                 (int64_t)(cfg->first_sample * 1000 / cfg->sample_rate_hz)),
                                      .piece_bytes = payload - MAC_REPAIR_HEADER_BYTES,
                                      .max_message_bytes = MAX_BUNDLE_BYTES,
                                      .n_messages = KEPT_MESSAGES,
                                      .piece_ns = frame_ns(mac, payload, MAC_CAT_PROPOSAL),
                                      .ask_ns = frame_ns(mac, MAC_REPAIR_ASK_BYTES, MAC_CAT_VOTE),
                                      .keep_ns = keep_ns,
                                      .max_asks = MAX_ASKS};
}

static int hand_to_mac(struct app_station *s, const struct mac_repair_update *update, int64_t now_ns, struct app_station_update *out)
{
    struct mac_event send = {.kind = MAC_EV_SEND, .now_ns = now_ns};
    send.send.id = frame_id;
    send.send.to = mac_broadcast;
    send.send.category = update->category;
    send.send.message = update->frame;
    send.send.len_bytes = update->frame_len;
    struct mac_stats before, after;
    mac_stats(s->macs[s->control], &before);
    int rc = radio_send(s, s->control, now_ns, &send, out);
    mac_stats(s->macs[s->control], &after);
    if (after.queue_full != before.queue_full) /* lost here as it might have been on the air */
        group_left(s, now_ns);
    return rc;
}

int group_send(struct app_station *s, int64_t now_ns, const struct mac_event *send, struct app_station_update *out)
{
    struct mac_repair_update update;
    struct mac_repair_event event = {.kind = MAC_REPAIR_EV_SEND,
                                     .now_ns = now_ns,
                                     .category = send->send.category,
                                     .octets = send->send.message,
                                     .len_bytes = send->send.len_bytes};
    if (mac_repair_step(s->repair, &event, &update) != 0) {
        s->n_outbox_full++; /* the engines repeat what still matters */
        return 0;
    }
    return update.has_frame ? hand_to_mac(s, &update, now_ns, out) : 0;
}

bool group_heard(struct app_station *s, const struct mac_delivery *heard, int64_t now_ns, struct mac_repair_update *out)
{
    struct mac_repair_event event = {.kind = MAC_REPAIR_EV_HEARD,
                                     .now_ns = now_ns,
                                     .from = mac_station_of(&heard->from),
                                     .octets = heard->message,
                                     .len_bytes = heard->len_bytes};
    return mac_repair_step(s->repair, &event, out) == 0 && out->has_delivery;
}

void group_left(struct app_station *s, int64_t now_ns)
{
    struct mac_repair_update update;
    struct mac_repair_event event = {.kind = MAC_REPAIR_EV_LEFT, .now_ns = now_ns};
    int rc = mac_repair_step(s->repair, &event, &update);
    (void)rc; /* never refused, hands out nothing */
}

int64_t group_deadline(const struct app_station *s)
{
    int64_t deadline_ns = s->repair ? mac_repair_deadline(s->repair) : INT64_MAX;
    return deadline_ns < s->now_ns ? s->now_ns : deadline_ns;
}

int group_run(struct app_station *s, int64_t now_ns, struct app_station_update *out)
{
    struct mac_repair_update update;
    struct mac_repair_event event = {.kind = MAC_REPAIR_EV_TICK, .now_ns = now_ns};
    int rc = mac_repair_step(s->repair, &event, &update);
    return rc == 0 && update.has_frame ? hand_to_mac(s, &update, now_ns, out) : 0;
}

void app_station_repair_stats(const struct app_station *s, struct mac_repair_stats *out)
{
    *out = (struct mac_repair_stats){0};
    if (s->repair)
        mac_repair_stats(s->repair, out);
}
