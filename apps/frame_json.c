#include "apps/frame_json.h"

#include <math.h>
#include <sodium.h>

void app_json_number(FILE *out, const char *key, int digits, double value)
{
    if (isfinite(value))
        fprintf(out, ", \"%s\": %.*f", key, digits, value);
    else
        fprintf(out, ", \"%s\": null", key);
}

static void print_hex(FILE *out, const char *key, const uint8_t *octets, size_t n)
{
    fprintf(out, ", \"%s\": \"", key);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%02x", octets[i]);
    fprintf(out, "\"");
}

void app_frame_json(FILE *out, const struct phy_frame *f, int channel, bool with_psdu, uint8_t sha256_out[32])
{
    bool decoded = f->format != PHY_FORMAT_HT;
    crypto_hash_sha256(sha256_out, f->psdu, f->psdu_len);
    fprintf(out, "{\"start_sample\": %llu", (unsigned long long)f->start_sample);
    if (channel >= 0)
        fprintf(out, ", \"channel\": %d", channel);
    app_json_number(out, "rate_mbps", 3, f->rate_kbps ? f->rate_kbps / 1e3 : NAN);
    fprintf(out, ", \"length_octets\": %zu, \"fcs_ok\": %s", decoded ? f->psdu_len : f->ht_len,
            !decoded ? "null" : f->fcs_ok ? "true" : "false");
    app_json_number(out, "snr_db", 2, f->snr_db);
    app_json_number(out, "evm_db", 2, f->evm_db);
    app_json_number(out, "cfo_hz", 1, f->cfo_hz);
    app_json_number(out, "rssi_dbfs", 2, f->rssi_dbfs);
    if (decoded)
        print_hex(out, "psdu_sha256", sha256_out, crypto_hash_sha256_BYTES);
    else
        fprintf(out, ", \"psdu_sha256\": null, \"format\": \"ht\", \"ht_mcs\": %d, \"ht_length_octets\": %u", f->ht_mcs, (unsigned)f->ht_len);
    if (with_psdu && decoded)
        print_hex(out, "psdu_hex", f->psdu, f->psdu_len);
    else if (with_psdu)
        fprintf(out, ", \"psdu_hex\": null");
    fprintf(out, "}\n");
}
