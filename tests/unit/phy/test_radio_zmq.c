#define SUITE_NAME "radio: sample streams over ZeroMQ"
#include "tests/unit/check_main.h"

#include "phy/radio/radio.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { CAP = 1 << 16, PATIENCE_MS = 20000 };

/* The radio works only within calls, so that one thread can play both sides. */
static struct {
    char folder[32], tx[48], rx[48], uri[PHY_RADIO_MAX_TEXT + 32], error[PHY_RADIO_MAX_ERROR];
    void *context, *asker, *giver; /* the peer: asks for tx, gives rx */
    struct phy_radio *radio;
    uint64_t n_given;              /* by the peer: sample i of its stream is i */
    float complex samples[CAP];
    struct phy_radio_block block;
} t;

static int64_t now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static void open_radio(const char *more)
{
    snprintf(t.uri, sizeof t.uri, "zmq:tx=%s,rx=%s%s", t.tx, t.rx, more);
    struct phy_radio_config cfg = {.sample_rate_hz = 1000000, .center_hz = NAN, .max_tx_gain_db = NAN, .transmit = true};
    int err = phy_radio_open(t.uri, &cfg, &t.radio, t.error);
    ck_assert_msg(err == 0, "%s: %s", t.uri, t.error);
}

static void open_asker(int linger)
{
    t.asker = zmq_socket(t.context, ZMQ_REQ);
    zmq_setsockopt(t.asker, ZMQ_LINGER, &linger, sizeof linger);
    ck_assert_int_eq(zmq_connect(t.asker, t.tx), 0);
}

static void open_giver(void)
{
    int none = 0;
    t.giver = zmq_socket(t.context, ZMQ_REP);
    zmq_setsockopt(t.giver, ZMQ_LINGER, &none, sizeof none);
    ck_assert_int_eq(zmq_bind(t.giver, t.rx), 0);
}

