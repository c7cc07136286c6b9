/* pcapng (draft-ietf-opsawg-pcapng), little-endian: section header, one interface block a station, enhanced packet blocks.
 * Each packet is a radiotap header (radiotap.org) and an IEEE 802.11 frame with its FCS. */
#include "apps/run/pcapng.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_SECTION = 0x0A0D0D0A, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6,
    LINK_RADIOTAP = 127,
    OPT_END = 0, OPT_COMMENT = 1, OPT_IF_NAME = 2, OPT_IF_DESCRIPTION = 3, OPT_IF_TSRESOL = 9, OPT_SECTION_APPLICATION = 4,
    OPT_PACKET_FLAGS = 2,
    FLAG_INBOUND = 1, FLAG_OUTBOUND = 2,
    MAX_BLOCK = 8192, MAX_PSDU = 4096, MAX_COMMENT = 2048, MAX_TEXT = 200
};

/* radiotap "present" bits and flags */
enum {
    RADIOTAP_FLAGS = 1 << 1, RADIOTAP_RATE = 1 << 2, RADIOTAP_CHANNEL = 1 << 3, RADIOTAP_SIGNAL = 1 << 5, RADIOTAP_NOISE = 1 << 6,
    RADIOTAP_MCS = 1 << 19, RADIOTAP_NO_PSDU = 1 << 26, PSDU_NOT_CAPTURED = 1,
    FLAG_FCS_INCLUDED = 0x10, FLAG_FCS_BAD = 0x40,
    MCS_KNOWN_BANDWIDTH = 1, MCS_KNOWN_INDEX = 2, MCS_KNOWN_GUARD = 4, MCS_KNOWN_FORMAT = 8, MCS_WIDE = 1, MCS_SHORT_GUARD = 4,
    CHANNEL_OFDM = 0x0040, CHANNEL_2GHZ = 0x0080, CHANNEL_5GHZ = 0x0100
};

struct waiting { /* a packet's block */
    int64_t unix_ns;
    uint64_t order;
    uint8_t *block;
    size_t len;
};

struct app_pcapng {
    FILE *file;
    struct waiting *waiting;
    size_t n_waiting, waiting_cap;
    uint64_t n_packets;
    int error; /* negative errno of the first failed write */
    size_t n_interfaces;
    size_t len;
    uint8_t block[MAX_BLOCK];
};

static void put_octets(struct app_pcapng *p, const void *data, size_t len)
{
    assert(p->len + len <= sizeof p->block);
    if (len)
        memcpy(p->block + p->len, data, len);
    p->len += len;
}

static void put_u8(struct app_pcapng *p, unsigned value)
{
    uint8_t octet = (uint8_t)value;
    put_octets(p, &octet, 1);
}

static void put_u16(struct app_pcapng *p, unsigned value)
{
    put_u8(p, value & 0xff);
    put_u8(p, value >> 8 & 0xff);
}

static void put_u32(struct app_pcapng *p, uint32_t value)
{
    put_u16(p, value & 0xffff);
    put_u16(p, value >> 16);
}

static void pad_to_4(struct app_pcapng *p)
{
    while (p->len % 4)
        put_u8(p, 0);
}

static void put_option(struct app_pcapng *p, unsigned code, const void *value, size_t len)
{
    put_u16(p, code);
    put_u16(p, (unsigned)len);
    put_octets(p, value, len);
    pad_to_4(p);
}

static void put_text_option(struct app_pcapng *p, unsigned code, const char *text, size_t max_len)
{
    size_t len = strlen(text);
    put_option(p, code, text, len < max_len ? len : max_len);
}

static void begin_block(struct app_pcapng *p, uint32_t type)
{
    p->len = 0;
    put_u32(p, type);
    put_u32(p, 0); /* the length, when it is known */
}

static void close_block(struct app_pcapng *p)
{
    uint32_t total = (uint32_t)p->len + 4;
    for (unsigned i = 0; i < 4; i++)
        p->block[4 + i] = (uint8_t)(total >> 8 * i);
    put_u32(p, total);
}

static void write_block(struct app_pcapng *p, const uint8_t *block, size_t len)
{
    errno = 0;
    if (!p->error && fwrite(block, 1, len, p->file) != len)
        p->error = errno ? -errno : -EIO;
}

static void end_block(struct app_pcapng *p)
{
    close_block(p);
    write_block(p, p->block, p->len);
}

