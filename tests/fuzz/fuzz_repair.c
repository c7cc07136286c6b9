/* What other stations send to mend messages to all. Input: records of two octets, the first how long the time before it is and the second
 * its length, and that many octets, each a MAC message that was heard; the machine itself has a message out. */
#include "mac/repair.h"
#include "mac/repair_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { PIECE_BYTES = 24, MAX_MESSAGE_BYTES = 200 };

static void require(int holds)
{
    if (!holds)
        abort();
}

/* What we read we would have written octet for octet. */
static void check_round_trip(const uint8_t *octets, size_t len)
{
    struct mac_repair_frame frame;
    uint8_t header[MAC_REPAIR_ASK_BYTES];
    if (!mac_repair_read(octets, len, &frame))
        return;
    size_t header_len = mac_repair_write_header(&frame, header);
    require(header_len + frame.len_bytes == len);
    require(memcmp(header, octets, header_len) == 0);
}

static struct mac_repair *open_repair(void)
{
    static _Alignas(64) uint8_t memory[1 << 16];
    struct mac_repair_config cfg = {.seed = 1, .station_id = 1, .first_serial = 5, .piece_bytes = PIECE_BYTES, .n_messages = 3,
        .max_message_bytes = MAX_MESSAGE_BYTES, .piece_ns = 1000000, .ask_ns = 100000, .keep_ns = 100000000, .max_asks = 5};
    struct mac_repair *repair;
    const char *bad_field;
    require(mac_repair_bytes(&cfg) <= sizeof memory);
    require(mac_repair_init(memory, sizeof memory, &cfg, &repair, &bad_field) == 0);
    return repair;
}

static void step(struct mac_repair *repair, struct mac_repair_event event)
{
    struct mac_repair_update out;
    int rc = mac_repair_step(repair, &event, &out);
    require(rc == 0 || rc == -EBADMSG || rc == -ENOBUFS);
    if (out.has_delivery)
        require(out.message_len >= 1 && out.message_len <= MAX_MESSAGE_BYTES);
    if (!out.has_frame)
        return;
    require(out.frame_len <= PIECE_BYTES + MAC_REPAIR_HEADER_BYTES);
    struct mac_repair_frame frame;
    require(mac_repair_read(out.frame, out.frame_len, &frame));
    event = (struct mac_repair_event){.kind = MAC_REPAIR_EV_LEFT, .now_ns = event.now_ns};
    require(mac_repair_step(repair, &event, &out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t own[MAX_MESSAGE_BYTES] = {1, 2, 3};
    struct mac_repair *repair = open_repair();
    struct mac_repair_event event = {.kind = MAC_REPAIR_EV_SEND, .now_ns = 1000, .octets = own, .len_bytes = sizeof own};
    step(repair, event);
    while (len >= 2) {
        size_t n = data[1] < len - 2 ? data[1] : len - 2;
        check_round_trip(data + 2, n);
        event = (struct mac_repair_event){.kind = MAC_REPAIR_EV_HEARD, .now_ns = event.now_ns, .from = 3, .octets = data + 2, .len_bytes = n};
        step(repair, event);
        for (unsigned i = 0; i < 40 && mac_repair_deadline(repair) <= event.now_ns; i++) {
            event.kind = MAC_REPAIR_EV_TICK;
            step(repair, event);
        }
        require(mac_repair_deadline(repair) > event.now_ns);
        event.now_ns += (int64_t)data[0] * 1000000;
        data += n + 2;
        len -= n + 2;
    }
    mac_repair_close(repair);
    return 0;
}
