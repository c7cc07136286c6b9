/* The capture file block by block. With AIRDEED_KEEP_CAPTURE set to a path, the capture is left there for other programs to read
 * (tests/scenario/capture.sh). */
#define SUITE_NAME "pcapng"
#include "tests/unit/check_main.h"

#include "apps/run/pcapng.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static const char *const stations[] = {"alpha", "bravo", "charlie", "delta"};
static uint8_t file[65536];
static size_t file_len;
static char path[256];

/* An acknowledgement to 02:00:00:00:00:01 with its FCS. */
static const uint8_t ack[14] = {0xd4, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0xd8, 0xd6, 0xbf, 0x8f};

static void choose_path(void)
{
    const char *keep = getenv("AIRDEED_KEEP_CAPTURE");
    if (keep)
        snprintf(path, sizeof path, "%s", keep);
    else
        snprintf(path, sizeof path, "/tmp/airdeed-capture-%ld.pcapng", (long)getpid());
}

static void remove_file(void)
{
    if (!getenv("AIRDEED_KEEP_CAPTURE"))
        unlink(path);
}

static uint32_t u32_at(size_t at)
{
    ck_assert_uint_le(at + 4, file_len);
    return (uint32_t)file[at] | (uint32_t)file[at + 1] << 8 | (uint32_t)file[at + 2] << 16 | (uint32_t)file[at + 3] << 24;
}

static unsigned u16_at(size_t at)
{
    return u32_at(at) & 0xffff;
}

/* Offset of the n-th block, checking that lengths agree on the way. */
static size_t find_block(unsigned n)
{
    size_t at = 0;
    for (unsigned i = 0;; i++) {
        uint32_t len = u32_at(at + 4);
        ck_assert_uint_eq(len % 4, 0);
        ck_assert_uint_eq(u32_at(at + len - 4), len);
        if (i == n)
            return at;
        at += len;
    }
}

static void write_capture(void)
{
    struct app_pcapng *p;
    ck_assert_int_eq(app_pcapng_open(path, stations, 4, &p), 0);
    struct app_pcapng_frame sent = {
        .interface = 1, .unix_ns = 1577836801123456789, .rate_kbps = 6000, .channel_center_hz = 5.185e9, .signal_dbfs = NAN,
        .noise_dbfs = NAN, .sent = true, .psdu = ack, .psdu_len = sizeof ack, .comment = "{\"purpose\":\"ack\"}"};
    app_pcapng_write(p, &sent);
    struct app_pcapng_frame heard = sent;
    heard.interface = 3;
    heard.unix_ns += 100;
    heard.sent = false;
    heard.signal_dbfs = -40.4;
    heard.noise_dbfs = -60;
    heard.comment = NULL;
    app_pcapng_write(p, &heard);
    uint8_t damaged[sizeof ack];
    memcpy(damaged, ack, sizeof ack);
    damaged[13] ^= 1;
    heard.psdu = damaged;
    heard.fcs_bad = true;
    heard.rate_kbps = 200000; /* beyond what the rate field holds: left out */
    app_pcapng_write(p, &heard);
    struct app_pcapng_frame ht = {.interface = 0, .unix_ns = sent.unix_ns + 200, .rate_kbps = 65000, .channel_center_hz = NAN, .signal_dbfs = -40,
                                  .noise_dbfs = -60, .ht = true, .ht_mcs = 7, .ht_wide = true, .ht_short_guard = true};
    app_pcapng_write(p, &ht);
    ck_assert_int_eq(app_pcapng_close(p), 0);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    file_len = fread(file, 1, sizeof file, f);
    fclose(f);
}

START_TEST(a_capture_has_a_section_and_an_interface_a_station)
{
    write_capture();
    ck_assert_uint_eq(u32_at(0), 0x0A0D0D0A);
    ck_assert_uint_eq(u32_at(8), 0x1A2B3C4D);
    for (unsigned i = 0; i < 4; i++) {
        size_t at = find_block(1 + i);
        ck_assert_uint_eq(u32_at(at), 1);
        ck_assert_uint_eq(u16_at(at + 8), 127);
        ck_assert_uint_eq(u16_at(at + 16), 2); /* if_name */
        ck_assert_uint_eq(u16_at(at + 18), strlen(stations[i]));
        ck_assert_mem_eq(file + at + 20, stations[i], strlen(stations[i]));
    }
}
END_TEST

