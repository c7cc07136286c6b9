/* What a station tells: log lines, a status line a second, a capture, and the last word. */
#include "apps/live/live.h"

#include "mac/frame.h"
#include "phy/crc.h"

#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t report_every_ns = 1000000000;  /* of wall clock */
static const int64_t heard_within_ns = 10000000000; /* of samples */
static const int64_t settle_ns = 1000000000;        /* longer than any frame */

static int64_t unix_ns(const struct app_live *live, uint64_t sample)
{
    uint64_t rate = live->radio->sample_rate_hz;
    return live->clock.unix_ns + (int64_t)(sample / rate * 1000000000u + sample % rate * 1000000000u / rate);
}

bool app_live_is_heard(void *ctx, uint32_t member)
{
    const struct app_live *live = ctx;
    int64_t last_ns = live->heard_ns[member];
    return last_ns != INT64_MIN && app_live_loop_now_ns(&live->loop) - last_ns <= heard_within_ns;
}

static uint32_t count_heard(struct app_live *live)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < live->config->node.cluster.n_members; i++)
        n += i != live->config->node.self && app_live_is_heard(live, i);
    return n;
}

/* --- hooks ----------------------------------------------------------------------------------------------------------------------- */

static struct app_pcapng_frame describe_packet(const struct app_live *live, uint64_t start_sample)
{
    return (struct app_pcapng_frame){.unix_ns = unix_ns(live, start_sample),
                                     .channel_center_hz = live->config->radio.center_hz,
                                     .signal_dbfs = (double)NAN,
                                     .noise_dbfs = live->noise_dbfs};
}

/* Octets of another network are nobody's business here, unless asked for. */
static void capture_heard(struct app_live *live, const struct phy_frame *f, bool ours)
{
    char comment[64];
    snprintf(comment, sizeof comment, "{\"fcs_ok\":%s,\"length_octets\":%zu}", f->fcs_ok ? "true" : "false", f->psdu_len);
    struct app_pcapng_frame packet = describe_packet(live, f->start_sample);
    bool keep = f->fcs_ok && (ours || live->options->payload || !app_live_radiates(live->config));
    packet.rate_kbps = f->rate_kbps;
    packet.signal_dbfs = f->rssi_dbfs;
    packet.fcs_bad = !f->fcs_ok;
    packet.psdu = keep ? f->psdu : NULL;
    packet.psdu_len = keep ? f->psdu_len : 0;
    packet.comment = keep ? NULL : comment;
    app_pcapng_write(live->pcap, &packet);
}

static void on_heard(void *ctx, const struct app_station_received *received)
{
    struct app_live *live = ctx;
    const struct phy_frame *f = &received->frame;
    struct mac_frame frame;
    bool ours = false;
    live->frames.heard += f->fcs_ok;
    live->frames.fcs_bad += f->header_ok && !f->fcs_ok;
    live->frames.header_bad += !f->header_ok;
    if (f->fcs_ok && mac_frame_read(f->psdu, f->psdu_len - PHY_FCS_BYTES, &frame) == 0) {
        bool has_transmitter = frame.kind == MAC_FRAME_DATA || frame.kind == MAC_FRAME_RTS;
        uint32_t from = has_transmitter ? mac_station_of(&frame.transmitter) : UINT32_MAX;
        ours = frame.kind == MAC_FRAME_DATA ? frame.ours : mac_station_of(&frame.receiver) < live->config->node.cluster.n_members;
        live->frames.acks_heard += frame.kind == MAC_FRAME_ACK;
        if (ours && from < live->config->node.cluster.n_members)
            live->heard_ns[from] = unix_ns(live, f->end_sample) - live->clock.unix_ns;
    }
    live->frames.foreign += f->fcs_ok && !ours;
    if (live->pcap && f->header_ok && f->psdu_len > 0)
        capture_heard(live, f, ours);
}

