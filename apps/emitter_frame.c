/* Prepared frames and pilots of a waveform. */
#include "apps/emitter_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "phy/air/key.h"
#include "phy/crc.h"

/* Subcarriers of 64 that carry a waveform's pilots. */
uint32_t app_emitter_pilots(const struct phy_waveform *waveform, double *tones_out)
{
    static const int wifi[] = {-21, -7, 7, 21}, flex[] = {-25, -18, -11, -4, 4, 11, 18, 25};
    bool is_wifi = strcmp(waveform->name, "wifi") == 0;
    uint32_t n = is_wifi ? 4 : 8;
    for (uint32_t i = 0; i < n; i++)
        tones_out[i] = (is_wifi ? wifi[i] : flex[i]) / 64.0;
    return n;
}

static void ignore_lock(void *ctx, size_t offset)
{
    (void)ctx;
    (void)offset;
}

static void ignore_frame(void *ctx, size_t end_offset, const struct phy_frame *frame)
{
    (void)ctx;
    (void)end_offset;
    (void)frame;
}

/* A data frame to everybody from nobody, whose Duration asks for 5 ms of silence; FCS included. */
static size_t write_lie(uint64_t seed, uint8_t *psdu)
{
    enum { HEADER = 24, BODY = 40 };
    static const uint8_t head[HEADER] = {0x08, 0x00, 0x88, 0x13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x00,
                                         0x5e, 0x10, 0x00, 0x01, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 0x00, 0x00};
    memcpy(psdu, head, HEADER);
    for (size_t i = 0; i < BODY; i++)
        psdu[HEADER + i] = (uint8_t)phy_key(phy_key(seed, PHY_KEY_EMITTER), i);
    uint32_t fcs = phy_crc32(psdu, HEADER + BODY);
    for (size_t i = 0; i < PHY_FCS_BYTES; i++)
        psdu[HEADER + BODY + i] = (uint8_t)(fcs >> (8 * i));
    return HEADER + BODY + PHY_FCS_BYTES;
}

static void *allocate(size_t n)
{
    size_t n_bytes = (n + 63) / 64 * 64;
    void *mem = aligned_alloc(64, n_bytes);
    return mem ? memset(mem, 0, n_bytes) : NULL;
}

long app_emitter_frame(const struct phy_waveform *waveform, uint32_t rate_hz, uint64_t seed, bool whole, float complex **out)
{
    uint8_t psdu[128];
    size_t len = write_lie(seed, psdu), cap = waveform->frame_samples(len, 0) + 16;
    struct phy_waveform_demod *d = NULL;
    const struct phy_waveform_config cfg = {.sample_rate_hz = rate_hz, .on_lock = ignore_lock, .on_frame = ignore_frame};
    void *mem = allocate(waveform->bytes());
    *out = allocate(cap * sizeof **out);
    long n = mem && *out ? waveform->open(mem, &cfg, &d) : -ENOMEM;
    if (n == 0) {
        n = waveform->modulate(d, psdu, len, 0, *out, cap);
        waveform->close(d);
    }
    free(mem);
    long preamble = strcmp(waveform->name, "wifi") == 0 ? 320 : 240;
    return n > preamble && !whole ? preamble : n;
}
