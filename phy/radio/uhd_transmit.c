/* Timed bursts to a USRP: a bounded queue, a thread that sends, a thread that hears what became of it. */
#ifdef AIRDEED_HAVE_UHD
#include "phy/radio/uhd_internal.h"
#include "phy/radio/uhd_time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_BURST_SAMPLES = 1 << 21 };

static const int64_t ahead_ns = 100000000;    /* a piece leaves the host this long before its time: what a cut cannot call back */
static const int64_t stall_ns = 500000000;    /* a caller that does not call receive for so long is not in charge any more */
static const int64_t horizon_ns = 2000000000; /* a burst further in the future is a mistake */
static const int64_t turn_ns = 100000000;     /* threads look up at least this often */
static const double send_timeout_s = .5;

static int64_t samples_of(const struct uhd_radio *u, int64_t ns)
{
    return (int64_t)((double)ns * 1e-9 * (double)u->rate_hz);
}

/* The radio's present sample, at least: what was received, and the time since then. Under lock. */
static int64_t present(const struct uhd_radio *u)
{
    return (int64_t)u->seen + samples_of(u, uhd_now_ns() - u->seen_ns);
}

/* Under lock. */
static void push_report(struct uhd_radio *u, enum phy_radio_report_kind kind, uint64_t sample)
{
    if (u->n_reports == UHD_MAX_REPORTS) {
        u->count[UHD_REPORTS_LOST]++;
        return;
    }
    u->reports[(u->i_report + u->n_reports++) % UHD_MAX_REPORTS] = (struct phy_radio_report){kind, sample};
}

int uhd_report(struct phy_radio *r, struct phy_radio_report *out)
{
    struct uhd_radio *u = (struct uhd_radio *)r;
    pthread_mutex_lock(&u->lock);
    bool there = u->n_reports > 0;
    if (there) {
        *out = u->reports[u->i_report];
        u->i_report = (u->i_report + 1) % UHD_MAX_REPORTS;
        u->n_reports--;
    }
    pthread_mutex_unlock(&u->lock);
    return there;
}

uint64_t uhd_lead_samples(const struct phy_radio *r)
{
    struct uhd_radio *u = (struct uhd_radio *)(uintptr_t)r;
    pthread_mutex_lock(&u->lock);
    uint64_t lead = u->lead;
    pthread_mutex_unlock(&u->lock);
    return lead;
}

/* Under lock. */
static int admit(struct uhd_radio *u, uint64_t start_sample, size_t n)
{
    int64_t now = present(u);
    if (start_sample > INT64_MAX / 2 || (int64_t)start_sample - now > samples_of(u, horizon_ns))
        return -EINVAL;
    if ((int64_t)start_sample <= now) {
        u->count[UHD_LATE_HOST]++;
        return -ETIME;
    }
    if (start_sample < u->last_end)
        return -EBUSY;
    if (u->n_bursts == UHD_MAX_BURSTS || n > u->ring_cap - u->ring_used) {
        u->count[UHD_QUEUE_FULL]++;
        return -ENOBUFS;
    }
    return 0;
}

int uhd_transmit(struct phy_radio *r, uint64_t start_sample, const float complex *samples, size_t n)
{
    struct uhd_radio *u = (struct uhd_radio *)r;
    if (!u->transmits)
        return -EPERM;
    if (u->gone)
        return -ENODEV;
    if (n == 0 || n > u->ring_cap / 2)
        return -EINVAL;
    pthread_mutex_lock(&u->lock);
    int rc = admit(u, start_sample, n);
    if (rc == 0) {
        size_t n_head = n < u->ring_cap - u->ring_at ? n : u->ring_cap - u->ring_at;
        memcpy(u->ring + u->ring_at, samples, n_head * sizeof *samples);
        memcpy(u->ring, samples + n_head, (n - n_head) * sizeof *samples);
        u->bursts[(u->i_first + u->n_bursts++) % UHD_MAX_BURSTS] = (struct uhd_burst){start_sample, n, u->ring_at};
        u->ring_at = (u->ring_at + n) % u->ring_cap;
        u->ring_used += n;
        u->last_end = start_sample + n;
        u->count[UHD_BURSTS]++;
        pthread_cond_broadcast(&u->wake);
    }
    pthread_mutex_unlock(&u->lock);
    return rc;
}

/* Under lock: sleeps for at most turn_ns, less if woken. */
static void doze(struct uhd_radio *u, int64_t ns)
{
    int64_t until_ns = uhd_now_ns() + (ns < turn_ns ? ns : turn_ns);
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000)};
    (void)pthread_cond_timedwait(&u->wake, &u->lock, &until);
}

