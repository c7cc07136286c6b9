/* A radio whose air is a pair of sample streams over ZeroMQ (phy/radio/zmq_link.h): "tx" answers requests, "rx" asks.
 *
 * Both streams begin at sample 0 and run side by side: sample i of tx is on the air while sample i of rx is heard. A request for tx
 * waits until what it asks for is settled: handed over, promised by idle_until, or within lead_samples of what receive() gave out.
 * Every call serves tx while it waits for anything else, so that a peer that needs our samples before it can give us its own gets
 * them. When a peer comes back, tx goes on at the next sample of rx: the two streams of a new peer begin together, too. */
#include "phy/radio/outbox.h"
#include "phy/radio/radio.h"
#include "phy/radio/zmq_link.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MAX_ENDPOINT = PHY_RADIO_MAX_TEXT,
    DEFAULT_LEAD_SAMPLES = 256,
    DEFAULT_QUEUE_SAMPLES = 1 << 20,
    MAX_QUEUE_SAMPLES = 1 << 26,
    MAX_REPLY_SAMPLES = 1 << 16,
    MAX_LEAD_SAMPLES = 1 << 20,
    MAX_ENDS = PHY_OUTBOX_MAX_BURSTS
};
static const int64_t max_lag_ns = 100000000; /* a paced stream that fell behind by more does not hurry */

struct zmq_options {
    char tx[MAX_ENDPOINT], rx[MAX_ENDPOINT];
    uint64_t lead, request, pace, queue;
};

struct zmq_radio {
    struct phy_radio radio; /* first: ops are called with it */
    struct zmq_options options;
    void *context;
    struct phy_zmq_source source;
    struct phy_zmq_sink sink;
    struct phy_outbox outbox;
    float complex *ring;
    uint64_t rx_next;     /* first sample that receive() has not given out */
    uint64_t lead;
    uint64_t ends[MAX_ENDS]; /* of bursts given away, the first n_told of them taken by the peer for certain */
    size_t i_end, n_ends, n_told;
    int64_t pace_origin_ns; /* when sample 0 of tx would have been due */
    bool paced;             /* the origin stands */
    uint64_t n_sent, n_late, n_overlapping, n_refused, n_not_allowed, n_cut;
    char error[PHY_RADIO_MAX_ERROR];
};

static struct zmq_radio *self(struct phy_radio *r)
{
    return (struct zmq_radio *)r;
}

static int64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- transmitting --------------------------------------------------------------------------------------------------------------- */

/* When n more samples may leave; now or earlier where nothing is paced */
static int64_t find_due_ns(struct zmq_radio *z, uint64_t n, int64_t now_ns)
{
    if (!z->options.pace)
        return now_ns;
    double ns_a_sample = 1e9 / z->radio.sample_rate_hz;
    int64_t due_ns = z->pace_origin_ns + (int64_t)((double)(z->outbox.next + n) * ns_a_sample);
    if (!z->paced || now_ns - due_ns > max_lag_ns) {
        z->pace_origin_ns = now_ns - (int64_t)((double)z->outbox.next * ns_a_sample);
        z->paced = true;
        due_ns = now_ns + (int64_t)((double)n * ns_a_sample);
    }
    return due_ns;
}

/* The peer asked for what follows, so that it has all before; the stream of a peer that is new begins where ours stands. */
static void note_request(struct zmq_radio *z)
{
    z->n_told = z->n_ends;
    if (!z->sink.fresh)
        return;
    z->sink.fresh = false;
    z->paced = false;
    if (z->sink.n_replies > 0 && z->source.socket) {
        uint64_t n_held = z->source.n_held - z->source.i_held;
        z->n_cut += phy_outbox_move(&z->outbox, z->rx_next + n_held);
    }
}

static void keep_end(struct zmq_radio *z, uint64_t end)
{
    if (z->n_ends == MAX_ENDS) { /* nobody reads the reports: the oldest goes */
        z->i_end = (z->i_end + 1) % MAX_ENDS;
        z->n_ends--;
        z->n_told -= z->n_told > 0;
    }
    z->ends[(z->i_end + z->n_ends++) % MAX_ENDS] = end;
    z->n_sent++;
}