static void on_sent(void *ctx, const struct app_station_emission *e)
{
    struct app_live *live = ctx;
    uint8_t psdu[PHY_MAX_PSDU_BYTES];
    if (!live->pcap)
        return;
    uint32_t fcs = phy_crc32(e->mpdu, e->mpdu_len);
    memcpy(psdu, e->mpdu, e->mpdu_len);
    for (size_t i = 0; i < PHY_FCS_BYTES; i++)
        psdu[e->mpdu_len + i] = (uint8_t)(fcs >> (8 * i));
    struct app_pcapng_frame packet = describe_packet(live, e->start_sample);
    packet.rate_kbps = (uint32_t)((uint64_t)live->waveform->rate_kbps_at_1msps[e->rate_index] * live->radio->sample_rate_hz / 1000000u);
    packet.sent = true;
    packet.psdu = psdu;
    packet.psdu_len = e->mpdu_len + PHY_FCS_BYTES;
    app_pcapng_write(live->pcap, &packet);
}

static void on_note(void *ctx, const struct app_station_note *note)
{
    const struct app_live *live = ctx;
    if (note->kind == APP_NOTE_SPOOF)
        app_node_log(&live->log, "somebody sends under the address of member %u: %s", (unsigned)note->id, app_spoof_reason_name(note->reason));
    if (note->kind == APP_NOTE_VERDICT && mac_jam_is_attack(note->verdict.kind))
        app_node_log(&live->log, "the control channel is jammed: %s, confidence %.2f", mac_jam_kind_name(note->verdict.kind),
                     note->verdict.confidence_permille / 1000.0);
}

static void on_ledger_event(void *ctx, const struct chain_ledger_event *event)
{
    struct app_live *live = ctx;
    app_node_requests_executed(&live->requests, event);
    app_node_log_ledger(&live->log, event);
}

void app_live_describe_hooks(struct app_live *live, struct app_live_hooks *out)
{
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++)
        live->heard_ns[i] = INT64_MIN;
    *out = (struct app_live_hooks){
        .ctx = live, .heard = on_heard, .sent = on_sent, .note = on_note, .ledger_event = on_ledger_event};
}

/* --- status ---------------------------------------------------------------------------------------------------------------------- */

/* Everything that came too late, wherever that was noticed; none of it was sent late. */
static uint64_t count_late_responses(const struct app_live *live, const struct mac_stats *mac)
{
    const struct app_live_counts *c = &live->loop.counts;
    return mac->late_response + c->late_responses + c->device_late_responses;
}

static json_t *describe_status(struct app_live *live)
{
    struct chain_node_stats node;
    struct mac_stats mac;
    chain_node_stats(app_station_node(live->station), &node);
    app_station_mac_stats(live->station, app_live_control(live->config), &mac);
    const struct app_node_party *leader = app_node_cluster_party(&live->config->node.cluster, node.leader);
    return json_pack("{s:s, s:f, s:s?, s:I, s:I, s:s?, s:I, s:i, s:I, s:I}", "member", live->config->node.member, "time_s",
                     (double)(app_live_loop_now_ns(&live->loop) - live->begin_ns) * 1e-9, "waiting_for", live->waiting ? "samples" : NULL,
                     "height", (json_int_t)node.height,
                     "certified_height", (json_int_t)node.certified_height, "leader", leader ? leader->name : NULL, "view",
                     (json_int_t)node.engine.view, "heard", (int)count_heard(live), "acked", (json_int_t)mac.acked, "late_responses",
                     (json_int_t)count_late_responses(live, &mac));
}

static void print_json(json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (text)
        puts(text);
    fflush(stdout);
    free(text);
    json_decref(object);
}

static void print_progress(struct app_live *live)
{
    struct chain_node_stats node;
    struct mac_stats mac;
    chain_node_stats(app_station_node(live->station), &node);
    app_station_mac_stats(live->station, app_live_control(live->config), &mac);
    /* the cursor goes back: the next log line is written over it */
    fprintf(stderr, "%s: %.1f s, height %" PRIu64 ", hears %u, %" PRIu64 " late  \r", live->config->node.member,
            (double)(app_live_loop_now_ns(&live->loop) - live->begin_ns) * 1e-9, node.height, (unsigned)count_heard(live),
            count_late_responses(live, &mac));
}