/* Under lock: until a sample's time to leave the host has come. False: it must not leave any more. */
static bool await_turn(struct uhd_radio *u, uint64_t sample)
{
    for (;;) {
        if (u->stop || u->late)
            return false;
        if (uhd_now_ns() - u->called_ns > stall_ns) {
            u->count[UHD_STALLED]++;
            return false;
        }
        int64_t early = (int64_t)sample - present(u) - samples_of(u, ahead_ns);
        if (early <= 0)
            return true;
        doze(u, (int64_t)((double)early * 1e9 / (double)u->rate_hz) + 1);
    }
}

/* Not under lock. A piece of no samples with end_of_burst closes what is open.
 *
 * Every piece carries the time of the burst's first sample. The radio looks at it only where no burst is in progress: where the first
 * piece was late, or the burst was starved, what follows is late, too, and none of it is sent headless (radio_tx_core.v of UHD 4:
 * ST_TIME_CHECK follows ST_IDLE alone; libuhd's underflow_policy, which asks for the same, reaches older radios only). */
static bool send_piece(struct uhd_radio *u, const struct uhd_burst *burst, size_t n, bool first, bool last)
{
    uhd_tx_metadata_handle md;
    struct phy_uhd_time time = phy_uhd_time_of(u->origin + (int64_t)burst->start_sample, u->rate_hz);
    if (uhd_tx_metadata_make(&md, true, time.full_secs, time.frac_secs, first, last) != UHD_ERROR_NONE)
        return false;
    const void *buffers[1] = {u->piece};
    size_t n_sent = 0;
    uhd_error err = uhd_tx_streamer_send(u->tx, buffers, n, &md, send_timeout_s, &n_sent);
    (void)uhd_tx_metadata_free(&md);
    return err == UHD_ERROR_NONE && n_sent == n;
}

/* Under lock, given up while sending. */
static void send_burst(struct uhd_radio *u, const struct uhd_burst *burst)
{
    size_t done = 0;
    u->late = false;
    while (done < burst->n && await_turn(u, burst->start_sample + done)) {
        if (done == 0 && (int64_t)burst->start_sample <= present(u)) {
            u->count[UHD_LATE_HOST]++;
            push_report(u, PHY_RADIO_LATE, burst->start_sample);
            return;
        }
        size_t n = burst->n - done < u->piece_cap ? burst->n - done : u->piece_cap;
        for (size_t i = 0; i < n; i++)
            u->piece[i] = u->ring[(burst->at + done + i) % u->ring_cap];
        pthread_mutex_unlock(&u->lock);
        bool sent = send_piece(u, burst, n, done == 0, done + n == burst->n);
        pthread_mutex_lock(&u->lock);
        if (!sent)
            break;
        done += n;
    }
    if (done == burst->n)
        return;
    if (!u->late) { /* the radio has told that */
        u->count[UHD_CUT]++;
        push_report(u, PHY_RADIO_FAULT, burst->start_sample + done);
    }
    if (done > 0) {
        pthread_mutex_unlock(&u->lock);
        (void)send_piece(u, burst, 0, false, true);
        pthread_mutex_lock(&u->lock);
    }
}

static void *run_sender(void *arg)
{
    struct uhd_radio *u = arg;
    pthread_mutex_lock(&u->lock);
    while (!u->stop) {
        if (u->n_bursts == 0) {
            doze(u, turn_ns);
            continue;
        }
        struct uhd_burst burst = u->bursts[u->i_first];
        send_burst(u, &burst);
        u->i_first = (u->i_first + 1) % UHD_MAX_BURSTS;
        u->n_bursts--;
        u->ring_used -= burst.n;
    }
    pthread_mutex_unlock(&u->lock);
    return NULL;
}

/* Under lock. */
static void note_event(struct uhd_radio *u, uhd_async_metadata_event_code_t code, uint64_t sample)
{
    switch (code) {
    case UHD_ASYNC_METADATA_EVENT_CODE_BURST_ACK:
        u->count[UHD_BURSTS_DONE]++;
        push_report(u, PHY_RADIO_BURST_DONE, sample);
        break;
    case UHD_ASYNC_METADATA_EVENT_CODE_UNDERFLOW:
    case UHD_ASYNC_METADATA_EVENT_CODE_UNDERFLOW_IN_PACKET:
        u->count[UHD_UNDERFLOWS]++;
        push_report(u, PHY_RADIO_UNDERFLOW, sample);
        break;
    case UHD_ASYNC_METADATA_EVENT_CODE_SEQ_ERROR:
    case UHD_ASYNC_METADATA_EVENT_CODE_SEQ_ERROR_IN_BURST:
        u->count[UHD_SEQUENCE_ERRORS]++;
        push_report(u, PHY_RADIO_SEQUENCE_ERROR, sample);
        break;
    case UHD_ASYNC_METADATA_EVENT_CODE_TIME_ERROR: {
        if (u->late) /* another piece of the same burst */
            break;
        u->late = true;
        uint64_t longer = u->lead + u->lead / 4 + u->rate_hz / 1000, most = u->rate_hz / 2;
        u->count[UHD_LATE_DEVICE]++;
        u->lead = longer < most ? longer : most;
        push_report(u, PHY_RADIO_LATE, sample);
        break;
    }
    case UHD_ASYNC_METADATA_EVENT_CODE_USER_PAYLOAD: break;
    }
}

