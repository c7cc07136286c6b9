#define SUITE_NAME "chain/net"
#include "tests/unit/check_main.h"

#include "chain/net/client.h"
#include "chain/net/net.h"

#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>
#include <zmq.h>

enum { N_MEMBERS = 2, N_PARTIES = 3, MAX_MESSAGE_BYTES = 4096, CLIENT = 2, PATIENCE_MS = 60000, PATIENCE_POLLS = 30000 };

static struct {
    uint8_t secrets[N_PARTIES + 1][32]; /* the last is nobody's */
    struct chain_net_party parties[N_PARTIES];
    char endpoints[N_MEMBERS][40];
    struct chain_net *nets[N_MEMBERS];
} house;

/* A port that was free a moment ago */
static int free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void open_member(uint32_t i)
{
    char error[CHAIN_NET_MAX_ERROR] = "";
    struct chain_net_config cfg = {.self = i, .bind = house.endpoints[i], .n_members = N_MEMBERS, .n_parties = N_PARTIES,
                                   .parties = house.parties, .max_message_bytes = MAX_MESSAGE_BYTES, .queue_messages = 16, .wake_fd = -1};
    memcpy(cfg.secret, house.secrets[i], 32);
    ck_assert_msg(chain_net_open(&cfg, &house.nets[i], error) == 0, "%s", error);
}

static void open_house(void)
{
    ck_assert_int_ge(sodium_init(), 0);
    for (uint32_t i = 0; i <= N_PARTIES; i++) {
        memset(house.secrets[i], (int)i + 1, 32);
        if (i < N_PARTIES)
            crypto_scalarmult_base(house.parties[i].key, house.secrets[i]);
    }
    for (uint32_t i = 0; i < N_MEMBERS; i++) {
        snprintf(house.endpoints[i], sizeof house.endpoints[i], "tcp://127.0.0.1:%d", free_port());
        house.parties[i].endpoint = house.endpoints[i];
    }
    for (uint32_t i = 0; i < N_MEMBERS; i++)
        open_member(i);
}

static void close_house(void)
{
    for (uint32_t i = 0; i < N_MEMBERS; i++)
        if (house.nets[i])
            chain_net_close(house.nets[i]);
}

static struct chain_net_stats stats_of(uint32_t i)
{
    struct chain_net_stats stats;
    chain_net_stats(house.nets[i], &stats);
    return stats;
}

/* Both members are polled until `member` has an event of this kind; false after a minute or more */
static bool wait_for(uint32_t member, enum chain_net_kind kind, struct chain_net_event *event)
{
    for (int i = 0; i < PATIENCE_POLLS; i++) {
        uint32_t turn = (uint32_t)i % N_MEMBERS;
        if (!house.nets[turn])
            continue;
        int got = chain_net_poll(house.nets[turn], 2, event);
        ck_assert_int_ge(got, 0);
        if (got == 1 && turn == member && event->kind == kind)
            return true;
    }
    return false;
}

static void wait_until_up(void)
{
    struct chain_net_event event;
    for (int i = 0; i < PATIENCE_POLLS && !(stats_of(0).n_up == 1 && stats_of(1).n_up == 1); i++)
        ck_assert_int_ge(chain_net_poll(house.nets[i % 2], 2, &event), 0);
    ck_assert(chain_net_is_up(house.nets[0], 1) && chain_net_is_up(house.nets[1], 0));
}

START_TEST(members_find_each_other_and_know_who_speaks)
{
    struct chain_net_event event;
    wait_until_up();
    chain_net_send(house.nets[0], UINT32_MAX, "hello", 5);
    ck_assert(wait_for(1, CHAIN_NET_BUNDLE, &event));
    ck_assert_uint_eq(event.from, 0);
    ck_assert_uint_eq(event.len, 5);
    ck_assert_mem_eq(event.data, "hello", 5);
    chain_net_send(house.nets[1], 0, "", 0);
    ck_assert(wait_for(0, CHAIN_NET_BUNDLE, &event));
    ck_assert_uint_eq(event.from, 1);
    ck_assert_uint_eq(event.len, 0);
}
END_TEST

