/* Receiving from a USRP: packets with timestamps into blocks with sample numbers. */
#ifdef AIRDEED_HAVE_UHD
#include "phy/radio/uhd_internal.h"
#include "phy/radio/uhd_time.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

static const int64_t start_after_ns = 100000000;   /* the stream's start, from when it is asked for */
static const int64_t patience_ns = 1000000000;     /* of silence, before the device is asked whether it is there */
static const float full_scale = 32767.0f / 32768;  /* the largest sc16 */

static int ask_number(struct uhd_radio *u, int64_t *number_out)
{
    struct phy_uhd_time now;
    if (uhd_usrp_get_time_now(u->usrp, 0, &now.full_secs, &now.frac_secs) != UHD_ERROR_NONE)
        return uhd_fail(u, -ENODEV, "the radio does not tell its time");
    *number_out = phy_uhd_number_of(now, u->rate_hz);
    return *number_out >= 0 ? 0 : uhd_fail(u, -EIO, "the radio's time is no time");
}

/* Sample 0 is the first start's; a stream that starts again later goes on counting. */
int uhd_start(struct uhd_radio *u)
{
    int64_t now = 0;
    int rc = ask_number(u, &now);
    if (rc != 0)
        return rc;
    int64_t start = now + (int64_t)((double)u->rate_hz * (double)start_after_ns * 1e-9);
    if (u->next == 0)
        u->origin = start;
    if (start - u->origin < (int64_t)u->next) { /* somebody set it anew: no sample has an index any more */
        snprintf(u->error, sizeof u->error, "the radio's clock ran backwards");
        return -EIO;
    }
    struct phy_uhd_time time = phy_uhd_time_of(start, u->rate_hz);
    uhd_stream_cmd_t command = {.stream_mode = UHD_STREAM_MODE_START_CONTINUOUS,
                                .stream_now = false,
                                .time_spec_full_secs = time.full_secs,
                                .time_spec_frac_secs = time.frac_secs};
    if (uhd_rx_streamer_issue_stream_cmd(u->rx, &command) != UHD_ERROR_NONE)
        return uhd_fail(u, -EIO, "the radio does not start its stream");
    u->silent_ns = uhd_now_ns() + start_after_ns;
    return 0;
}

static int restart(struct uhd_radio *u)
{
    uhd_count(u, UHD_RESTARTS, 1);
    uhd_stream_cmd_t stop = {.stream_mode = UHD_STREAM_MODE_STOP_CONTINUOUS, .stream_now = true};
    if (uhd_rx_streamer_issue_stream_cmd(u->rx, &stop) != UHD_ERROR_NONE)
        return uhd_fail(u, -ENODEV, "the radio does not stop its stream");
    return uhd_start(u);
}

static int lose_device(struct uhd_radio *u, const char *what)
{
    u->gone = true;
    return uhd_fail(u, -ENODEV, what);
}

/* Nothing came for a while: is there still a device? One that answers has lost its stream, which is started again. */
static int check_alive(struct uhd_radio *u)
{
    int64_t number;
    if (uhd_now_ns() - u->silent_ns < patience_ns)
        return 0;
    return ask_number(u, &number) != 0 || restart(u) != 0 ? lose_device(u, "no samples come and it does not answer") : 0;
}

/* What the metadata says of a call that brought no samples. */
static int note_error(struct uhd_radio *u)
{
    static const struct {
        uhd_rx_metadata_error_code_t code;
        enum uhd_count which;
    } counts[] = {
        {UHD_RX_METADATA_ERROR_CODE_LATE_COMMAND, UHD_STREAM_LATE}, {UHD_RX_METADATA_ERROR_CODE_BROKEN_CHAIN, UHD_BROKEN_CHAINS},
        {UHD_RX_METADATA_ERROR_CODE_ALIGNMENT, UHD_MISALIGNED},     {UHD_RX_METADATA_ERROR_CODE_BAD_PACKET, UHD_BAD_PACKETS},
    };
    uhd_rx_metadata_error_code_t code;
    bool out_of_sequence = false;
    if (uhd_rx_metadata_error_code(u->rx_md, &code) != UHD_ERROR_NONE)
        return lose_device(u, "receiving failed");
    if (code == UHD_RX_METADATA_ERROR_CODE_OVERFLOW) {
        (void)uhd_rx_metadata_out_of_sequence(u->rx_md, &out_of_sequence);
        uhd_count(u, out_of_sequence ? UHD_LOST_PACKETS : UHD_OVERFLOWS, 1);
    }
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (counts[i].code == code)
            uhd_count(u, counts[i].which, 1);
    bool stopped = code == UHD_RX_METADATA_ERROR_CODE_LATE_COMMAND || code == UHD_RX_METADATA_ERROR_CODE_BROKEN_CHAIN;
    return stopped ? restart(u) : 0;
}

