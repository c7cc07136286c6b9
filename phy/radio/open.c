/* Live radios by name. */
#include "phy/radio/radio.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct phy_radio_backend *const backends[] = {&phy_radio_uhd, &phy_radio_zmq};
enum { N_BACKENDS = sizeof backends / sizeof *backends };

static int refuse_scheme(const char *uri, char *error_out)
{
    int len = snprintf(error_out, PHY_RADIO_MAX_ERROR, "'%.100s': no kind of radio is called so; there are", uri);
    for (size_t i = 0; i < N_BACKENDS && len < PHY_RADIO_MAX_ERROR; i++)
        len += snprintf(error_out + len, (size_t)(PHY_RADIO_MAX_ERROR - len), "%s %s", i ? "," : "", backends[i]->scheme);
    return -EINVAL;
}

int phy_radio_open(const char *uri, const struct phy_radio_config *cfg, struct phy_radio **out, char *error_out)
{
    size_t len = strcspn(uri, ":");
    struct phy_radio_config own = *cfg;
    own.address[sizeof own.address - 1] = '\0';
    for (size_t i = 0; i < N_BACKENDS; i++) {
        if (strlen(backends[i]->scheme) != len || strncmp(backends[i]->scheme, uri, len) != 0)
            continue;
        const char *address = uri[len] ? uri + len + 1 : "";
        if (strlen(address) >= sizeof own.address) {
            snprintf(error_out, PHY_RADIO_MAX_ERROR, "'%.60s...': longer than %zu characters", uri, sizeof own.address - 1);
            return -EINVAL;
        }
        if (*address)
            strcpy(own.address, address);
        return backends[i]->open(&own, out, error_out);
    }
    return refuse_scheme(uri, error_out);
}