START_TEST(a_frame_carries_time_radiotap_and_octets)
{
    write_capture();
    size_t at = find_block(6); /* the one that was heard */
    ck_assert_uint_eq(u32_at(at), 6);
    ck_assert_uint_eq(u32_at(at + 8), 3);
    ck_assert_uint_eq((uint64_t)u32_at(at + 12) << 32 | u32_at(at + 16), 1577836801123456889u);
    size_t radiotap = at + 28;
    unsigned len = u16_at(radiotap + 2);
    ck_assert_uint_eq(len, 16);
    ck_assert_uint_eq(u32_at(radiotap + 4), 0x6e); /* flags, rate, channel, signal, noise */
    ck_assert_uint_eq(file[radiotap + 8], 0x10);
    ck_assert_uint_eq(file[radiotap + 9], 12);
    ck_assert_uint_eq(u16_at(radiotap + 10), 5185);
    ck_assert_uint_eq(u16_at(radiotap + 12), 0x140);
    ck_assert_int_eq((int8_t)file[radiotap + 14], -40);
    ck_assert_int_eq((int8_t)file[radiotap + 15], -60);
    ck_assert_uint_eq(u32_at(at + 20), len + sizeof ack);
    ck_assert_mem_eq(file + radiotap + len, ack, sizeof ack);
}
END_TEST

START_TEST(a_damaged_frame_is_flagged_and_an_unknown_level_left_out)
{
    write_capture();
    size_t sent = find_block(5) + 28, damaged = find_block(7) + 28;
    ck_assert_uint_eq(u32_at(sent + 4), 0x0e);
    ck_assert_uint_eq(file[damaged + 8], 0x50);
    ck_assert_uint_eq(u32_at(damaged + 4), 0x6a); /* no rate; the channel stays aligned */
    ck_assert_uint_eq(u16_at(damaged + 10), 5185);
}
END_TEST

START_TEST(an_ht_frame_carries_its_mcs_in_place_of_a_rate_and_an_unknown_channel_is_left_out)
{
    write_capture();
    static const uint8_t fields[] = {0, 0xd8, 0xc4, 0x0f, 0x05, 7, 1}; /* flags, signal, noise, MCS: known, flags, index; no octets */
    size_t radiotap = find_block(8) + 28;
    ck_assert_uint_eq(u32_at(radiotap + 4), 1u << 1 | 1u << 5 | 1u << 6 | 1u << 19 | 1u << 26);
    ck_assert_uint_eq(u16_at(radiotap + 2), 8 + sizeof fields);
    ck_assert_mem_eq(file + radiotap + 8, fields, sizeof fields);
}
END_TEST

START_TEST(packets_are_in_order_of_time_and_those_of_one_instant_as_they_came)
{
    static const int64_t stamps_ns[] = {300, 100, 200, 100, 250, 400, 260};
    static const int64_t sorted_ns[] = {100, 100, 200, 250, 260, 300, 400};
    static const unsigned interfaces[] = {1, 3, 2, 0, 2, 0, 1};
    struct app_pcapng *p;
    ck_assert_int_eq(app_pcapng_open(path, stations, 4, &p), 0);
    struct app_pcapng_frame frame = {.psdu = ack, .psdu_len = sizeof ack, .channel_center_hz = 5.185e9, .rate_kbps = 6000};
    for (unsigned i = 0; i < 7; i++) {
        frame.unix_ns = stamps_ns[i];
        frame.interface = (uint32_t)(i % 4);
        app_pcapng_write(p, &frame);
        if (i == 4)
            app_pcapng_settle(p, 250);
    }
    ck_assert_int_eq(app_pcapng_close(p), 0);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    file_len = fread(file, 1, sizeof file, f);
    fclose(f);
    for (unsigned i = 0; i < 7; i++) {
        size_t at = find_block(5 + i);
        ck_assert_uint_eq(u32_at(at + 16), (uint32_t)sorted_ns[i]);
        ck_assert_uint_eq(u32_at(at + 8), interfaces[i]);
    }
}
END_TEST

START_TEST(a_full_disk_is_reported_at_the_end)
{
    struct app_pcapng *p;
    if (app_pcapng_open("/dev/full", stations, 4, &p))
        return;
    struct app_pcapng_frame frame = {.psdu = ack, .psdu_len = sizeof ack, .channel_center_hz = 5.185e9, .rate_kbps = 6000};
    for (int i = 0; i < 1000; i++)
        app_pcapng_write(p, &frame);
    ck_assert_int_eq(app_pcapng_close(p), -ENOSPC);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *t = tcase_create("pcapng");
    tcase_add_checked_fixture(t, choose_path, remove_file);
    tcase_add_test(t, a_capture_has_a_section_and_an_interface_a_station);
    tcase_add_test(t, a_frame_carries_time_radiotap_and_octets);
    tcase_add_test(t, a_damaged_frame_is_flagged_and_an_unknown_level_left_out);
    tcase_add_test(t, an_ht_frame_carries_its_mcs_in_place_of_a_rate_and_an_unknown_channel_is_left_out);
    tcase_add_test(t, a_full_disk_is_reported_at_the_end);
    suite_add_tcase(suite, t);
    TCase *order = tcase_create("order"); /* of its own: a capture that is kept is that of the case above */
    tcase_add_checked_fixture(order, choose_path, remove_file);
    tcase_add_test(order, packets_are_in_order_of_time_and_those_of_one_instant_as_they_came);
    suite_add_tcase(suite, order);
}
