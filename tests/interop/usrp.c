/* What uhd_sim.sh does with a (simulated) USRP through the radio port: usrp MODE URI [ARGUMENTS]. Each mode checks what it
 * received, sample by sample, prints what it found as "name value" lines, and exits 0 if it is as it should be, 1 if not, 3 if the radio
 * does not open, 4 if what should have been tried was late or did not come, so that nothing can be said: real time was too fast.
 * Samples are 16-bit on the wire; they are compared as integers. */
#include "apps/radio_options.h"

#include <complex.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RATE_HZ = 500000, CAP = 8192, MAX_BURST = 500000, WRONG = 1, NOT_OPEN = 3, NOT_IN_TIME = 4 };

static const float full_scale = 32767; /* libuhd's, of sc16 */

struct iq {
    int re, im;
};

static struct iq to_iq(float complex x)
{
    return (struct iq){(int)lrintf(crealf(x) * full_scale), (int)lrintf(cimagf(x) * full_scale)};
}

static uint32_t mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

/* Sample i of burst number k: never zero, any level up to full scale */
static struct iq burst_iq(uint32_t k, size_t i)
{
    uint32_t r = mix(k * 2654435761u + (uint32_t)i);
    int re = (int)(r & 0xffff) - 32768, im = (int)(r >> 16) - 32768;
    return (struct iq){re < -32767 ? -32767 : re ? re : 1, im < -32767 ? -32767 : im};
}

