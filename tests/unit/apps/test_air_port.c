#define SUITE_NAME "airdeed air: a station's port"
#include "tests/unit/check_main.h"

#include "apps/air.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 };

/* The port, and at its other end a station that leads by one block. Both take their turns here, so that a test says who was away when. */
static struct {
    char folder[32];
    void *context;
    struct app_air_port port;
    void *station_context;
    struct phy_zmq_source rx;
    struct phy_zmq_sink tx;
    uint64_t n_heard, n_told;
} t;

static void set_up(void)
{
    static struct app_air_config cfg;
    char error[APP_AIR_MAX_ERROR];
    memset(&t, 0, sizeof t);
    memset(&cfg, 0, sizeof cfg);
    snprintf(t.folder, sizeof t.folder, "/tmp/airdeed-port-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(t.folder));
    cfg.n_ports = 1;
    cfg.block_samples = BLOCK;
    snprintf(cfg.tx[0], sizeof cfg.tx[0], "ipc://%s/tx", t.folder);
    snprintf(cfg.rx[0], sizeof cfg.rx[0], "ipc://%s/rx", t.folder);
    t.context = zmq_ctx_new();
    ck_assert_msg(app_air_port_open(&t.port, t.context, 0, &cfg, error) == 0, "%s", error);
}

static void open_station(void)
{
    char endpoint[64];
    t.station_context = zmq_ctx_new();
    t.n_heard = t.n_told = 0;
    snprintf(endpoint, sizeof endpoint, "ipc://%s/tx", t.folder);
    ck_assert_int_eq(phy_zmq_sink_open(&t.tx, t.station_context, "tx", endpoint), 0);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/rx", t.folder);
    ck_assert_int_eq(phy_zmq_source_open(&t.rx, t.station_context, "rx", endpoint, true), 0);
}

static void close_station(void)
{
    phy_zmq_source_close(&t.rx);
    phy_zmq_sink_close(&t.tx);
    zmq_ctx_term(t.station_context);
    t.station_context = NULL;
}

static void tear_down(void)
{
    char command[64];
    if (t.station_context)
        close_station();
    app_air_port_close(&t.port);
    zmq_ctx_term(t.context);
    snprintf(command, sizeof command, "rm -rf %s", t.folder);
    ck_assert_int_eq(system(command), 0);
}

static void step_station(void)
{
    float complex heard[BLOCK];
    size_t n_bad;
    int got = phy_zmq_source_take(&t.rx);
    ck_assert_int_ge(got, 0);
    if (got)
        t.n_heard += phy_zmq_source_read(&t.rx, heard, BLOCK, &n_bad);
    ck_assert_int_ge(phy_zmq_source_ask(&t.rx, BLOCK), 0);
    if (phy_zmq_sink_take(&t.tx) <= 0 || t.n_told == t.n_heard + BLOCK || phy_zmq_sink_begin(&t.tx) <= 0)
        return;
    zmq_msg_t samples;
    uint64_t n = t.n_heard + BLOCK - t.n_told;
    n = n < t.tx.wanted ? n : t.tx.wanted;
    ck_assert_int_eq(zmq_msg_init_size(&samples, n * PHY_ZMQ_SAMPLE_BYTES), 0);
    memset(zmq_msg_data(&samples), 0, n * PHY_ZMQ_SAMPLE_BYTES);
    ck_assert_int_eq(phy_zmq_sink_give(&t.tx, &samples), 0);
    t.n_told += n;
}

/* As the mixer's loop does with its ports */
static void step_port(void)
{
    struct app_air_port *p = &t.port;
    if (!p->tx_live || !p->rx_live)
        ck_assert_int_eq(app_air_port_wake(p, app_air_now_ns(), 0), 0);
    if (p->n_rx == 0 && p->tx_live && app_air_port_gather(p) > 0) {
        app_air_port_block(p);
        if (p->rx_live)
            app_air_port_offer(p);
    }
    if (p->rx_live)
        ck_assert_int_ge(app_air_port_give(p), 0);
}

static void step_until_heard(uint64_t n)
{
    for (int turns = 0; t.n_heard < n; turns++) {
        ck_assert_msg(turns < 60000, "the station hears %llu samples", (unsigned long long)t.n_heard);
        step_station();
        step_port();
        poll(NULL, 0, 1);
    }
}

/* The mixer was elsewhere while the station ended, began again and connected: it finds the end and the beginning together. What the new
 * station says first belongs to the new station's time, or both wait for each other for ever. */
START_TEST(a_station_that_is_back_before_its_end_was_seen_is_taken_in)
{
    for (int round = 0; round < 5; round++) {
        open_station();
        step_until_heard(BLOCK * 3);
        close_station();
        open_station();
        for (int turns = 0; !t.tx.up || !t.rx.up; turns++) {
            ck_assert_int_lt(turns, 60000);
            step_station();
            poll(NULL, 0, 1);
        }
        step_until_heard(BLOCK * 3);
        close_station();
        ck_assert_uint_eq(t.port.n_silences, 2 * (uint64_t)round + 1);
        for (int turns = 0; t.port.n_silences < 2 * (uint64_t)round + 2; turns++) {
            ck_assert_int_lt(turns, 60000);
            step_port();
            poll(NULL, 0, 1);
        }
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("port");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_station_that_is_back_before_its_end_was_seen_is_taken_in);
    suite_add_tcase(suite, tc);
}