void app_live_report(struct app_live *live)
{
    app_node_log_leader(&live->log, app_station_node(live->station));
    int64_t now_ns = app_live_wall_ns();
    if (now_ns - live->report_wall_ns < report_every_ns && now_ns >= live->report_wall_ns)
        return;
    live->report_wall_ns = now_ns;
    if (live->options->json)
        print_json(describe_status(live));
    else if (isatty(STDERR_FILENO))
        print_progress(live);
    if (live->pcap)
        app_pcapng_settle(live->pcap, unix_ns(live, live->loop.now) - settle_ns);
}

/* --- the last word --------------------------------------------------------------------------------------------------------------- */

enum { MAX_COUNTERS = PHY_RADIO_MAX_COUNTERS };

static size_t read_counters(const struct app_live *live, struct phy_radio_counter out[MAX_COUNTERS])
{
    return live->radio->ops->counters ? live->radio->ops->counters(live->radio, out, MAX_COUNTERS) : 0;
}

static json_t *describe_radio(const struct app_live *live)
{
    struct phy_radio_counter counters[MAX_COUNTERS];
    size_t n = read_counters(live, counters);
    json_t *object = json_pack("{s:s, s:I}", "name", live->radio->ops->name, "sample_rate_hz", (json_int_t)live->radio->sample_rate_hz);
    for (size_t i = 0; i < n; i++)
        json_object_set_new(object, counters[i].name, json_integer((json_int_t)counters[i].count));
    return object;
}

static json_t *describe_profile(const struct mac_profile *p)
{
    return json_pack("{s:s, s:f, s:f, s:f, s:i, s:i}", "name", p->name, "turnaround_us", (double)p->turnaround_ns * 1e-3, "sifs_us",
                     (double)p->sifs_ns * 1e-3, "slot_us", (double)p->slot_ns * 1e-3, "cw_min", (int)p->cw_min[MAC_CAT_DATA], "cw_max",
                     (int)p->cw_max);
}

static json_t *describe_frames(const struct app_live *live, const struct mac_stats *mac)
{
    const struct app_live_frames *f = &live->frames;
    const struct app_live_counts *c = &live->loop.counts;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sent", (json_int_t)c->sent, "sent_responses",
                     (json_int_t)c->sent_responses, "sent_broadcast", (json_int_t)mac->sent_broadcast, "retries", (json_int_t)mac->retries,
                     "acked", (json_int_t)mac->acked, "no_ack", (json_int_t)mac->no_ack, "expired", (json_int_t)mac->expired, "heard",
                     (json_int_t)f->heard, "fcs_bad", (json_int_t)f->fcs_bad, "header_bad", (json_int_t)f->header_bad, "foreign",
                     (json_int_t)f->foreign);
}

static json_t *describe_late(const struct app_live *live, const struct mac_stats *mac)
{
    const struct app_live_counts *c = &live->loop.counts;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "responses", (json_int_t)count_late_responses(live, mac), "responses_mac",
                     (json_int_t)mac->late_response, "responses_radio", (json_int_t)c->late_responses, "frames_radio",
                     (json_int_t)c->late_frames, "responses_device", (json_int_t)c->device_late_responses, "frames_device",
                     (json_int_t)c->device_late_frames);
}

