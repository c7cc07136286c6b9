/* Station ids as IEEE 802 addresses: 02-AD and the id, most significant octet first. Bit 1 of the first octet says "local". */
#include "mac/mac.h"

#include <string.h>

const struct mac_address mac_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct mac_address mac_address_of(uint32_t station_id)
{
    struct mac_address address = {{0x02, 0xad, (uint8_t)(station_id >> 24), (uint8_t)(station_id >> 16),
                                   (uint8_t)(station_id >> 8), (uint8_t)station_id}};
    return address;
}

uint32_t mac_station_of(const struct mac_address *address)
{
    const uint8_t *o = address->octets;
    if (o[0] != 0x02 || o[1] != 0xad)
        return UINT32_MAX;
    return (uint32_t)o[2] << 24 | (uint32_t)o[3] << 16 | (uint32_t)o[4] << 8 | o[5];
}
