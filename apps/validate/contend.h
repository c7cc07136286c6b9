/* Saturated stations on the virtual air, each with the production receiver, carrier sense and MAC, at either fidelity: at iq fidelity
 * every sample that a station hears is made and demodulated, at packet fidelity the receiver draws from tables. Nothing else differs. */
#ifndef APPS_VALIDATE_CONTEND_H
#define APPS_VALIDATE_CONTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/validate/stations.h"
#include "apps/validate/saturate.h"
#include "phy/packet/tables.h"
#include "phy/phy.h"

enum { APP_CONTEND_RATE_HZ = APP_STATIONS_RATE_HZ, APP_CONTEND_MAX_STATIONS = APP_STATIONS_MAX };

struct app_contend {
    uint32_t n;        /* stations, 2..; each sends to the next one */
    double snr_db;     /* of the links, over the full sample rate */
    double spread_db;  /* each pair's link lies anywhere within this much of it, above or below */
    uint32_t payload;  /* octets behind LLC/SNAP, 5..1500 */
    unsigned rate;     /* index of the waveform's, of data */
    uint64_t trials;   /* attempts to measure, behind a twentieth as many to settle */
    uint64_t seed;
    const struct phy_packet_tables *tables; /* packet fidelity; NULL: iq. Borrowed */
};

/* 0, or a negative errno with *why_out. */
__attribute__((warn_unused_result)) int app_contend_run(const struct app_contend *cfg, struct app_saturated *out, const char **why_out);
#endif
