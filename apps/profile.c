#include "apps/profile.h"

#include "apps/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const int64_t propagation_ns = 1000;

static double us(int64_t ns)
{
    return (double)ns / 1000;
}

static int find_host(const char *text, const struct mac_host_timing *radio, struct mac_profile *out, char *why)
{
    struct mac_host_timing timing = *radio;
    const char *reason;
    if (app_parse_duration(text, &timing.turnaround_ns) != 0 || timing.turnaround_ns <= 0) {
        snprintf(why, APP_PROFILE_MAX_WHY, "'%s' is no turnaround, which is for instance 2ms", text);
        return -ENOENT;
    }
    if (timing.turnaround_ns < radio->turnaround_ns) {
        snprintf(why, APP_PROFILE_MAX_WHY, "turnaround %.12g us < %.12g us that the radio needs", us(timing.turnaround_ns),
                 us(radio->turnaround_ns));
        return -ERANGE;
    }
    int rc = mac_profile_host(&timing, out, &reason);
    if (rc != 0)
        snprintf(why, APP_PROFILE_MAX_WHY, "%s", reason);
    return rc == 0 ? 0 : -ERANGE;
}

int app_profile_find(const char *name, const struct mac_host_timing *radio, bool ahead, struct mac_profile *out,
                     char why[APP_PROFILE_MAX_WHY])
{
    if (strncmp(name, "host-", 5) == 0)
        return find_host(name + 5, radio, out, why);
    if (mac_profile_by_name(name, radio->rx_start_delay_ns, out) != 0) {
        int n = snprintf(why, APP_PROFILE_MAX_WHY, "no profile is called '%.40s'; there are host-TIME", name);
        for (size_t i = 0; mac_profile_name(i) && n < APP_PROFILE_MAX_WHY; i++)
            n += snprintf(why + n, APP_PROFILE_MAX_WHY - (size_t)n, ", %s", mac_profile_name(i));
        return -ENOENT;
    }
    int64_t slot_ns = radio->cca_delay_ns + propagation_ns + radio->turnaround_ns;
    if (out->sifs_ns < radio->turnaround_ns)
        snprintf(why, APP_PROFILE_MAX_WHY, "SIFS %.12g us < turnaround %.12g us", us(out->sifs_ns), us(radio->turnaround_ns));
    else if (ahead && out->slot_ns < slot_ns)
        snprintf(why, APP_PROFILE_MAX_WHY, "slot %.12g us < CCA %.12g us + propagation %.12g us + turnaround %.12g us", us(out->slot_ns),
                 us(radio->cca_delay_ns), us(propagation_ns), us(radio->turnaround_ns));
    else
        return 0;
    return -ERANGE;
}