START_TEST(a_member_that_went_away_is_reported_and_found_again)
{
    struct chain_net_event event;
    wait_until_up();
    chain_net_close(house.nets[1]);
    house.nets[1] = NULL;
    ck_assert(wait_for(0, CHAIN_NET_DOWN, &event));
    ck_assert_uint_eq(event.from, 1);
    /* what is sent now is not kept for later: at once, or when the closing connection is gone altogether, it is dropped and counted */
    uint64_t dropped = stats_of(0).dropped_full;
    for (int i = 0; i < PATIENCE_POLLS && stats_of(0).dropped_full == dropped; i++) {
        chain_net_send(house.nets[0], 1, "lost", 4);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    ck_assert_uint_gt(stats_of(0).dropped_full, dropped);
    open_member(1);
    ck_assert(wait_for(0, CHAIN_NET_UP, &event));
    chain_net_send(house.nets[0], 1, "again", 5);
    ck_assert(wait_for(1, CHAIN_NET_BUNDLE, &event));
    ck_assert_mem_eq(event.data, "again", 5);
}
END_TEST

struct raw {
    void *context, *socket;
};

/* A DEALER of the test's own, with any key and no bounds */
static struct raw connect_raw(const uint8_t secret[32], const uint8_t server[32], const char *endpoint)
{
    struct raw raw = {zmq_ctx_new(), NULL};
    uint8_t public_key[32];
    int zero = 0;
    raw.socket = zmq_socket(raw.context, ZMQ_DEALER);
    zmq_setsockopt(raw.socket, ZMQ_LINGER, &zero, sizeof zero);
    if (secret) {
        crypto_scalarmult_base(public_key, secret);
        ck_assert_int_eq(zmq_setsockopt(raw.socket, ZMQ_CURVE_SERVERKEY, server, 32), 0);
        ck_assert_int_eq(zmq_setsockopt(raw.socket, ZMQ_CURVE_PUBLICKEY, public_key, 32), 0);
        ck_assert_int_eq(zmq_setsockopt(raw.socket, ZMQ_CURVE_SECRETKEY, secret, 32), 0);
    }
    ck_assert_int_eq(zmq_connect(raw.socket, endpoint), 0);
    return raw;
}

static void close_raw(struct raw raw)
{
    zmq_close(raw.socket);
    zmq_ctx_term(raw.context);
}

START_TEST(a_stranger_is_not_let_in_and_counted)
{
    struct chain_net_event event;
    wait_until_up();
    struct raw stranger = connect_raw(house.secrets[N_PARTIES], house.parties[0].key, house.endpoints[0]);
    zmq_send(stranger.socket, "B", 1, ZMQ_SNDMORE);
    zmq_send(stranger.socket, "let me in", 9, 0);
    struct raw unarmed = connect_raw(NULL, NULL, house.endpoints[0]);
    zmq_send(unarmed.socket, "B", 1, ZMQ_SNDMORE);
    zmq_send(unarmed.socket, "let me in", 9, 0);
    for (int i = 0; i < PATIENCE_POLLS && !(stats_of(0).strangers && stats_of(0).bad_handshakes); i++)
        ck_assert_int_eq(chain_net_poll(house.nets[0], 5, &event), 0);
    ck_assert_uint_ge(stats_of(0).strangers, 1);
    ck_assert_uint_ge(stats_of(0).bad_handshakes, 1);
    ck_assert_uint_eq(stats_of(0).received, 0);
    close_raw(stranger);
    close_raw(unarmed);
}
END_TEST

START_TEST(a_member_with_the_wrong_key_for_its_peer_learns_nothing)
{
    struct chain_net_event event;
    wait_until_up();
    /* speaks as the client, but to a door whose key it mistakes */
    struct raw mistaken = connect_raw(house.secrets[CLIENT], house.parties[1].key, house.endpoints[0]);
    zmq_send(mistaken.socket, "Q", 1, ZMQ_SNDMORE);
    zmq_send(mistaken.socket, "secret", 6, 0);
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(chain_net_poll(house.nets[0], 1, &event), 0);
    ck_assert_uint_eq(stats_of(0).received, 0);
    close_raw(mistaken);
}
END_TEST

START_TEST(what_is_no_message_is_refused_and_the_next_one_still_read)
{
    struct chain_net_event event;
    wait_until_up();
    struct raw client = connect_raw(house.secrets[CLIENT], house.parties[0].key, house.endpoints[0]);
    zmq_send(client.socket, "Q", 1, 0);                    /* no data */
    zmq_send(client.socket, "QQ", 2, ZMQ_SNDMORE);         /* no kind */
    zmq_send(client.socket, "x", 1, 0);
    zmq_send(client.socket, "Q", 1, ZMQ_SNDMORE);          /* too many frames */
    zmq_send(client.socket, "x", 1, ZMQ_SNDMORE);
    zmq_send(client.socket, "y", 1, 0);
    zmq_send(client.socket, "B", 1, ZMQ_SNDMORE);          /* a client is no member */
    zmq_send(client.socket, "x", 1, 0);
    zmq_send(client.socket, "Q", 1, ZMQ_SNDMORE);
    zmq_send(client.socket, "good", 4, 0);
    ck_assert(wait_for(0, CHAIN_NET_REQUEST, &event));
    ck_assert_mem_eq(event.data, "good", 4);
    ck_assert_uint_eq(event.from, CLIENT);
    ck_assert_uint_eq(stats_of(0).refused_malformed, 4);
    close_raw(client);
}
END_TEST

START_TEST(an_oversized_message_ends_the_connection_not_the_node)
{
    static const uint8_t big[MAX_MESSAGE_BYTES + 200];
    struct chain_net_event event;
    wait_until_up();
    struct raw client = connect_raw(house.secrets[CLIENT], house.parties[0].key, house.endpoints[0]);
    zmq_send(client.socket, "Q", 1, ZMQ_SNDMORE);
    zmq_send(client.socket, big, sizeof big, 0);
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(chain_net_poll(house.nets[0], 1, &event), 0);
    ck_assert_uint_eq(stats_of(0).received, 0);
    close_raw(client);
    chain_net_send(house.nets[1], 0, big, MAX_MESSAGE_BYTES + 1); /* little enough for the connection to stay */
    chain_net_send(house.nets[1], 0, big, MAX_MESSAGE_BYTES);     /* the bound itself passes */
    ck_assert(wait_for(0, CHAIN_NET_BUNDLE, &event));
    ck_assert_uint_eq(event.len, MAX_MESSAGE_BYTES);
    ck_assert_uint_eq(stats_of(0).refused_malformed, 1);
}
END_TEST

START_TEST(a_peer_that_does_not_read_costs_a_bounded_queue)
{
    static const uint8_t octets[MAX_MESSAGE_BYTES];
    wait_until_up();
    for (int i = 0; i < 20000; i++)
        chain_net_send(house.nets[0], 1, octets, sizeof octets); /* member 1 is never polled meanwhile */
    struct chain_net_stats stats = stats_of(0);
    ck_assert_uint_gt(stats.dropped_full, 0);
    ck_assert_uint_eq(stats.dropped_full + stats.sent, 20000);
}
END_TEST

START_TEST(a_port_in_use_is_named)
{
    char error[CHAIN_NET_MAX_ERROR];
    struct chain_net *second;
    struct chain_net_config cfg = {.self = 0, .bind = house.endpoints[0], .n_members = N_MEMBERS, .n_parties = N_PARTIES,
                                   .parties = house.parties, .max_message_bytes = 100, .queue_messages = 16, .wake_fd = -1};
    memcpy(cfg.secret, house.secrets[0], 32);
    ck_assert_int_eq(chain_net_open(&cfg, &second, error), -EADDRINUSE);
    char wanted[100];
    snprintf(wanted, sizeof wanted, "%s: Address already in use", house.endpoints[0]);
    ck_assert_str_eq(error, wanted);
}
END_TEST

START_TEST(a_readable_wake_descriptor_ends_the_wait)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    chain_net_close(house.nets[0]);
    char error[CHAIN_NET_MAX_ERROR];
    struct chain_net_config cfg = {.self = 0, .bind = house.endpoints[0], .n_members = 1, .n_parties = 1, .parties = house.parties,
                                   .max_message_bytes = 100, .queue_messages = 16, .wake_fd = ends[0]};
    memcpy(cfg.secret, house.secrets[0], 32);
    ck_assert_msg(chain_net_open(&cfg, &house.nets[0], error) == 0, "%s", error);
    struct chain_net_event event;
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    ck_assert_int_eq(chain_net_poll(house.nets[0], 60000, &event), 0); /* else Check's time limit strikes */
    close(ends[0]);
    close(ends[1]);
}
END_TEST