/* Answers a waiting request as far as may be. *again_ns_out: when to come again though nothing happened, INT64_MAX never. */
static int serve(struct zmq_radio *z, int64_t *again_ns_out)
{
    *again_ns_out = INT64_MAX;
    if (!z->sink.socket)
        return 0;
    bool waited = z->sink.asked;
    int err = phy_zmq_sink_take(&z->sink);
    if (err <= 0)
        return err;
    if (!waited || z->sink.fresh)
        note_request(z);
    uint64_t lead_end = z->rx_next + z->lead;
    phy_outbox_settle(&z->outbox, lead_end);
    uint64_t n = phy_outbox_ready(&z->outbox);
    n = n < z->sink.wanted ? n : z->sink.wanted;
    n = n < MAX_REPLY_SAMPLES ? n : MAX_REPLY_SAMPLES;
    if (n == 0)
        return 0;
    int64_t now_ns = monotonic_ns(), due_ns = find_due_ns(z, n, now_ns);
    if (due_ns > now_ns) {
        *again_ns_out = due_ns;
        return 0;
    }
    err = phy_zmq_sink_begin(&z->sink);
    if (err <= 0)
        return err;
    zmq_msg_t reply;
    if (zmq_msg_init_size(&reply, n * PHY_ZMQ_SAMPLE_BYTES) < 0)
        return -ENOMEM;
    uint64_t ends[PHY_OUTBOX_MAX_BURSTS];
    size_t n_ends = phy_outbox_take(&z->outbox, zmq_msg_data(&reply), n, ends);
    for (size_t i = 0; i < n_ends; i++)
        keep_end(z, ends[i]);
    return phy_zmq_sink_give(&z->sink, &reply);
}

static int transmit(struct phy_radio *r, uint64_t start_sample, const float complex *samples, size_t n)
{
    struct zmq_radio *z = self(r);
    if (!z->sink.socket) {
        z->n_not_allowed++;
        return -EPERM;
    }
    int err = phy_outbox_put(&z->outbox, start_sample, samples, n);
    z->n_late += err == -ETIME;
    z->n_overlapping += err == -EBUSY;
    z->n_refused += err == -ENOBUFS;
    int64_t again_ns;
    int served = serve(z, &again_ns);
    return err ? err : served;
}

static int idle_until(struct phy_radio *r, uint64_t sample)
{
    int64_t again_ns;
    phy_outbox_settle(&self(r)->outbox, sample);
    return serve(self(r), &again_ns);
}

static uint64_t lead_samples(const struct phy_radio *r)
{
    return ((const struct zmq_radio *)r)->lead;
}

static int report(struct phy_radio *r, struct phy_radio_report *out)
{
    struct zmq_radio *z = self(r);
    if (z->n_told == 0)
        return 0;
    *out = (struct phy_radio_report){PHY_RADIO_BURST_DONE, z->ends[z->i_end]};
    z->i_end = (z->i_end + 1) % MAX_ENDS;
    z->n_ends--;
    z->n_told--;
    return 1;
}

/* --- receiving ------------------------------------------------------------------------------------------------------------------ */

static int explain_bad_reply(struct zmq_radio *z)
{
    snprintf(z->error, sizeof z->error, "zmq: rx %s: a reply of %zu octets is not whole samples of %d octets each%s", z->options.rx,
             z->source.bad_bytes, PHY_ZMQ_SAMPLE_BYTES,
             z->source.bad_is_tagged ? "; it begins like GNU Radio's tag header: switch pass_tags off there" : "");
    return -EPROTO;
}

/* 1: there is something to give out */
static int ask_and_take(struct zmq_radio *z)
{
    if (!z->source.socket) /* silence, as far as tx was taken */
        return z->outbox.next > z->rx_next;
    int got = phy_zmq_source_take(&z->source);
    if (got == 0 && phy_zmq_source_ask(&z->source, MAX_REPLY_SAMPLES) > 0)
        got = phy_zmq_source_take(&z->source);
    return got;
}

