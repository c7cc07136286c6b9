#define SUITE_NAME "mac frame"
#include "tests/unit/check_main.h"

#include "mac/draw.h"
#include "mac/frame.h"

#include <errno.h>
#include <string.h>

/* tshark 4.0.17 (text2pcap -l 105) shows an ad-hoc data frame, retry, duration 300 us, sequence number 2748, then LLC with
 * "Local Experimental Ethertype 1 (0x88b5)" and 8 octets of data. */
static const uint8_t golden_data[] = {
    0x08, 0x08, 0x2c, 0x01,                         /* data, retry, duration 300 us */
    0x02, 0xad, 0x00, 0x00, 0x00, 0x02,             /* to station 2 */
    0x02, 0xad, 0x01, 0x02, 0x03, 0x04,             /* from station 0x01020304 */
    0x06, 0xad, 0x1a, 0x1d, 0xee, 0xd0,             /* BSSID */
    0xc0, 0xab,                                     /* sequence 0xabc, fragment number 0 */
    0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x88, 0xb5, /* LLC/SNAP */
    0x34, 0x12, 0x01, 0x02,                         /* message 0x1234, fragment 1, last 2 */
    0xde, 0xad, 0xbe, 0xef};
static const uint8_t golden_ack[] = {0xd4, 0x00, 0x00, 0x00, 0x02, 0xad, 0x01, 0x02, 0x03, 0x04};
static const uint8_t golden_cts[] = {0xc4, 0x00, 0xff, 0x7f, 0x02, 0xad, 0x01, 0x02, 0x03, 0x04};
static const uint8_t golden_rts[] = {0xb4, 0x00, 0x0a, 0x00, 0x02, 0xad, 0x00, 0x00, 0x00, 0x02, 0x02, 0xad, 0x01, 0x02, 0x03, 0x04};

static struct mac_frame data_frame(void)
{
    return (struct mac_frame){.kind = MAC_FRAME_DATA, .retry = true, .duration_us = 300, .receiver = mac_address_of(2),
        .transmitter = mac_address_of(0x01020304), .bssid = mac_bssid, .sequence = 0xabc, .message_id = 0x1234, .fragment = 1,
        .last_fragment = 2, .payload = golden_data + 36, .payload_len = 4};
}

START_TEST(a_data_frame_has_the_octets_of_the_golden_vector)
{
    struct mac_frame frame = data_frame();
    uint8_t out[64];
    size_t len;
    ck_assert_int_eq(mac_frame_write(&frame, out, sizeof out, &len), 0);
    ck_assert_mem_eq(out, golden_data, sizeof golden_data);
    ck_assert_uint_eq(len, sizeof golden_data);
    ck_assert_int_eq(mac_frame_write(&frame, out, sizeof golden_data - 1, &len), -ENOBUFS);
}
END_TEST

START_TEST(control_frames_have_the_octets_of_the_golden_vectors)
{
    struct mac_frame frame = {.kind = MAC_FRAME_ACK, .receiver = mac_address_of(0x01020304)};
    uint8_t out[16];
    size_t len;
    ck_assert_int_eq(mac_frame_write(&frame, out, sizeof out, &len), 0);
    ck_assert_uint_eq(len, sizeof golden_ack);
    ck_assert_mem_eq(out, golden_ack, len);
    frame.kind = MAC_FRAME_CTS;
    frame.duration_us = 32767;
    ck_assert_int_eq(mac_frame_write(&frame, out, sizeof out, &len), 0);
    ck_assert_uint_eq(len, sizeof golden_cts);
    ck_assert_mem_eq(out, golden_cts, len);
    frame = (struct mac_frame){.kind = MAC_FRAME_RTS, .duration_us = 10, .receiver = mac_address_of(2),
                               .transmitter = mac_address_of(0x01020304)};
    ck_assert_int_eq(mac_frame_write(&frame, out, sizeof out, &len), 0);
    ck_assert_uint_eq(len, sizeof golden_rts);
    ck_assert_mem_eq(out, golden_rts, len);
    ck_assert_int_eq(mac_frame_write(&frame, out, 15, &len), -ENOBUFS);
}
END_TEST

START_TEST(reading_a_frame_gives_back_what_was_written)
{
    struct mac_frame frame;
    ck_assert_int_eq(mac_frame_read(golden_data, sizeof golden_data, &frame), 0);
    ck_assert_int_eq(frame.kind, MAC_FRAME_DATA);
    ck_assert(frame.ours && frame.retry && !frame.more_fragments);
    ck_assert_uint_eq(frame.duration_us, 300);
    ck_assert_uint_eq(mac_station_of(&frame.receiver), 2);
    ck_assert_uint_eq(mac_station_of(&frame.transmitter), 0x01020304);
    ck_assert_uint_eq(frame.sequence, 0xabc);
    ck_assert_uint_eq(frame.message_id, 0x1234);
    ck_assert_uint_eq(frame.fragment, 1);
    ck_assert_uint_eq(frame.last_fragment, 2);
    ck_assert_uint_eq(frame.payload_len, 4);
    ck_assert_int_eq(mac_frame_read(golden_rts, sizeof golden_rts, &frame), 0);
    ck_assert_int_eq(frame.kind, MAC_FRAME_RTS);
    ck_assert_uint_eq(mac_station_of(&frame.transmitter), 0x01020304);
    ck_assert_int_eq(mac_frame_read(golden_ack, sizeof golden_ack, &frame), 0);
    ck_assert_int_eq(frame.kind, MAC_FRAME_ACK);
}
END_TEST

