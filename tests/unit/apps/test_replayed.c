/* Valid frames of a station, recorded octet by octet and sent again by another radio: samples, production receiver, fingerprint. */
#define SUITE_NAME "replayed frames"
#include "tests/unit/check_main.h"

#include "apps/station/quality.h"
#include "mac/fingerprint.h"
#include "mac/frame.h"
#include "phy/air/air.h"
#include "phy/crc.h"
#include "phy/waveform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FS = 10000000, STATION = 1, COPYIST, LISTENER, NODES = 4, OWN = 80, WITHIN = 20, BLOCK = 400, MAX_MPDU = 200 };

/* Two receivers: the copyist's ears, which record, and the listener's. */
struct scene {
    struct phy *phys[NODES];
    void *phy_memory[NODES], *air_memory;
    struct phy_air *air;
    uint64_t now;
    float complex *burst;
    uint8_t recorded[OWN][MAX_MPDU];
    size_t recorded_len[OWN], n_recorded;
    struct mac_fingerprint fingerprint;
    struct mac_fingerprint_peer peers[4];
    unsigned n_heard, n_flagged;
    struct phy_update update;
};

static void open_phy(struct scene *s, uint32_t node)
{
    struct phy_config cfg = {.waveform = phy_waveform_wifi(), .sample_rate_hz = FS, .noise_dbfs = -60, .cca_energy_db = 8, .cca_samples = 80};
    const char *bad;
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    s->phy_memory[node] = aligned_alloc(64, len);
    ck_assert_int_eq(phy_init(s->phy_memory[node], len, &cfg, &s->phys[node], &bad), 0);
}

static struct scene *open_scene(double copyist_hz)
{
    struct scene *s = calloc(1, sizeof *s);
    const double noise[NODES] = {-60, -60, -60, -60}, offset_hz[NODES] = {0, 1560, copyist_hz, -2080};
    struct phy_air_link links[NODES * NODES];
    for (int i = 0; i < NODES * NODES; i++)
        links[i] = (struct phy_air_link){.gain_db = -40};
    struct phy_air_config air = {.seed = 7, .n_nodes = NODES, .n_channels = 1, .sample_rate_hz = FS, .noise_dbfs = noise,
                                 .carrier_offset_hz = offset_hz, .links = links, .max_emissions = 4};
    const char *bad;
    size_t len = (phy_air_bytes(&air) + 63) / 64 * 64;
    s->air_memory = aligned_alloc(64, len);
    ck_assert_int_eq(phy_air_init(s->air_memory, len, &air, &s->air, &bad), 0);
    for (uint32_t node = STATION; node < NODES; node++)
        open_phy(s, node);
    s->burst = malloc(phy_waveform_wifi()->frame_samples(PHY_MAX_PSDU_BYTES, 0) * sizeof *s->burst);
    struct mac_fingerprint_config cfg = mac_fingerprint_wifi(5.2e9);
    mac_fingerprint_init(&s->fingerprint, &cfg, s->peers, 4);
    return s;
}

static void close_scene(struct scene *s)
{
    for (uint32_t node = STATION; node < NODES; node++) {
        phy_close(s->phys[node]);
        free(s->phy_memory[node]);
    }
    free(s->air_memory);
    free(s->burst);
    free(s);
}

static void take(struct scene *s, uint32_t node, const struct mac_event *event)
{
    const struct mac_address station = mac_address_of(STATION);
    struct mac_fingerprint_reading reading;
    struct mac_frame frame;
    if (event->kind != MAC_EV_FRAME || !event->frame.quality.fcs_ok)
        return;
    ck_assert_int_eq(mac_frame_read(event->frame.mpdu, event->frame.len_bytes, &frame), 0);
    ck_assert(mac_address_equal(&frame.transmitter, &station));
    if (node == COPYIST) {
        ck_assert_uint_lt(s->n_recorded, OWN);
        memcpy(s->recorded[s->n_recorded], event->frame.mpdu, event->frame.len_bytes);
        s->recorded_len[s->n_recorded++] = event->frame.len_bytes;
        return;
    }
    mac_fingerprint_observe(&s->fingerprint, &frame.transmitter, &event->frame.quality, &reading);
    s->n_heard++;
    s->n_flagged += reading.verdict != MAC_FINGERPRINT_NONE;
}