static int wait_for_peers(struct zmq_radio *z, int64_t until_ns)
{
    struct phy_zmq_wait w = {.n = 0};
    phy_zmq_wait_source(&w, &z->source);
    phy_zmq_wait_sink(&w, &z->sink);
    return phy_zmq_wait(&w, until_ns - monotonic_ns());
}

/* Until there is something to give out, serving tx meanwhile */
static int pump(struct zmq_radio *z, int64_t until_ns)
{
    for (;;) {
        int64_t again_ns;
        int err = serve(z, &again_ns);
        int got = err ? err : ask_and_take(z);
        if (got == -EPROTO)
            return explain_bad_reply(z);
        if (got < 0)
            return got;
        if (got > 0)
            return 0;
        if (monotonic_ns() >= until_ns)
            return -EAGAIN;
        err = wait_for_peers(z, again_ns < until_ns ? again_ns : until_ns);
        if (err)
            return err;
    }
}

static uint64_t count_full_scale(const float complex *samples, size_t n)
{
    uint64_t n_full = 0;
    for (size_t i = 0; i < n; i++)
        n_full += fabsf(crealf(samples[i])) >= 1.0f || fabsf(cimagf(samples[i])) >= 1.0f;
    return n_full;
}

static int receive(struct phy_radio *r, float complex *out, size_t cap, int64_t timeout_ns, struct phy_radio_block *block_out)
{
    struct zmq_radio *z = self(r);
    *block_out = (struct phy_radio_block){.start_sample = z->rx_next};
    if (cap == 0)
        return -EINVAL;
    int64_t now_ns = monotonic_ns();
    int err = pump(z, timeout_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + timeout_ns);
    if (err) {
        if (err != -EAGAIN && err != -EPROTO)
            snprintf(z->error, sizeof z->error, "zmq: %s", zmq_strerror(-err));
        return err;
    }
    size_t n_nonfinite = 0;
    if (z->source.socket) {
        block_out->n = phy_zmq_source_read(&z->source, out, cap, &n_nonfinite);
        block_out->n_clipped = count_full_scale(out, block_out->n);
    } else {
        uint64_t n = z->outbox.next - z->rx_next;
        block_out->n = n < cap ? (size_t)n : cap;
        memset(out, 0, block_out->n * sizeof *out);
    }
    block_out->n_nonfinite = n_nonfinite;
    z->rx_next += block_out->n;
    /* asked already while the caller works on what it got */
    err = z->source.socket ? phy_zmq_source_ask(&z->source, MAX_REPLY_SAMPLES) : 0;
    return err < 0 ? err : 0;
}

/* --- the rest of the port ------------------------------------------------------------------------------------------------------- */

static uint64_t count_returns(uint64_t n_connections)
{
    return n_connections > 1 ? n_connections - 1 : 0;
}

static size_t counters(const struct phy_radio *r, struct phy_radio_counter *out, size_t cap)
{
    const struct zmq_radio *z = (const struct zmq_radio *)r;
    const struct phy_radio_counter all[] = {
        {"bursts_sent", "bursts whose last sample was given to the peer", z->n_sent},
        {"late", "bursts that came when their first sample had been given away as silence; they were not sent", z->n_late},
        {"overlapping", "bursts that began before the end of the one before; they were not sent", z->n_overlapping},
        {"queue_full", "bursts for which the queue had no room; they were not sent", z->n_refused},
        {"not_allowed", "bursts handed over though no transmitter was opened", z->n_not_allowed},
        {"cut", "bursts that were begun or due when the peer vanished and the stream went on elsewhere", z->n_cut},
        {"tx_returns", "times that whoever asks us for samples came anew", count_returns(z->sink.n_connections)},
        {"bad_requests", "requests of no octets, answered with no samples", z->sink.n_bad},
        {"rx_returns", "times that whoever gives us samples came anew: its stream may have begun afresh", count_returns(z->source.n_connections)},
        {"unanswered", "requests whose connection ended before the reply: the peer vanished, or began a reply of more than 1 GiB",
         z->source.n_unanswered},
        {"empty_replies", "replies without samples; asked again", z->source.n_empty},
        {"bad_replies", "replies that were not whole samples; dropped", z->source.n_bad},
        {"nonfinite", "received samples that were no finite numbers; zero instead", z->source.n_nonfinite},
    };
    size_t n = sizeof all / sizeof *all < cap ? sizeof all / sizeof *all : cap;
    memcpy(out, all, n * sizeof *out);
    return n;
}