/* The client's calls block, so that the door is served by a thread of ZeroMQ's */
static void serve(void *stop)
{
    struct chain_net_event event;
    while (!atomic_load((atomic_bool *)stop)) {
        if (chain_net_poll(house.nets[0], 5, &event) != 1 || event.kind != CHAIN_NET_REQUEST)
            continue;
        char answer[64];
        int len = snprintf(answer, sizeof answer, "party %u said %.*s", (unsigned)event.from, (int)event.len, (const char *)event.data);
        chain_net_reply(house.nets[0], &event.caller, CHAIN_NET_REPLY, answer, (size_t)len);
    }
}

static int ask(const uint8_t secret[32], const char *endpoint, char *answer_out)
{
    struct chain_net_client *client;
    const uint8_t *answer;
    size_t len;
    ck_assert_int_eq(chain_net_client_open(endpoint, house.parties[0].key, secret, MAX_MESSAGE_BYTES, &client), 0);
    int err = chain_net_client_ask(client, "one", 3, PATIENCE_MS, &answer, &len);
    if (!err)
        err = chain_net_client_ask(client, "two", 3, PATIENCE_MS, &answer, &len); /* the second on the same connection */
    if (!err) {
        memcpy(answer_out, answer, len);
        answer_out[len] = '\0';
    }
    chain_net_client_close(client);
    return err;
}