static void set_up(void)
{
    memset(&t, 0, sizeof t);
    snprintf(t.folder, sizeof t.folder, "/tmp/airdeed-zmq-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.folder));
    snprintf(t.tx, sizeof t.tx, "ipc://%s/tx", t.folder);
    snprintf(t.rx, sizeof t.rx, "ipc://%s/rx", t.folder);
    t.context = zmq_ctx_new();
}

static void tear_down(void)
{
    if (t.radio)
        t.radio->ops->close(t.radio);
    if (t.asker)
        zmq_close(t.asker);
    if (t.giver)
        zmq_close(t.giver);
    zmq_ctx_term(t.context);
    char path[48];
    snprintf(path, sizeof path, "%s/tx", t.folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/rx", t.folder);
    unlink(path);
    rmdir(t.folder);
}

static void ask(const void *request, size_t len)
{
    ck_assert_int_eq(zmq_send(t.asker, request, len, 0), (int)len);
}

static bool is_readable(void *socket, long wait_ms)
{
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    return zmq_poll(&item, 1, wait_ms) == 1;
}

/* What the radio answers, while it is given time; samples, or -1 if nothing comes within some milliseconds */
static long get_answer(long patience_ms)
{
    for (int64_t until_ms = now_ms() + patience_ms; now_ms() < until_ms;) {
        ck_assert_int_ge(t.radio->ops->idle_until(t.radio, 0), 0);
        if (!is_readable(t.asker, 1))
            continue;
        int n = zmq_recv(t.asker, t.samples, sizeof t.samples, 0);
        ck_assert_int_ge(n, 0);
        ck_assert_int_eq(n % 8, 0);
        return n / 8;
    }
    return -1;
}

/* Asks until n samples came, in order, into t.samples */
static void get_stream(size_t n, const void *request, size_t len)
{
    static float complex all[CAP];
    size_t n_got = 0;
    while (n_got < n) {
        ask(request, len);
        long got = get_answer(PATIENCE_MS);
        ck_assert_int_gt(got, 0);
        ck_assert_uint_le(n_got + (size_t)got, CAP);
        memcpy(all + n_got, t.samples, (size_t)got * sizeof *all);
        n_got += (size_t)got;
    }
    ck_assert_uint_eq(n_got, n);
    memcpy(t.samples, all, n * sizeof *all);
}

/* The radio receives once; before that the peer's REP answers a waiting request, if there is one, with so many octets */
static int receive_with(long n_octets, size_t cap, int patience_ms)
{
    static float complex data[CAP];
    int err = -EAGAIN;
    for (int64_t until_ms = now_ms() + patience_ms; err == -EAGAIN && now_ms() < until_ms;) {
        if (n_octets >= 0 && t.giver && is_readable(t.giver, 0)) {
            char request[8];
            ck_assert_int_eq(zmq_recv(t.giver, request, sizeof request, 0), strstr(t.uri, "request=1") ? 1 : 4);
            size_t n = (size_t)n_octets / 8;
            for (size_t i = 0; i < n; i++)
                data[i] = (float)(t.n_given + i);
            t.n_given += n;
            ck_assert_int_eq(zmq_send(t.giver, data, (size_t)n_octets, 0), (int)n_octets);
            n_octets = -1;
        }
        err = t.radio->ops->receive(t.radio, t.samples, cap, 2000000, &t.block);
    }
    return err;
}

static void expect_received(uint64_t start, size_t n)
{
    ck_assert_uint_eq(t.block.start_sample, start);
    ck_assert_uint_eq(t.block.n, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(t.samples[i] == (float)(start + i), "sample %zu is %g", i, (double)crealf(t.samples[i]));
}

static uint64_t count_of(const char *name)
{
    struct phy_radio_counter all[PHY_RADIO_MAX_COUNTERS];
    size_t n = t.radio->ops->counters(t.radio, all, PHY_RADIO_MAX_COUNTERS);
    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0) {
            ck_assert_ptr_nonnull(strchr(all[i].words, ' '));
            return all[i].count;
        }
    ck_abort_msg("no counter is called %s", name);
}

static int send_burst(uint64_t start, size_t n)
{
    static float complex burst[CAP];
    for (size_t i = 0; i < n; i++)
        burst[i] = (float)(1 + start + i);
    return t.radio->ops->transmit(t.radio, start, burst, n);
}

START_TEST(a_peer_that_asks_with_one_octet_gets_bursts_at_their_samples_and_zeros_between)
{
    open_radio(",lead=100");
    open_asker(0);
    ck_assert_int_eq(send_burst(150, 40), 0);
    ck_assert_int_eq(send_burst(190, 10), 0);
    ck_assert_int_eq(send_burst(250, 50), 0);
    get_stream(300, "\xff", 1);
    for (size_t i = 0; i < 300; i++) {
        bool on = (i >= 150 && i < 200) || i >= 250;
        ck_assert_msg(t.samples[i] == (on ? (float)(1 + i) : 0), "sample %zu is %g", i, (double)crealf(t.samples[i]));
    }
    struct phy_radio_report report;
    ck_assert_int_eq(t.radio->ops->report(t.radio, &report), 0);
    ask("\xff", 1); /* who asks again has what came before */
    ck_assert_int_eq(get_answer(100), -1);
    static const uint64_t ends[] = {190, 200, 300};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(t.radio->ops->report(t.radio, &report), 1);
        ck_assert_int_eq(report.kind, PHY_RADIO_BURST_DONE);
        ck_assert_uint_eq(report.sample, ends[i]);
    }
    ck_assert_int_eq(t.radio->ops->report(t.radio, &report), 0);
    ck_assert_uint_eq(count_of("bursts_sent"), 3);
}
END_TEST

START_TEST(a_count_of_four_octets_bounds_the_answer)
{
    open_radio(",lead=100");
    open_asker(0);
    ck_assert_int_eq(t.radio->ops->idle_until(t.radio, 1000), 0);
    ask("\x11\0\0\0", 4);
    ck_assert_int_eq(get_answer(PATIENCE_MS), 0x11);
    ask("\x2c\x01\0\0", 4);
    ck_assert_int_eq(get_answer(PATIENCE_MS), 300);
    ck_assert_uint_eq(t.radio->ops->lead_samples(t.radio), 100);
    ask("\xff\xff\xff\xff", 4);
    ck_assert_int_eq(get_answer(PATIENCE_MS), 1000 - 317);
    ask("", 0); /* no request at all */
    ck_assert_int_eq(get_answer(PATIENCE_MS), 0);
    ck_assert_uint_eq(count_of("bad_requests"), 1);
}
END_TEST

START_TEST(nothing_is_given_away_before_it_is_settled_and_a_burst_that_comes_too_late_is_not_sent)
{
    open_radio(",lead=64");
    open_asker(0);
    ask("\xff", 1);
    ck_assert_int_eq(get_answer(PATIENCE_MS), 64); /* a lead ahead of the first received sample */
    ask("\xff", 1);
    ck_assert_int_eq(get_answer(100), -1);
    ck_assert_int_eq(send_burst(63, 10), -ETIME);
    ck_assert_int_eq(send_burst(70, 10), 0);
    ck_assert_int_eq(get_answer(PATIENCE_MS), 16);
    for (size_t i = 0; i < 16; i++)
        ck_assert(t.samples[i] == (i < 6 ? 0 : (float)(65 + i)));
    ck_assert_int_eq(send_burst(90, 10), 0);
    ck_assert_int_eq(send_burst(99, 10), -EBUSY);
    ck_assert_uint_eq(count_of("late"), 1);
    ck_assert_uint_eq(count_of("overlapping"), 1);
}
END_TEST

START_TEST(a_long_reply_is_given_out_in_pieces_and_short_ones_as_they_come)
{
    open_radio(",lead=64");
    open_giver();
    ck_assert_int_eq(receive_with(8 * 1000, 300, PATIENCE_MS), 0);
    expect_received(0, 300);
    for (uint64_t at = 300; at < 1000; at += t.block.n) {
        ck_assert_int_eq(t.radio->ops->receive(t.radio, t.samples, 300, 0, &t.block), 0);
        expect_received(at, at < 900 ? 300 : 100);
    }
    ck_assert_int_eq(receive_with(0, 300, 200), -EAGAIN);
    ck_assert_int_eq(receive_with(8, 300, PATIENCE_MS), 0);
    expect_received(1000, 1);
    ck_assert_uint_eq(count_of("empty_replies"), 1);
}
END_TEST

START_TEST(a_reply_of_three_million_samples_is_taken_whole)
{
    enum { N = 3000000 };
    open_radio("");
    open_giver();
    ck_assert_int_eq(receive_with(-1, CAP, 100), -EAGAIN); /* until it has asked */
    ck_assert(is_readable(t.giver, PATIENCE_MS));
    char request[8];
    ck_assert_int_eq(zmq_recv(t.giver, request, sizeof request, 0), 4);
    zmq_msg_t reply;
    ck_assert_int_eq(zmq_msg_init_size(&reply, (size_t)N * 8), 0);
    float complex *all = zmq_msg_data(&reply);
    for (size_t i = 0; i < N; i++)
        all[i] = (float)i;
    ck_assert_int_eq(zmq_msg_send(&reply, t.giver, 0), N * 8);
    for (uint64_t at = 0; at < N; at += t.block.n) {
        ck_assert_int_eq(receive_with(-1, CAP, PATIENCE_MS), 0);
        expect_received(at, N - at < CAP ? (size_t)(N - at) : CAP);
    }
    ck_assert_uint_eq(count_of("unanswered"), 0);
}
END_TEST

START_TEST(octets_that_are_not_whole_samples_are_refused_with_their_number)
{
    open_radio(",lead=64,request=1");
    open_giver();
    ck_assert_int_eq(receive_with(8 * 10 + 3, 300, PATIENCE_MS), -EPROTO);
    ck_assert_ptr_nonnull(strstr(t.radio->ops->last_error(t.radio), "83 octets"));
    t.n_given = 0;
    ck_assert_int_eq(receive_with(8 * 10, 300, PATIENCE_MS), 0);
    expect_received(0, 10);
    ck_assert_uint_eq(count_of("bad_replies"), 1);
}
END_TEST

START_TEST(a_peer_that_is_slow_costs_the_timeout_and_no_more)
{
    open_radio("");
    int64_t from_ms = now_ms();
    ck_assert_int_eq(t.radio->ops->receive(t.radio, t.samples, 10, 50000000, &t.block), -EAGAIN);
    ck_assert_int_ge(now_ms() - from_ms, 50);
    ck_assert_int_lt(now_ms() - from_ms, PATIENCE_MS);
    open_giver();
    ck_assert_int_eq(receive_with(80, 10, PATIENCE_MS), 0);
    expect_received(0, 10);
}
END_TEST

START_TEST(while_it_waits_for_samples_it_serves_those_that_are_asked_of_it)
{
    open_radio(",lead=32");
    open_giver();
    open_asker(0);
    /* the peer needs a block of ours before it gives one of its own: neither waits for ever */
    for (uint64_t at = 0; at < 32 * 50; at += 32) {
        ask("\x20\0\0\0", 4);
        for (int64_t until_ms = now_ms() + PATIENCE_MS; !is_readable(t.asker, 0) && now_ms() < until_ms;)
            ck_assert_int_eq(receive_with(-1, 32, 5), -EAGAIN);
        ck_assert_int_eq(get_answer(PATIENCE_MS), 32);
        ck_assert_int_eq(receive_with(8 * 32, 32, PATIENCE_MS), 0);
        expect_received(at, 32);
    }
}
END_TEST

START_TEST(a_killed_giver_that_comes_back_is_asked_again)
{
    open_radio("");
    open_giver();
    ck_assert_int_eq(receive_with(80, 10, PATIENCE_MS), 0);
    for (int round = 1; round <= 3; round++) {
        /* it takes the request, and dies with it */
        ck_assert_int_eq(receive_with(-1, 10, 50), -EAGAIN);
        ck_assert(is_readable(t.giver, PATIENCE_MS));
        char request[8];
        ck_assert_int_eq(zmq_recv(t.giver, request, sizeof request, 0), 4);
        zmq_close(t.giver);
        ck_assert_int_eq(receive_with(-1, 10, 50), -EAGAIN);
        open_giver();
        ck_assert_int_eq(receive_with(80, 10, PATIENCE_MS), 0);
        expect_received((uint64_t)round * 10, 10);
        ck_assert_uint_eq(count_of("rx_returns"), (uint64_t)round);
    }
}
END_TEST

START_TEST(a_killed_asker_that_comes_back_hears_the_stream_at_the_sample_it_gives)
{
    open_radio(",lead=64");
    open_giver();
    open_asker(0);
    ck_assert_int_eq(receive_with(80, 10, PATIENCE_MS), 0);
    ck_assert_int_eq(send_burst(70, 20), 0);
    ck_assert_int_eq(send_burst(300, 5), 0);
    ask("\x50\0\0\0", 4);
    ck_assert_int_eq(get_answer(PATIENCE_MS), 80);
    /* it asks once more, takes what it gets no more, and is gone; so is the rest of the burst that was begun */
    ask("\x05\0\0\0", 4);
    zmq_close(t.asker);
    ck_assert_int_eq(receive_with(-1, 10, 100), -EAGAIN);
    open_asker(0);
    get_stream(305 - 10, "\xff", 1);
    for (size_t i = 0; i < 295; i++)
        ck_assert_msg(t.samples[i] == (i < 290 ? 0 : (float)(11 + i)), "sample %zu is %g", i, (double)crealf(t.samples[i]));
    ck_assert_uint_eq(count_of("tx_returns"), 1);
    ck_assert_uint_eq(count_of("cut"), 1);
}
END_TEST

START_TEST(who_only_knocks_at_the_port_changes_nothing)
{
    open_radio(",lead=64");
    open_asker(0);
    ask("\x20\0\0\0", 4);
    ck_assert_int_eq(get_answer(PATIENCE_MS), 32);
    ask("\x40\0\0\0", 4);
    ck_assert_int_eq(get_answer(PATIENCE_MS), 32);
    ask("\x08\0\0\0", 4);
    ck_assert_int_eq(get_answer(50), -1);
    void *knocker = zmq_socket(t.context, ZMQ_REQ);
    ck_assert_int_eq(zmq_connect(knocker, t.tx), 0);
    ck_assert_int_eq(get_answer(50), -1);
    zmq_close(knocker);
    ck_assert_int_eq(get_answer(50), -1);
    ck_assert_int_eq(send_burst(64, 8), 0);
    ck_assert_int_eq(get_answer(PATIENCE_MS), 8);
    ck_assert(t.samples[0] == 65);
}
END_TEST

START_TEST(the_queue_is_bounded)
{
    open_radio(",queue=1000");
    ck_assert_int_eq(send_burst(1000, 600), 0);
    ck_assert_int_eq(send_burst(2000, 401), -ENOBUFS);
    ck_assert_int_eq(send_burst(2000, 400), 0);
    open_asker(0);
    get_stream(2400, "\xff", 1);
    ck_assert(t.samples[2399] == 2400);
    ck_assert_int_eq(send_burst(3000, 1000), 0); /* across the end of the ring */
    get_stream(1600, "\xff", 1);
    for (size_t i = 600; i < 1600; i++)
        ck_assert(t.samples[i] == (float)(2401 + i));
    for (uint64_t i = 0; i < 64; i++)
        ck_assert_int_eq(send_burst(10000 + i, 1), 0);
    ck_assert_int_eq(send_burst(20000, 1), -ENOBUFS);
    ck_assert_uint_eq(count_of("queue_full"), 2);
}
END_TEST

START_TEST(a_paced_stream_takes_its_time)
{
    open_radio(",pace=1,lead=1000"); /* at 1 Msps */
    open_asker(0);
    ck_assert_int_eq(t.radio->ops->idle_until(t.radio, 100000), 0);
    int64_t from_ms = now_ms();
    get_stream(20000, "\xe8\x03\0\0", 4); /* pieces of a millisecond */
    get_stream(30000, "\xe8\x03\0\0", 4);
    ck_assert_int_ge(now_ms() - from_ms, 49);
}
END_TEST

START_TEST(without_rx_it_hears_silence_in_step_with_what_is_taken)
{
    snprintf(t.uri, sizeof t.uri, "zmq:tx=%s,lead=50", t.tx);
    struct phy_radio_config cfg = {.sample_rate_hz = 1000000, .center_hz = NAN, .transmit = true};
    ck_assert_int_eq(phy_radio_open(t.uri, &cfg, &t.radio, t.error), 0);
    open_asker(0);
    uint64_t heard = 0;
    for (uint64_t given = 0; given < 1000;) {
        ask("\xff", 1);
        long n = get_answer(PATIENCE_MS);
        ck_assert_int_gt(n, 0);
        given += (uint64_t)n;
        ck_assert_int_eq(t.radio->ops->receive(t.radio, t.samples, CAP, 0, &t.block), 0);
        ck_assert_uint_eq(t.block.start_sample, heard);
        heard += t.block.n;
        ck_assert_uint_eq(heard, given);
    }
}
END_TEST

START_TEST(without_leave_to_transmit_no_transmitter_is_opened)
{
    snprintf(t.uri, sizeof t.uri, "zmq:tx=%s,rx=%s", t.tx, t.rx);
    struct phy_radio_config cfg = {.sample_rate_hz = 1000000, .center_hz = NAN};
    ck_assert_int_eq(phy_radio_open(t.uri, &cfg, &t.radio, t.error), 0);
    ck_assert_int_eq(send_burst(1000, 10), -EPERM);
    ck_assert_uint_eq(count_of("not_allowed"), 1);
    open_asker(0);
    ask("\xff", 1);
    ck_assert_int_eq(get_answer(50), -1);
}
END_TEST

static void expect_refusal(const char *uri, uint32_t rate_hz, bool transmit, const char *fragment)
{
    struct phy_radio_config cfg = {.sample_rate_hz = rate_hz, .center_hz = NAN, .transmit = transmit};
    int err = phy_radio_open(uri, &cfg, &t.radio, t.error);
    ck_assert_msg(err == -EINVAL, "%s: %d", uri, err);
    ck_assert_msg(strstr(t.error, fragment) != NULL, "'%s' lacks '%s'", t.error, fragment);
    ck_assert_ptr_null(strchr(t.error, '\n'));
    ck_assert_ptr_null(t.radio);
}

START_TEST(a_bad_address_is_refused_in_one_line)
{
    expect_refusal("zmq", 1, true, "where?");
    expect_refusal("zmq:", 1, true, "where?");
    expect_refusal("zmq:rx=ipc:///tmp/x", 1, true, "tx=ENDPOINT");
    expect_refusal("zmq:tx=ipc:///tmp/x", 1, false, "not allowed");
    expect_refusal("zmq:rx=ipc:///tmp/x", 0, false, "sample rate");
    expect_refusal("zmq:rx=ipc:///tmp/x,lead=0", 1, false, "lead takes a number from 1 to");
    expect_refusal("zmq:rx=ipc:///tmp/x,request=2", 1, false, "request takes 1 or 4");
    expect_refusal("zmq:rx=ipc:///tmp/x,queue=12k", 1, false, "queue takes");
    expect_refusal("zmq:rx=ipc:///tmp/x,speed=3", 1, false, "'speed=3' is none of tx=");
    expect_refusal("zmq:rx=ipc:///tmp/x,rx=ipc:///tmp/y", 1, false, "rx is given twice");
    expect_refusal("zmq:rx=ipc:///tmp/x,lead=3,lead=3", 1, false, "lead is given twice");
    expect_refusal("zmq:rx=tcp://127.0.0.1:99999", 1, false, "99999 is not a port from 1 to 65535");
    expect_refusal("zmq:rx=tcp://127.0.0.1:0", 1, false, "0 is not a port from 1 to 65535");
    expect_refusal("zmq:rx=tcp://127.0.0.1:2000x", 1, false, "2000x is not a port");
    expect_refusal("zmq:rx=tcp://127.0.0.1", 1, false, "does not end with a port");
    expect_refusal("zmq:rx=nonsense", 1, false, "cannot connect rx=nonsense");
    expect_refusal("sdr:rx=1", 1, false, "there are");
}
END_TEST

START_TEST(an_endpoint_in_use_is_named)
{
    void *other = zmq_socket(t.context, ZMQ_REP);
    ck_assert_int_eq(zmq_bind(other, "tcp://127.0.0.1:*"), 0);
    char endpoint[64];
    size_t len = sizeof endpoint;
    ck_assert_int_eq(zmq_getsockopt(other, ZMQ_LAST_ENDPOINT, endpoint, &len), 0);
    snprintf(t.uri, sizeof t.uri, "zmq:tx=%s", endpoint);
    struct phy_radio_config cfg = {.sample_rate_hz = 1, .center_hz = NAN, .transmit = true};
    ck_assert_int_eq(phy_radio_open(t.uri, &cfg, &t.radio, t.error), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(t.error, endpoint));
    zmq_close(other);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("zmq");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_peer_that_asks_with_one_octet_gets_bursts_at_their_samples_and_zeros_between);
    tcase_add_test(tc, a_count_of_four_octets_bounds_the_answer);
    tcase_add_test(tc, nothing_is_given_away_before_it_is_settled_and_a_burst_that_comes_too_late_is_not_sent);
    tcase_add_test(tc, a_long_reply_is_given_out_in_pieces_and_short_ones_as_they_come);
    tcase_add_test(tc, a_reply_of_three_million_samples_is_taken_whole);
    tcase_add_test(tc, octets_that_are_not_whole_samples_are_refused_with_their_number);
    tcase_add_test(tc, a_peer_that_is_slow_costs_the_timeout_and_no_more);
    tcase_add_test(tc, while_it_waits_for_samples_it_serves_those_that_are_asked_of_it);
    tcase_add_test(tc, a_killed_giver_that_comes_back_is_asked_again);
    tcase_add_test(tc, a_killed_asker_that_comes_back_hears_the_stream_at_the_sample_it_gives);
    tcase_add_test(tc, who_only_knocks_at_the_port_changes_nothing);
    tcase_add_test(tc, the_queue_is_bounded);
    tcase_add_test(tc, a_paced_stream_takes_its_time);
    tcase_add_test(tc, without_rx_it_hears_silence_in_step_with_what_is_taken);
    tcase_add_test(tc, without_leave_to_transmit_no_transmitter_is_opened);
    tcase_add_test(tc, a_bad_address_is_refused_in_one_line);
    tcase_add_test(tc, an_endpoint_in_use_is_named);
    suite_add_tcase(suite, tc);
}