static const char *last_error(const struct phy_radio *r)
{
    return ((const struct zmq_radio *)r)->error;
}

static void close_radio(struct phy_radio *r)
{
    struct zmq_radio *z = self(r);
    phy_zmq_source_close(&z->source);
    phy_zmq_sink_close(&z->sink);
    if (z->context)
        zmq_ctx_term(z->context); /* every socket is closed: it waits for the last answer, and not for long */
    free(z->ring);
    free(z);
}

static const struct phy_radio_ops ops = {
    .name = "zmq",
    .receive = receive,
    .transmit = transmit,
    .idle_until = idle_until,
    .lead_samples = lead_samples,
    .report = report,
    .counters = counters,
    .last_error = last_error,
    .close = close_radio,
};

/* --- opening -------------------------------------------------------------------------------------------------------------------- */

static int fail(char *error_out, int err, const char *what, const char *text)
{
    snprintf(error_out, PHY_RADIO_MAX_ERROR, "zmq: %s%s%s", what, *text ? ": " : "", text);
    return err;
}

/* ZeroMQ resolves what it connects to later and again and again, so that a port that cannot be would look like a peer that is not there. */
static int check_port(const char *text, size_t len, const char *endpoint, char *error_out)
{
    const char *colon = strrchr(endpoint, ':');
    if (strncmp(endpoint, "tcp://", 6) != 0)
        return 0;
    size_t n_digits = strspn(colon + 1, "0123456789");
    unsigned long port = n_digits > 0 && n_digits < 6 && !colon[1 + n_digits] ? strtoul(colon + 1, NULL, 10) : 0;
    if (colon > endpoint + 5 && port >= 1 && port <= 65535)
        return 0;
    snprintf(error_out, PHY_RADIO_MAX_ERROR, "zmq: '%.*s': %s%s a port from 1 to 65535", (int)len, text,
             colon > endpoint + 5 ? colon + 1 : "it", colon > endpoint + 5 ? " is not" : " does not end with");
    return -EINVAL;
}

/* One "key=value" of the address */
static int parse_option(struct zmq_options *o, unsigned *given, const char *text, size_t len, char *error_out)
{
    const struct {
        const char *key;
        char *text;
        uint64_t *number, min, max;
    } keys[] = {
        {"tx=", o->tx, NULL, 0, 0},
        {"rx=", o->rx, NULL, 0, 0},
        {"lead=", NULL, &o->lead, 1, MAX_LEAD_SAMPLES},
        {"request=", NULL, &o->request, 1, 4},
        {"pace=", NULL, &o->pace, 0, 1},
        {"queue=", NULL, &o->queue, 1, MAX_QUEUE_SAMPLES},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t n_key = strlen(keys[i].key), n_value = len - n_key;
        if (len <= n_key || strncmp(text, keys[i].key, n_key) != 0)
            continue;
        if (*given & 1u << i) {
            snprintf(error_out, PHY_RADIO_MAX_ERROR, "zmq: '%.*s': %.*s is given twice", (int)len, text, (int)n_key - 1, text);
            return -EINVAL;
        }
        *given |= 1u << i;
        if (keys[i].text) {
            memcpy(keys[i].text, text + n_key, n_value);
            keys[i].text[n_value] = '\0';
            return check_port(text, len, keys[i].text, error_out);
        }
        char *end;
        errno = 0;
        unsigned long long value = strtoull(text + n_key, &end, 10);
        if (text[n_key] < '0' || text[n_key] > '9' || end != text + len || errno || value < keys[i].min || value > keys[i].max ||
            (keys[i].number == &o->request && value != 1 && value != 4)) {
            snprintf(error_out, PHY_RADIO_MAX_ERROR, "zmq: '%.*s': %.*s takes %s%llu %s %llu", (int)len, text, (int)n_key - 1, text,
                     keys[i].number == &o->request ? "" : "a number from ", (unsigned long long)keys[i].min,
                     keys[i].number == &o->request ? "or" : "to", (unsigned long long)keys[i].max);
            return -EINVAL;
        }
        *keys[i].number = value;
        return 0;
    }
    snprintf(error_out, PHY_RADIO_MAX_ERROR, "zmq: '%.*s' is none of tx=ENDPOINT, rx=ENDPOINT, lead=N, request=1|4, pace=0|1, queue=N",
             (int)len, text);
    return -EINVAL;
}