static float complex *make_burst(uint32_t k, size_t n)
{
    float complex *burst = calloc(n, sizeof *burst);
    for (size_t i = 0; burst && i < n; i++) {
        struct iq x = burst_iq(k, i);
        burst[i] = CMPLXF((float)x.re / full_scale, (float)x.im / full_scale);
    }
    return burst;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct phy_radio *open_radio(const char *uri, bool transmit)
{
    struct phy_radio_config cfg = {
        .sample_rate_hz = RATE_HZ, .center_hz = 2.4e9, .rx_gain_db = (double)NAN, .tx_gain_db = (double)NAN, .transmit = transmit};
    struct phy_radio *radio;
    char error[PHY_RADIO_MAX_ERROR];
    int rc = phy_radio_open(uri, &cfg, &radio, error);
    if (rc == 0)
        return radio;
    printf("open %d %s\n", rc, error);
    exit(NOT_OPEN);
}

static uint64_t counter(const struct phy_radio *r, const char *name)
{
    struct phy_radio_counter counters[PHY_RADIO_MAX_COUNTERS];
    size_t n = r->ops->counters(r, counters, PHY_RADIO_MAX_COUNTERS);
    for (size_t i = 0; i < n; i++)
        if (strcmp(counters[i].name, name) == 0)
            return counters[i].count;
    return UINT64_MAX;
}

static void print_counters(const struct phy_radio *r)
{
    struct phy_radio_counter counters[PHY_RADIO_MAX_COUNTERS];
    size_t n = r->ops->counters(r, counters, PHY_RADIO_MAX_COUNTERS);
    for (size_t i = 0; i < n; i++)
        if (counters[i].count > 0)
            printf("%s %llu\n", counters[i].name, (unsigned long long)counters[i].count);
}

struct stream {
    struct phy_radio *radio;
    size_t cap; /* of one receive; less than a packet gives it in parts */
    float complex block[CAP];
    struct phy_radio_block info;
    uint64_t next, n_lost, n_bad_index;
    unsigned n_gaps;
};

/* One block; its index must go on where the one before ended, with what was lost between. 1, 0 for nothing in time, or an error. */
static int take_block(struct stream *s)
{
    int rc = s->radio->ops->receive(s->radio, s->block, s->cap, 100000000, &s->info);
    if (rc == -EAGAIN)
        return 0;
    if (rc != 0)
        return rc;
    s->n_bad_index += s->info.start_sample != s->next + s->info.n_lost;
    s->n_lost += s->info.n_lost;
    s->n_gaps += s->info.n_lost > 0;
    s->next = s->info.start_sample + s->info.n;
    return 1;
}

static void take_until(struct stream *s, uint64_t sample)
{
    for (int64_t until_ms = now_ms() + 10000; s->next < sample && now_ms() < until_ms;)
        if (take_block(s) < 0)
            return;
}

static int wait_report(struct stream *s, struct phy_radio_report *out, int64_t ms)
{
    for (int64_t until_ms = now_ms() + ms; now_ms() < until_ms;) {
        if (s->radio->ops->report(s->radio, out))
            return 1;
        if (take_block(s) < 0)
            return 0;
    }
    return 0;
}

/* --- modes ------------------------------------------------------------------------------------------------------------------------ */

/* receive N [CAP]: the file that the simulator plays holds burst 1 of 50021 samples over and over, from sample 0 on. What comes must
 * be that at the index it comes with, before and after every gap. */
static int receive_file(struct stream *s, uint64_t n)
{
    enum { FILE_SAMPLES = 50021 };
    uint64_t n_wrong = 0, n_seen = 0;
    int rc = 1;
    for (int64_t until_ms = now_ms() + 20000; rc >= 0 && s->next < n && now_ms() < until_ms;) {
        rc = take_block(s);
        for (size_t i = 0; rc > 0 && i < s->info.n; i++) {
            struct iq got = to_iq(s->block[i]), want = burst_iq(1, (size_t)((s->info.start_sample + i) % FILE_SAMPLES));
            n_wrong += got.re != want.re || got.im != want.im;
            n_seen++;
        }
    }
    printf("samples %llu\nwrong %llu\nbad_index %llu\nlost %llu\ngap_count %u\n", (unsigned long long)n_seen, (unsigned long long)n_wrong,
           (unsigned long long)s->n_bad_index, (unsigned long long)s->n_lost, s->n_gaps);
    bool agrees = counter(s->radio, "lost_samples") == s->n_lost && counter(s->radio, "gaps") == s->n_gaps;
    if (n_wrong > 0 || s->n_bad_index > 0 || !agrees)
        return WRONG;
    return n_seen + s->n_lost >= n && rc >= 0 ? 0 : NOT_IN_TIME;
}

static int make_file(const char *path)
{
    FILE *f = fopen(path, "wb");
    for (size_t i = 0; f && i < 50021; i++) {
        struct iq x = burst_iq(1, i);
        uint8_t octets[4] = {(uint8_t)x.re, (uint8_t)((unsigned)x.re >> 8), (uint8_t)x.im, (uint8_t)((unsigned)x.im >> 8)};
        if (fwrite(octets, 1, 4, f) != 4)
            return 1;
    }
    return f && fclose(f) == 0 ? 0 : 1;
}

struct count {
    uint64_t right, silent, wrong; /* silent: the receiver was given this sample before the simulator had what was sent */
};

/* Where the receiver hears its own transmitter: burst k at `start` and nothing else in [start - 500, start + n + 500). */
static struct count count_burst(struct stream *s, uint64_t start, size_t n, uint32_t k)
{
    struct count c = {0};
    uint64_t end = start + n + 500;
    for (int64_t until_ms = now_ms() + 5000; s->next < end && now_ms() < until_ms && take_block(s) >= 0;)
        for (size_t i = 0; i < s->info.n; i++) {
            uint64_t at = s->info.start_sample + i;
            if (at + 500 < start || at >= end || s->next < at)
                continue;
            bool inside = at >= start && at < start + n;
            struct iq got = to_iq(s->block[i]), want = inside ? burst_iq(k, (size_t)(at - start)) : (struct iq){0, 0};
            bool right = got.re == want.re && got.im == want.im;
            bool silent = inside && got.re == 0 && got.im == 0;
            c.wrong += !right && !silent;
            c.silent += silent;
            c.right += right && inside;
        }
    return c;
}

/* One burst there and back. 0; 1: not as it should be; -EAGAIN: samples were lost meanwhile, or the burst was late or cut, or it did
 * not come back in time, which happens on a busy machine. */
static int try_loop(struct stream *s, uint32_t k, size_t n)
{
    float complex *burst = make_burst(k + 2, n);
    uint64_t start = s->next + RATE_HZ / 10 + 137 * k, n_lost = s->n_lost;
    int rc = s->radio->ops->transmit(s->radio, start, burst, n);
    struct count c = {0};
    if (rc == 0)
        c = count_burst(s, start, n, k + 2);
    struct phy_radio_report report = {PHY_RADIO_FAULT, 0};
    int reported = wait_report(s, &report, 3000);
    printf("burst %zu: transmit %d, right %llu, silent %llu, wrong %llu, report %d at %+lld\n", n, rc, (unsigned long long)c.right,
           (unsigned long long)c.silent, (unsigned long long)c.wrong, report.kind, (long long)(report.sample - start));
    free(burst);
    if (rc != 0 && rc != -ETIME)
        return 1;
    if (s->n_lost != n_lost || rc == -ETIME || !reported || report.kind != PHY_RADIO_BURST_DONE || s->next < start + n + 500 ||
        (c.silent > 0 && c.wrong == 0))
        return -EAGAIN;
    return c.wrong == 0 && c.right == n && report.sample == start + n ? 0 : 1;
}

/* loopback: bursts of several lengths, of one packet and of many, come back bit by bit at the sample they were timed for. */
static int loop_back(struct stream *s)
{
    static const size_t lengths[] = {1, 160, 2000, 2001, 7919, 60000};
    unsigned n_wrong = 0, n_untried = 0;
    take_until(s, 20000);
    for (uint32_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        int rc = -EAGAIN;
        for (int tries = 0; rc == -EAGAIN && tries < 3; tries++)
            rc = try_loop(s, k, lengths[k]);
        n_wrong += rc != 0 && rc != -EAGAIN;
        n_untried += rc == -EAGAIN;
    }
    return n_wrong > 0 ? WRONG : n_untried > 0 ? NOT_IN_TIME : 0;
}

/* late: a burst that cannot be in time any more is refused, or reported, and nothing of it is sent, not its tail either. */
static int send_late(struct stream *s)
{
    enum { N = 9000 };
    float complex *burst = make_burst(9, N);
    struct phy_radio_report report = {PHY_RADIO_FAULT, 0};
    take_until(s, 20000);
    int past = s->radio->ops->transmit(s->radio, s->next - 1000, burst, N);
    uint64_t n_heard = 0;
    bool told = true;
    for (int tries = 0; told && tries < 10 && counter(s->radio, "late_device") == 0; tries++) {
        while (take_block(s) != 1)
            ;
        uint64_t start = s->next + RATE_HZ / 2000; /* not past for the host; past for a radio whose samples take 2 ms to come */
        int rc = s->radio->ops->transmit(s->radio, start, burst, N);
        for (uint64_t end = start + N + RATE_HZ / 10; s->next < end && take_block(s) >= 0;)
            for (size_t i = 0; i < s->info.n; i++)
                n_heard += s->block[i] != 0;
        int reported = rc == 0 ? wait_report(s, &report, 2000) : 0;
        told = rc == -ETIME || (reported && report.kind == PHY_RADIO_LATE);
        printf("soon %d reported %d kind %d\n", rc, reported, report.kind);
    }
    printf("past %d\nheard %llu\n", past, (unsigned long long)n_heard);
    free(burst);
    if (past != -ETIME || n_heard > 0 || counter(s->radio, "late_host") == 0)
        return WRONG;
    return told && counter(s->radio, "late_device") == 1 ? 0 : NOT_IN_TIME;
}

/* refuse: bursts that the radio must not take. */
static int refuse(struct stream *s, const char *uri)
{
    enum { N = 1000 };
    float complex *burst = make_burst(9, MAX_BURST + 1);
    take_until(s, 20000);
    const struct phy_radio_ops *ops = s->radio->ops;
    uint64_t soon = s->next + RATE_HZ / 2;
    int none = ops->transmit(s->radio, soon, burst, 0), long_one = ops->transmit(s->radio, soon, burst, MAX_BURST + 1);
    int far = ops->transmit(s->radio, s->next + 3 * RATE_HZ, burst, N), first = ops->transmit(s->radio, soon, burst, N);
    int overlap = ops->transmit(s->radio, soon + N - 1, burst, N), after = ops->transmit(s->radio, soon + 10 * N, burst, N);
    printf("none %d\nlong %d\nfar %d\nfirst %d\noverlap %d\nafter %d\n", none, long_one, far, first, overlap, after);
    take_until(s, soon + 13 * N);
    ops->close(s->radio);
    s->radio = open_radio(uri, false); /* --tx was not given */
    int off = s->radio->ops->transmit(s->radio, RATE_HZ, burst, N);
    printf("off %d\n", off);
    free(burst);
    if (first == -ETIME || after == -ETIME)
        return NOT_IN_TIME;
    bool good = none == -EINVAL && long_one == -EINVAL && far == -EINVAL && first == 0 && overlap == -EBUSY && after == 0;
    return good && off == -EPERM ? 0 : WRONG;
}

/* gain: above the cap no radio is opened. */
static int try_gain(const char *uri)
{
    struct phy_radio_config cfg = {.sample_rate_hz = RATE_HZ, .center_hz = 2.4e9, .rx_gain_db = (double)NAN, .tx_gain_db = 10.5,
                                   .max_tx_gain_db = 10, .transmit = true};
    struct phy_radio *radio;
    char error[PHY_RADIO_MAX_ERROR];
    int rc = phy_radio_open(uri, &cfg, &radio, error);
    printf("open %d %s\n", rc, rc ? error : "");
    if (rc == 0)
        return WRONG;
    return rc == -EINVAL && strstr(error, "above the cap of 10 dB") ? 0 : NOT_OPEN;
}

/* A burst of a second, .2 s from now. 0 once it is under way: on a busy machine the first one may be late. */
static int begin_long_burst(struct stream *s, uint64_t *start_out)
{
    float complex *burst = make_burst(9, MAX_BURST);
    struct phy_radio_report report;
    int rc = -ETIME;
    take_until(s, 20000);
    for (int tries = 0; rc == -ETIME && tries < 3; tries++) {
        *start_out = s->next + RATE_HZ / 5;
        rc = s->radio->ops->transmit(s->radio, *start_out, burst, MAX_BURST);
        take_until(s, *start_out + RATE_HZ / 20);
        if (rc == 0 && s->radio->ops->report(s->radio, &report))
            rc = report.kind == PHY_RADIO_LATE ? -ETIME : -EIO;
    }
    free(burst);
    printf("transmit %d\n", rc);
    return rc;
}

/* cut: a burst of a second, and the radio is closed after .3 s of it. */
static int cut(struct stream *s)
{
    uint64_t start;
    int rc = begin_long_burst(s, &start);
    take_until(s, start + 3 * RATE_HZ / 10);
    return rc != 0 ? NOT_IN_TIME : 0;
}

/* stall: a burst of a second, and a caller that stands still for two. */
static int stall(struct stream *s)
{
    uint64_t start;
    struct phy_radio_report report = {PHY_RADIO_BURST_DONE, 0};
    struct timespec two = {2, 0};
    int rc = begin_long_burst(s, &start);
    nanosleep(&two, NULL);
    int reported = wait_report(s, &report, 2000);
    uint64_t n_stalls = counter(s->radio, "stalls"), n_cut = counter(s->radio, "cut_bursts");
    printf("reported %d kind %d\n", reported, report.kind);
    return rc == 0 && reported && report.kind == PHY_RADIO_FAULT && n_stalls == 1 && n_cut == 1 ? 0 : NOT_IN_TIME;
}

/* vanish: receives until the radio is gone; says "receiving" when it has samples. */
__attribute__((noreturn)) static int vanish(struct stream *s)
{
    int rc = 0;
    take_until(s, 20000);
    printf("receiving\n");
    fflush(stdout);
    int64_t last_ms = now_ms();
    for (int64_t until_ms = now_ms() + 30000; rc >= 0 && now_ms() < until_ms;) {
        rc = take_block(s);
        last_ms = rc > 0 ? now_ms() : last_ms;
    }
    int again = take_block(s), transmit = s->radio->ops->transmit(s->radio, s->next + RATE_HZ, s->block, 100);
    printf("rc %d\nerror %s\nafter_ms %lld\nagain %d\ntransmit %d\n", rc, s->radio->ops->last_error(s->radio), (long long)(now_ms() - last_ms),
           again, transmit);
    bool good = rc == -ENODEV && again == -ENODEV && transmit == -ENODEV && s->radio->ops->last_error(s->radio)[0];
    fflush(stdout);
    _exit(good ? 0 : WRONG); /* libuhd would wait 20 s more for what does not answer */
}

/* peer OWN OTHER: sends burst OWN six times a quarter of a second apart and looks for burst OTHER all the while, for six seconds. */
static int meet(struct stream *s, uint32_t own, uint32_t other)
{
    enum { N = 4000, WANTED = 6 };
    float complex *burst = make_burst(own, N);
    unsigned n_sent = 0, n_heard = 0;
    size_t matched = 0;
    uint64_t next_start = RATE_HZ / 2 + (own % 2) * RATE_HZ / 8;
    int64_t until_ms = now_ms() + 8000;
    int rc = 0;
    while (rc >= 0 && now_ms() < until_ms) {
        rc = take_block(s);
        for (size_t i = 0; rc > 0 && i < s->info.n; i++) {
            struct iq got = to_iq(s->block[i]), want = burst_iq(other, matched), first = burst_iq(other, 0);
            bool right = got.re == want.re && got.im == want.im;
            matched = right ? matched + 1 : got.re == first.re && got.im == first.im;
            if (matched == N) {
                n_heard++;
                matched = 0;
            }
        }
        if (s->next + RATE_HZ / 8 > next_start) {
            uint64_t start = s->next + RATE_HZ / 8;
            n_sent += s->radio->ops->transmit(s->radio, start, burst, N) == 0;
            next_start = start + RATE_HZ / 4;
        }
    }
    printf("sent %u\nheard %u\n", n_sent, n_heard);
    print_counters(s->radio);
    free(burst);
    return n_sent >= WANTED && n_heard >= WANTED ? 0 : NOT_IN_TIME;
}

static int run_mode(struct stream *s, const char *mode, int argc, char **argv)
{
    uint64_t a = argc > 3 ? strtoull(argv[3], NULL, 10) : 0, b = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    bool transmits = strcmp(mode, "receive") != 0;
    if (strcmp(mode, "file") == 0)
        return make_file(argv[2]);
    if (strcmp(mode, "gain") == 0)
        return try_gain(argv[2]);
    s->radio = open_radio(argv[2], transmits);
    s->cap = strcmp(mode, "receive") == 0 && b > 0 && b < CAP ? (size_t)b : CAP;
    int code = strcmp(mode, "receive") == 0    ? receive_file(s, a)
               : strcmp(mode, "loopback") == 0 ? loop_back(s)
               : strcmp(mode, "late") == 0     ? send_late(s)
               : strcmp(mode, "refuse") == 0   ? refuse(s, argv[2])
               : strcmp(mode, "cut") == 0      ? cut(s)
               : strcmp(mode, "stall") == 0    ? stall(s)
               : strcmp(mode, "vanish") == 0   ? vanish(s)
               : strcmp(mode, "meet") == 0     ? meet(s, (uint32_t)a, (uint32_t)b)
                                               : 2;
    if (strcmp(mode, "meet") != 0)
        print_counters(s->radio);
    s->radio->ops->close(s->radio);
    return code;
}

int main(int argc, char **argv)
{
    struct stream *s = calloc(1, sizeof *s);
    if (argc < 3 || !s)
        return 2;
    int code = run_mode(s, argv[1], argc, argv);
    free(s);
    return code;
}