START_TEST(an_address_of_another_make_belongs_to_no_station)
{
    struct mac_address other = {{0x00, 0x16, 0x3e, 0, 0, 1}};
    ck_assert_uint_eq(mac_station_of(&other), UINT32_MAX);
    ck_assert_uint_eq(mac_station_of(&mac_broadcast), UINT32_MAX);
    ck_assert(mac_address_is_group(&mac_broadcast) && !mac_address_is_group(&mac_bssid));
}
END_TEST

START_TEST(a_foreign_data_frame_is_read_but_is_not_ours)
{
    static const struct {
        size_t at;
        uint8_t value;
    } change[] = {{1, 0x01}, {1, 0x02}, {1, 0x04}, {1, 0x40}, {10, 0x03}, {16, 0x00}, {22, 0xc1}, {24, 0x42}, {31, 0x00}, {34, 3}};
    for (size_t i = 0; i < sizeof change / sizeof change[0]; i++) {
        uint8_t mpdu[sizeof golden_data];
        struct mac_frame frame;
        memcpy(mpdu, golden_data, sizeof mpdu);
        mpdu[change[i].at] = change[i].value;
        ck_assert_int_eq(mac_frame_read(mpdu, sizeof mpdu, &frame), 0);
        ck_assert_int_eq(frame.kind, MAC_FRAME_DATA);
        ck_assert(!frame.ours);
    }
}
END_TEST

START_TEST(what_is_no_mpdu_is_refused)
{
    struct mac_frame frame;
    uint8_t mpdu[sizeof golden_data];
    memcpy(mpdu, golden_data, sizeof mpdu);
    for (size_t len = 0; len < 24; len++)
        ck_assert_int_eq(mac_frame_read(mpdu, len, &frame), -EBADMSG);
    mpdu[0] |= 1; /* protocol version */
    ck_assert_int_eq(mac_frame_read(mpdu, sizeof mpdu, &frame), -EBADMSG);
    ck_assert_int_eq(mac_frame_read(golden_rts, sizeof golden_rts - 1, &frame), -EBADMSG);
    uint8_t long_ack[11] = {0xd4};
    ck_assert_int_eq(mac_frame_read(long_ack, sizeof long_ack, &frame), -EBADMSG);
}
END_TEST

START_TEST(a_management_frame_gives_its_duration_and_an_association_id_gives_none)
{
    uint8_t beacon[30] = {0x80, 0x00, 0x10, 0x00}, ps_poll[16] = {0xa4, 0x00, 0x01, 0xc0};
    struct mac_frame frame;
    ck_assert_int_eq(mac_frame_read(beacon, sizeof beacon, &frame), 0);
    ck_assert_int_eq(frame.kind, MAC_FRAME_OTHER);
    ck_assert_uint_eq(frame.duration_us, 16);
    ck_assert_int_eq(mac_frame_read(ps_poll, sizeof ps_poll, &frame), 0);
    ck_assert_uint_eq(frame.duration_us, 0);
}
END_TEST

START_TEST(fields_out_of_range_are_not_written)
{
    uint8_t out[64];
    size_t len;
    struct mac_frame frame = data_frame();
    frame.duration_us = 32768;
    ck_assert_int_eq(mac_frame_write(&frame, out, sizeof out, &len), -EINVAL);
    frame = data_frame();
    frame.sequence = 4096;
    ck_assert_int_eq(mac_frame_write(&frame, out, sizeof out, &len), -EINVAL);
    frame = data_frame();
    frame.fragment = 3;
    ck_assert_int_eq(mac_frame_write(&frame, out, sizeof out, &len), -EINVAL);
    frame = data_frame();
    frame.kind = MAC_FRAME_OTHER;
    ck_assert_int_eq(mac_frame_write(&frame, out, sizeof out, &len), -EINVAL);
}
END_TEST

START_TEST(random_octets_never_break_the_reader)
{
    struct mac_draw_key key = {.seed = 5};
    uint64_t counter = 0;
    unsigned n_ours = 0, n_refused = 0;
    for (int trial = 0; trial < 200000; trial++) {
        uint8_t mpdu[64];
        size_t len = mac_draw(&key, MAC_DRAW_BACKOFF, counter++) % sizeof mpdu;
        for (size_t i = 0; i < len; i++)
            mpdu[i] = (uint8_t)mac_draw(&key, MAC_DRAW_BACKOFF, counter++);
        if (trial % 2 == 0) /* half of them begin like ours */
            memcpy(mpdu, golden_data, len < 34 ? len : 34);
        struct mac_frame frame;
        int rc = mac_frame_read(mpdu, len, &frame);
        n_refused += rc == -EBADMSG;
        if (rc == 0 && frame.ours) {
            n_ours++;
            if (frame.payload_len + MAC_DATA_OVERHEAD_BYTES != len || frame.fragment > frame.last_fragment)
                ck_abort_msg("a payload beyond its frame");
        }
    }
    ck_assert_uint_gt(n_ours, 1000);
    ck_assert_uint_gt(n_refused, 1000);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("frames");
    tcase_add_test(tc, a_data_frame_has_the_octets_of_the_golden_vector);
    tcase_add_test(tc, control_frames_have_the_octets_of_the_golden_vectors);
    tcase_add_test(tc, reading_a_frame_gives_back_what_was_written);
    tcase_add_test(tc, an_address_of_another_make_belongs_to_no_station);
    tcase_add_test(tc, a_foreign_data_frame_is_read_but_is_not_ours);
    tcase_add_test(tc, what_is_no_mpdu_is_refused);
    tcase_add_test(tc, a_management_frame_gives_its_duration_and_an_association_id_gives_none);
    tcase_add_test(tc, fields_out_of_range_are_not_written);
    tcase_add_test(tc, random_octets_never_break_the_reader);
    suite_add_tcase(suite, tc);
}