static int parse_address(struct zmq_options *o, const struct phy_radio_config *cfg, char *error_out)
{
    *o = (struct zmq_options){.lead = DEFAULT_LEAD_SAMPLES, .request = 4, .queue = DEFAULT_QUEUE_SAMPLES};
    unsigned given = 0;
    for (const char *at = cfg->address; *at;) {
        size_t len = strcspn(at, ",");
        int err = parse_option(o, &given, at, len, error_out);
        if (err)
            return err;
        at += len + (at[len] == ',');
    }
    if (!o->tx[0] && !o->rx[0])
        return fail(error_out, -EINVAL, "where? zmq:tx=ENDPOINT,rx=ENDPOINT, for instance tx=tcp://127.0.0.1:2000,rx=tcp://127.0.0.1:2001", "");
    if (cfg->transmit && !o->tx[0])
        return fail(error_out, -EINVAL, "to transmit takes tx=ENDPOINT", "");
    if (!cfg->transmit && !o->rx[0])
        return fail(error_out, -EINVAL, "nothing to do: there is no rx=ENDPOINT, and transmission is not allowed", "");
    if (cfg->sample_rate_hz == 0)
        return fail(error_out, -EINVAL, "the sample rate has to be given, the streams do not tell it", "");
    return 0;
}

static int open_sockets(struct zmq_radio *z, bool with_tx, char *error_out)
{
    z->context = zmq_ctx_new();
    if (!z->context)
        return fail(error_out, -errno, "cannot start", zmq_strerror(errno));
    char what[MAX_ENDPOINT + 32];
    int err = with_tx ? phy_zmq_sink_open(&z->sink, z->context, "tx", z->options.tx) : 0;
    if (err) {
        snprintf(what, sizeof what, "cannot bind tx=%s", z->options.tx);
        return fail(error_out, err, what, zmq_strerror(-err));
    }
    err = z->options.rx[0] ? phy_zmq_source_open(&z->source, z->context, "rx", z->options.rx, z->options.request == 4) : 0;
    if (err) {
        snprintf(what, sizeof what, "cannot connect rx=%s", z->options.rx);
        return fail(error_out, err, what, zmq_strerror(-err));
    }
    return 0;
}

static int open_radio(const struct phy_radio_config *cfg, struct phy_radio **out, char *error_out)
{
    struct zmq_options options;
    int err = parse_address(&options, cfg, error_out);
    if (err)
        return err;
    struct zmq_radio *z = calloc(1, sizeof *z);
    float complex *ring = calloc(cfg->transmit ? options.queue : 1, sizeof *ring);
    if (!z || !ring) {
        free(z);
        free(ring);
        return fail(error_out, -ENOMEM, "not enough memory for the queue", "");
    }
    z->radio = (struct phy_radio){&ops, cfg->sample_rate_hz, cfg->center_hz};
    z->options = options;
    z->lead = options.lead;
    z->ring = ring;
    phy_outbox_init(&z->outbox, ring, options.queue);
    err = open_sockets(z, cfg->transmit, error_out);
    if (err) {
        close_radio(&z->radio);
        return err;
    }
    *out = &z->radio;
    return 0;
}

const struct phy_radio_backend phy_radio_zmq = {"zmq", open_radio};