static json_t *describe_refused(const struct app_live *live)
{
    const struct app_live_counts *c = &live->loop.counts;
    json_t *object = json_object();
    for (int v = APP_GATE_OPEN + 1; v <= APP_GATE_LATE; v++)
        json_object_set_new(object, app_gate_name((enum app_gate_verdict)v), json_integer((json_int_t)c->gate[v]));
    for (int v = APP_RADIO_OPEN + 1; v < APP_RADIO_N_VERDICTS && app_live_radiates(live->config); v++)
        json_object_set_new(object, app_radio_verdict_name((enum app_radio_verdict)v),
                            json_integer((json_int_t)live->loop.gate.count[v]));
    json_object_set_new(object, "not allowed", json_integer((json_int_t)c->not_allowed));
    json_object_set_new(object, "overlapping", json_integer((json_int_t)c->overlapping));
    return object;
}

static json_t *describe_samples(const struct app_live *live)
{
    const struct app_live_counts *c = &live->loop.counts;
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "now", (json_int_t)live->loop.now, "gaps", (json_int_t)c->gaps, "lost",
                     (json_int_t)c->lost_samples, "clipped", (json_int_t)c->clipped_samples, "underflows",
                     (json_int_t)c->reports[PHY_RADIO_UNDERFLOW]);
}

static void print_words(const struct app_live *live, const struct mac_stats *mac, const struct chain_node_stats *node)
{
    struct phy_radio_counter counters[MAX_COUNTERS];
    const struct app_live_counts *c = &live->loop.counts;
    app_node_log(&live->log, "stopped at height %" PRIu64 " (certified %" PRIu64 "): %" PRIu64 " frames sent, %" PRIu64 " heard, %" PRIu64
                 " acknowledged", node->height, node->certified_height, c->sent, live->frames.heard, mac->acked);
    uint64_t n_late = count_late_responses(live, mac);
    if (n_late)
        app_node_log(&live->log, "%" PRIu64 " responses would have been late and were not sent", n_late);
    if (c->late_frames)
        app_node_log(&live->log, "%" PRIu64 " frames came to the radio too late and were not sent", c->late_frames);
    if (c->gaps)
        app_node_log(&live->log, "%" PRIu64 " samples were lost in %" PRIu64 " gaps", c->lost_samples, c->gaps);
    size_t n = read_counters(live, counters);
    for (size_t i = 0; i < n; i++)
        if (counters[i].count)
            app_node_log(&live->log, "radio: %" PRIu64 " %s: %s", counters[i].count, counters[i].name, counters[i].words);
}

void app_live_summary(struct app_live *live)
{
    struct chain_node_stats node;
    struct mac_stats mac;
    const struct chain_node *n = app_station_node(live->station);
    chain_node_stats(n, &node);
    app_station_mac_stats(live->station, app_live_control(live->config), &mac);
    if (!live->options->json) {
        print_words(live, &mac, &node);
        return;
    }
    char root[2 * CHAIN_HASH_BYTES + 1];
    sodium_bin2hex(root, sizeof root, chain_ledger_tip(chain_node_ledger(n))->state_root.octets, CHAIN_HASH_BYTES);
    json_t *object = describe_status(live);
    json_object_set_new(object, "summary", json_true());
    json_object_set_new(object, "engine", json_string(live->config->node.cluster.genesis.engine));
    json_object_set_new(object, "state_root", json_string(root));
    json_object_set_new(object, "wall_s", json_real((double)(app_live_wall_ns() - live->begin_wall_ns) * 1e-9));
    json_object_set_new(object, "waveform", json_string(live->waveform->name));
    json_object_set_new(object, "noise_dbfs", json_real(live->noise_dbfs));
    json_object_set_new(object, "profile", describe_profile(&live->profile));
    json_object_set_new(object, "frames", describe_frames(live, &mac));
    json_object_set_new(object, "late", describe_late(live, &mac));
    json_object_set_new(object, "refused", describe_refused(live));
    json_object_set_new(object, "samples", describe_samples(live));
    json_object_set_new(object, "radio", describe_radio(live));
    json_object_set_new(object, "blocks_fetched", json_integer((json_int_t)node.blocks_fetched));
    json_object_set_new(object, "syncs", json_integer((json_int_t)live->loop.counts.syncs));
    print_json(object);
}