/* The number of a packet's first sample. 0; -EAGAIN for a packet that lies before what was received already. */
static int place(struct uhd_radio *u, uint64_t *start_out)
{
    bool has_time = false;
    size_t offset = 0;
    *start_out = u->next;
    (void)uhd_rx_metadata_fragment_offset(u->rx_md, &offset);
    if (offset > 0 || uhd_rx_metadata_has_time_spec(u->rx_md, &has_time) != UHD_ERROR_NONE || !has_time)
        return 0;
    struct phy_uhd_time time;
    int64_t number = INT64_MIN;
    if (uhd_rx_metadata_time_spec(u->rx_md, &time.full_secs, &time.frac_secs) == UHD_ERROR_NONE)
        number = phy_uhd_number_of(time, u->rate_hz);
    if (number < u->origin || (uint64_t)(number - u->origin) < u->next)
        return -EAGAIN;
    *start_out = (uint64_t)(number - u->origin);
    return 0;
}

static void check_samples(float complex *samples, struct phy_radio_block *block)
{
    for (size_t i = 0; i < block->n; i++) {
        float re = crealf(samples[i]), im = cimagf(samples[i]);
        block->n_clipped += fabsf(re) >= full_scale || fabsf(im) >= full_scale;
        if (!isfinite(re) || !isfinite(im)) {
            samples[i] = 0;
            block->n_nonfinite++;
        }
    }
}

/* -EAGAIN: these samples are of no use. */
static int take(struct uhd_radio *u, float complex *out, size_t n, struct phy_radio_block *block)
{
    uint64_t start;
    if (place(u, &start) != 0) {
        uhd_count(u, UHD_BAD_PACKETS, 1);
        return -EAGAIN;
    }
    *block = (struct phy_radio_block){.start_sample = start, .n = n, .n_lost = start - u->next};
    u->next = start + n;
    u->silent_ns = uhd_now_ns();
    check_samples(out, block);
    pthread_mutex_lock(&u->lock);
    u->count[UHD_LOST_SAMPLES] += block->n_lost;
    u->count[UHD_GAPS] += block->n_lost > 0;
    u->seen = u->next;
    u->seen_ns = u->silent_ns;
    pthread_mutex_unlock(&u->lock);
    return 0;
}

int uhd_receive(struct phy_radio *r, float complex *out, size_t cap, int64_t timeout_ns, struct phy_radio_block *block_out)
{
    struct uhd_radio *u = (struct uhd_radio *)r;
    int64_t now_ns = uhd_now_ns(), until_ns = now_ns + timeout_ns;
    *block_out = (struct phy_radio_block){.start_sample = u->next};
    pthread_mutex_lock(&u->lock);
    u->called_ns = now_ns;
    pthread_mutex_unlock(&u->lock);
    if (u->gone)
        return -ENODEV;
    do {
        void *buffers[1] = {out};
        size_t n = 0;
        double wait_s = until_ns > now_ns ? (double)(until_ns - now_ns) * 1e-9 : 0;
        if (uhd_rx_streamer_recv(u->rx, buffers, cap, &u->rx_md, wait_s, true, &n) != UHD_ERROR_NONE)
            return lose_device(u, "receiving failed");
        if (n > 0 && take(u, out, n, block_out) == 0)
            return 0;
        int rc = n > 0 ? 0 : note_error(u);
        if (rc == 0)
            rc = check_alive(u);
        if (rc != 0)
            return rc;
        now_ns = uhd_now_ns();
    } while (now_ns < until_ns);
    return -EAGAIN;
}
#else
extern const char phy_radio_uhd_receive_is_left_out;
#endif