static void hear(struct scene *s, uint32_t node, uint64_t end)
{
    float complex block[BLOCK];
    for (uint64_t at = s->now; at < end; at += BLOCK) {
        struct phy_event samples = {.kind = PHY_EV_SAMPLES, .samples = {block, BLOCK}};
        phy_air_render(s->air, node, 0, at, BLOCK, block);
        ck_assert_int_eq(phy_step(s->phys[node], &samples, &s->update), 0);
        for (size_t i = 0; i < s->update.n_signals; i++) {
            struct mac_event event;
            if (app_mac_event(&s->update.signals[i], FS, &event))
                take(s, node, &event);
        }
    }
}

/* One frame by this node; the listener hears it, and the copyist where he does not send himself. */
static void send(struct scene *s, uint32_t node, const uint8_t *mpdu, size_t len)
{
    struct phy_event transmit = {.kind = PHY_EV_TRANSMIT, .transmit = {s->now + 500, mpdu, len, 0}}, withdraw = {.kind = PHY_EV_WITHDRAW};
    ck_assert_int_eq(phy_step(s->phys[node], &transmit, &s->update), 0);
    size_t n = s->update.burst_len;
    memcpy(s->burst, s->update.burst, n * sizeof *s->burst);
    ck_assert_int_eq(phy_step(s->phys[node], &withdraw, &s->update), 0);
    phy_air_forget(s->air, s->now);
    ck_assert_int_ge(phy_air_emit(s->air, node, 0, s->now + 500, s->burst, n, 1), 0);
    uint64_t end = s->now + (n + 1500 + BLOCK - 1) / BLOCK * BLOCK;
    hear(s, LISTENER, end);
    if (node == STATION)
        hear(s, COPYIST, end);
    for (uint32_t other = STATION; other < LISTENER; other++)
        if (other == node || node == COPYIST) {
            struct phy_event skip = {.kind = PHY_EV_SKIP, .skip.n = end - s->now};
            ck_assert_int_eq(phy_step(s->phys[other], &skip, &s->update), 0);
        }
    s->now = end;
}

static void send_own(struct scene *s, uint16_t sequence)
{
    static const uint8_t payload[112] = {0x17};
    struct mac_frame frame = {.kind = MAC_FRAME_DATA, .receiver = mac_broadcast, .transmitter = mac_address_of(STATION), .bssid = mac_bssid,
                              .sequence = sequence, .ours = true, .payload = payload, .payload_len = sizeof payload};
    uint8_t mpdu[MAX_MPDU];
    size_t len;
    ck_assert_int_eq(mac_frame_write(&frame, mpdu, sizeof mpdu, &len), 0);
    send(s, STATION, mpdu, len);
}

static struct scene *replay(double copyist_hz)
{
    struct scene *s = open_scene(copyist_hz);
    for (uint16_t i = 0; i < OWN; i++)
        send_own(s, i);
    ck_assert_uint_ge(s->n_heard, OWN - 1);
    ck_assert_uint_ge(s->n_recorded, OWN - 1);
    ck_assert_uint_eq(s->n_flagged, 0);
    unsigned n_before = s->n_heard;
    for (size_t i = 0; i < WITHIN; i++)
        send(s, COPYIST, s->recorded[i], s->recorded_len[i]);
    ck_assert_uint_ge(s->n_heard, n_before + WITHIN - 1); /* all of them valid, and under the station's address */
    return s;
}

START_TEST(recorded_frames_that_another_radio_sends_again_are_told_by_its_carrier)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        struct scene *s = replay(1560 + 52 * sign); /* .01 ppm of 5.2 GHz */
        ck_assert_uint_ge(s->n_flagged, 1);
        close_scene(s);
    }
}
END_TEST

START_TEST(the_same_frames_from_a_radio_of_the_same_carrier_are_not)
{
    struct scene *s = replay(1560);
    ck_assert_uint_eq(s->n_flagged, 0);
    close_scene(s);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("replayed frames");
    tcase_add_test(tc, recorded_frames_that_another_radio_sends_again_are_told_by_its_carrier);
    tcase_add_test(tc, the_same_frames_from_a_radio_of_the_same_carrier_are_not);
    suite_add_tcase(suite, tc);
}