START_TEST(clients_are_answered_and_told_why_when_not)
{
    char answer[MAX_MESSAGE_BYTES];
    atomic_bool stop = false;
    char nowhere[40];
    snprintf(nowhere, sizeof nowhere, "tcp://127.0.0.1:%d", free_port());
    void *thread = zmq_threadstart(serve, &stop);
    int known = ask(house.secrets[CLIENT], house.endpoints[0], answer);
    int stranger = ask(house.secrets[N_PARTIES], house.endpoints[0], answer + 100);
    int closed = ask(house.secrets[CLIENT], nowhere, answer + 100);
    atomic_store(&stop, true);
    zmq_threadclose(thread);
    ck_assert_int_eq(known, 0);
    ck_assert_str_eq(answer, "party 2 said two");
    ck_assert_int_eq(stranger, -EACCES);
    ck_assert_int_eq(closed, -ECONNREFUSED);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *net = tcase_create("net");
    tcase_add_checked_fixture(net, open_house, close_house);
    tcase_add_test(net, members_find_each_other_and_know_who_speaks);
    tcase_add_test(net, a_member_that_went_away_is_reported_and_found_again);
    tcase_add_test(net, a_stranger_is_not_let_in_and_counted);
    tcase_add_test(net, a_member_with_the_wrong_key_for_its_peer_learns_nothing);
    tcase_add_test(net, what_is_no_message_is_refused_and_the_next_one_still_read);
    tcase_add_test(net, an_oversized_message_ends_the_connection_not_the_node);
    tcase_add_test(net, a_peer_that_does_not_read_costs_a_bounded_queue);
    tcase_add_test(net, a_port_in_use_is_named);
    tcase_add_test(net, a_readable_wake_descriptor_ends_the_wait);
    tcase_add_test(net, clients_are_answered_and_told_why_when_not);
    suite_add_tcase(suite, net);
}