static void hear_event(struct uhd_radio *u)
{
    uhd_async_metadata_event_code_t code;
    bool has_time = false;
    struct phy_uhd_time time;
    int64_t number = INT64_MIN;
    if (uhd_async_metadata_event_code(u->async_md, &code) != UHD_ERROR_NONE)
        return;
    if (uhd_async_metadata_has_time_spec(u->async_md, &has_time) == UHD_ERROR_NONE && has_time &&
        uhd_async_metadata_time_spec(u->async_md, &time.full_secs, &time.frac_secs) == UHD_ERROR_NONE)
        number = phy_uhd_number_of(time, u->rate_hz);
    pthread_mutex_lock(&u->lock);
    note_event(u, code, number > u->origin ? (uint64_t)(number - u->origin) : 0);
    pthread_mutex_unlock(&u->lock);
}

static void *run_listener(void *arg)
{
    struct uhd_radio *u = arg;
    pthread_mutex_lock(&u->lock);
    while (!u->stop) {
        pthread_mutex_unlock(&u->lock);
        bool there = false;
        bool failed = uhd_tx_streamer_recv_async_msg(u->tx, &u->async_md, (double)turn_ns * 1e-9, &there) != UHD_ERROR_NONE;
        if (there)
            hear_event(u);
        pthread_mutex_lock(&u->lock);
        if (failed) /* the device is gone: receive says so */
            doze(u, turn_ns);
    }
    pthread_mutex_unlock(&u->lock);
    return NULL;
}

static int make_streamer(struct uhd_radio *u, const char *wire_format)
{
    /* what follows a late or starved piece of a burst is not sent either */
    static char cpu_format[] = "fc32", args[] = "underflow_policy=next_burst";
    char wire[8];
    strncpy(wire, *wire_format ? wire_format : "sc16", sizeof wire - 1);
    wire[sizeof wire - 1] = '\0';
    uhd_stream_args_t stream = {.cpu_format = cpu_format, .otw_format = wire, .args = args, .channel_list = &u->channel, .n_channels = 1};
    if (uhd_tx_streamer_make(&u->tx) != UHD_ERROR_NONE || uhd_async_metadata_make(&u->async_md) != UHD_ERROR_NONE ||
        uhd_usrp_get_tx_stream(u->usrp, &stream, u->tx) != UHD_ERROR_NONE ||
        uhd_tx_streamer_max_num_samps(u->tx, &u->piece_cap) != UHD_ERROR_NONE || u->piece_cap == 0)
        return uhd_fail(u, -EIO, "the transmit stream cannot be opened");
    return 0;
}

int uhd_transmit_open(struct uhd_radio *u, const char *wire_format)
{
    int rc = make_streamer(u, wire_format);
    if (rc != 0)
        return rc;
    size_t longest = u->rate_hz < MAX_BURST_SAMPLES ? u->rate_hz : MAX_BURST_SAMPLES;
    u->ring_cap = 2 * longest;
    u->ring = calloc(u->ring_cap, sizeof *u->ring);
    u->piece = calloc(u->piece_cap, sizeof *u->piece);
    if (!u->ring || !u->piece)
        return -ENOMEM;
    u->sender_runs = pthread_create(&u->sender, NULL, run_sender, u) == 0;
    u->listener_runs = u->sender_runs && pthread_create(&u->listener, NULL, run_listener, u) == 0;
    u->transmits = u->listener_runs;
    return u->transmits ? 0 : -EAGAIN;
}

void uhd_transmit_close(struct uhd_radio *u)
{
    pthread_mutex_lock(&u->lock);
    u->stop = true;
    pthread_cond_broadcast(&u->wake);
    pthread_mutex_unlock(&u->lock);
    if (u->sender_runs)
        pthread_join(u->sender, NULL);
    if (u->listener_runs)
        pthread_join(u->listener, NULL);
    if (u->tx)
        (void)uhd_tx_streamer_free(&u->tx);
    if (u->async_md)
        (void)uhd_async_metadata_free(&u->async_md);
    free(u->ring);
    free(u->piece);
}
#else
extern const char phy_radio_uhd_transmit_is_left_out;
#endif