/* The block at hand waits for its turn: a reception is known at its end, and stamped with its beginning. */
static void keep_block(struct app_pcapng *p, int64_t unix_ns)
{
    close_block(p);
    if (p->n_waiting == p->waiting_cap) {
        size_t cap = p->waiting_cap ? 2 * p->waiting_cap : 256;
        struct waiting *grown = realloc(p->waiting, cap * sizeof *grown);
        if (!grown) {
            p->error = p->error ? p->error : -ENOMEM;
            return;
        }
        p->waiting = grown;
        p->waiting_cap = cap;
    }
    uint8_t *block = malloc(p->len);
    if (!block) {
        p->error = p->error ? p->error : -ENOMEM;
        return;
    }
    memcpy(block, p->block, p->len);
    p->waiting[p->n_waiting++] = (struct waiting){.unix_ns = unix_ns, .order = p->n_packets++, .block = block, .len = p->len};
}

static int compare_waiting(const void *left, const void *right)
{
    const struct waiting *a = left, *b = right;
    if (a->unix_ns != b->unix_ns)
        return a->unix_ns < b->unix_ns ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

void app_pcapng_settle(struct app_pcapng *p, int64_t unix_ns)
{
    size_t n = 0;
    if (p->n_waiting == 0)
        return;
    qsort(p->waiting, p->n_waiting, sizeof *p->waiting, compare_waiting);
    for (; n < p->n_waiting && p->waiting[n].unix_ns < unix_ns; n++) {
        write_block(p, p->waiting[n].block, p->waiting[n].len);
        free(p->waiting[n].block);
    }
    p->n_waiting -= n;
    memmove(p->waiting, p->waiting + n, p->n_waiting * sizeof *p->waiting);
}

static void write_section(struct app_pcapng *p)
{
    begin_block(p, BLOCK_SECTION);
    put_u32(p, 0x1A2B3C4D);
    put_u16(p, 1);
    put_u16(p, 0);
    put_u32(p, UINT32_MAX); /* length of the section: not stated */
    put_u32(p, UINT32_MAX);
    put_text_option(p, OPT_SECTION_APPLICATION, "airdeed " AIRDEED_VERSION, MAX_TEXT);
    put_option(p, OPT_END, NULL, 0);
    end_block(p);
}

static void write_interface(struct app_pcapng *p, const char *name)
{
    static const char description[] = "a station of airdeed; antenna signal and noise are dB relative to full scale";
    uint8_t nanoseconds = 9;
    begin_block(p, BLOCK_INTERFACE);
    put_u16(p, LINK_RADIOTAP);
    put_u16(p, 0);
    put_u32(p, 0); /* no limit to what is kept of a packet */
    put_text_option(p, OPT_IF_NAME, name, MAX_TEXT);
    put_text_option(p, OPT_IF_DESCRIPTION, description, MAX_TEXT);
    put_option(p, OPT_IF_TSRESOL, &nanoseconds, 1);
    put_option(p, OPT_END, NULL, 0);
    end_block(p);
}

int app_pcapng_open(const char *path, const char *const *interface_names, size_t n_interfaces, struct app_pcapng **out)
{
    struct app_pcapng *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->file = fopen(path, "wb");
    if (!p->file) {
        int err = -errno;
        free(p);
        return err;
    }
    p->n_interfaces = n_interfaces;
    write_section(p);
    for (size_t i = 0; i < n_interfaces; i++)
        write_interface(p, interface_names[i]);
    *out = p;
    return 0;
}

static unsigned to_dbm_octet(double dbm)
{
    double rounded = floor(dbm + 0.5);
    return (unsigned)(int)(rounded < -128 ? -128 : rounded > 127 ? 127 : rounded) & 0xff;
}

static uint32_t get_rate_500kbps(const struct app_pcapng_frame *frame)
{
    return (frame->rate_kbps + 250) / 500;
}

/* Which fields the frame has. */
static uint32_t find_present(const struct app_pcapng_frame *frame)
{
    uint32_t present = RADIOTAP_FLAGS, rate_500kbps = get_rate_500kbps(frame);
    if (frame->ht)
        present |= RADIOTAP_MCS;
    else if (rate_500kbps >= 1 && rate_500kbps <= 255)
        present |= RADIOTAP_RATE;
    if (frame->channel_center_hz >= 0.5e6 && frame->channel_center_hz < 65535.5e6)
        present |= RADIOTAP_CHANNEL;
    if (isfinite(frame->signal_dbfs))
        present |= RADIOTAP_SIGNAL;
    if (isfinite(frame->noise_dbfs))
        present |= RADIOTAP_NOISE;
    if (frame->psdu_len == 0)
        present |= RADIOTAP_NO_PSDU;
    return present;
}

static void put_channel(struct app_pcapng *p, size_t start, double center_hz)
{
    if ((p->len - start) % 2)
        put_u8(p, 0); /* fields are aligned to their size */
    put_u16(p, (unsigned)(center_hz / 1e6 + 0.5));
    put_u16(p, CHANNEL_OFDM | (center_hz < 3e9 ? CHANNEL_2GHZ : CHANNEL_5GHZ));
}

static void put_mcs(struct app_pcapng *p, const struct app_pcapng_frame *frame)
{
    put_u8(p, MCS_KNOWN_BANDWIDTH | MCS_KNOWN_INDEX | MCS_KNOWN_GUARD | MCS_KNOWN_FORMAT);
    put_u8(p, (frame->ht_wide ? MCS_WIDE : 0) | (frame->ht_short_guard ? MCS_SHORT_GUARD : 0));
    put_u8(p, frame->ht_mcs);
}

static void put_radiotap(struct app_pcapng *p, const struct app_pcapng_frame *frame)
{
    size_t start = p->len;
    uint32_t present = find_present(frame);
    put_u16(p, 0); /* version */
    put_u16(p, 0); /* the length, when it is known */
    put_u32(p, present);
    put_u8(p, (frame->psdu_len ? FLAG_FCS_INCLUDED : 0) | (frame->fcs_bad ? FLAG_FCS_BAD : 0));
    if (present & RADIOTAP_RATE)
        put_u8(p, get_rate_500kbps(frame));
    if (present & RADIOTAP_CHANNEL)
        put_channel(p, start, frame->channel_center_hz);
    if (present & RADIOTAP_SIGNAL)
        put_u8(p, to_dbm_octet(frame->signal_dbfs));
    if (present & RADIOTAP_NOISE)
        put_u8(p, to_dbm_octet(frame->noise_dbfs));
    if (present & RADIOTAP_MCS)
        put_mcs(p, frame);
    if (present & RADIOTAP_NO_PSDU)
        put_u8(p, PSDU_NOT_CAPTURED);
    p->block[start + 2] = (uint8_t)(p->len - start);
}

void app_pcapng_write(struct app_pcapng *p, const struct app_pcapng_frame *frame)
{
    assert(frame->interface < p->n_interfaces && frame->psdu_len <= MAX_PSDU && frame->omitted_len <= frame->psdu_len);
    uint64_t stamp = (uint64_t)frame->unix_ns;
    begin_block(p, BLOCK_PACKET);
    put_u32(p, frame->interface);
    put_u32(p, (uint32_t)(stamp >> 32));
    put_u32(p, (uint32_t)stamp);
    size_t lengths_at = p->len;
    put_u32(p, 0);
    put_u32(p, 0);
    size_t packet_at = p->len;
    put_radiotap(p, frame);
    put_octets(p, frame->psdu, frame->psdu_len - frame->omitted_len);
    uint32_t captured = (uint32_t)(p->len - packet_at), original = captured + (uint32_t)frame->omitted_len;
    for (unsigned i = 0; i < 8; i++)
        p->block[lengths_at + i] = (uint8_t)((i < 4 ? captured : original) >> 8 * (i % 4));
    pad_to_4(p);
    if (frame->comment)
        put_text_option(p, OPT_COMMENT, frame->comment, MAX_COMMENT);
    uint8_t flags[4] = {frame->sent ? FLAG_OUTBOUND : FLAG_INBOUND, 0, 0, 0};
    put_option(p, OPT_PACKET_FLAGS, flags, sizeof flags);
    put_option(p, OPT_END, NULL, 0);
    keep_block(p, frame->unix_ns);
}

int app_pcapng_close(struct app_pcapng *p)
{
    app_pcapng_settle(p, INT64_MAX);
    errno = 0;
    if (fclose(p->file) != 0 && !p->error)
        p->error = errno ? -errno : -EIO;
    int err = p->error;
    free(p->waiting);
    free(p);
    return err;
}
