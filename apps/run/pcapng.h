/* air.pcapng: one interface a station, radiotap + IEEE 802.11 with FCS (link type 127, IEEE802_11_RADIOTAP). */
#ifndef APPS_RUN_PCAPNG_H
#define APPS_RUN_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app_pcapng;

struct app_pcapng_frame {
    uint32_t interface;     /* station index */
    int64_t unix_ns;        /* of the frame's first sample */
    uint32_t rate_kbps;     /* not written of an HT frame: its MCS tells */
    double channel_center_hz; /* 0 or NAN where unknown: left out */
    bool ht;                /* IEEE 802.11-2020 clause 19, mixed format */
    uint8_t ht_mcs;
    bool ht_wide, ht_short_guard; /* 40 MHz; guard intervals of half the length */
    double signal_dbfs, noise_dbfs; /* written as dBm antenna signal/noise with 0 dBFS = 0 dBm, said so in the interface's description; NAN leaves signal out */
    bool fcs_bad;           /* radiotap flags: FCS included (0x10), bad FCS (0x40) */
    bool sent;              /* by this station: epb_flags outbound, else inbound */
    const uint8_t *psdu;    /* with FCS */
    size_t psdu_len;        /* 0: a frame whose octets are not kept (radiotap field 26, data not captured) */
    size_t omitted_len;     /* octets at the end of the PSDU that are left out: the packet is longer than what is captured of it */
    const char *comment;    /* JSON, or NULL: option 1 */
};

int app_pcapng_open(const char *path, const char *const *interface_names, size_t n_interfaces, struct app_pcapng **out);
/* Packets are put in order of time, those of one instant as they came; they wait until app_pcapng_settle or the end. */
void app_pcapng_write(struct app_pcapng *p, const struct app_pcapng_frame *frame);
/* No packet stamped before unix_ns will come any more: those that wait are written. */
void app_pcapng_settle(struct app_pcapng *p, int64_t unix_ns);
/* 0, or negative errno of the first failed write. */
int app_pcapng_close(struct app_pcapng *p);
#endif
