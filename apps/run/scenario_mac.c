/* The scenario's MAC: which profile, which access method, and whether a station of the virtual air can hold it. */
#include "apps/profile.h"
#include "apps/run/scenario_table.h"

#include "phy/waveform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* a frame is known a symbol after its end, and a station acts on it when its block ends */
enum { DECODE_SAMPLES = 80, ACK_PSDU_BYTES = 14 };

static int64_t samples_ns(uint64_t n, uint32_t rate_hz)
{
    return (int64_t)((n * 1000000000u + rate_hz - 1) / rate_hz);
}

static enum mac_access find_access(const char *word)
{
    if (strcmp(word, "aloha") == 0)
        return MAC_ACCESS_ALOHA;
    return strcmp(word, "slotted-aloha") == 0 ? MAC_ACCESS_SLOTTED_ALOHA : MAC_ACCESS_DCF;
}

int app_scenario_profile(const struct app_scenario *s, struct mac_profile *out, char *why_out)
{
    const struct phy_waveform *w = phy_waveform_find(s->waveform);
    char why[APP_PROFILE_MAX_WHY];
    struct mac_host_timing radio = {.turnaround_ns = APP_SCENARIO_CCA_NS + samples_ns(DECODE_SAMPLES, s->sample_rate_hz),
                                    .cca_delay_ns = samples_ns(w->cca_delay_samples, s->sample_rate_hz) + APP_SCENARIO_CCA_NS,
                                    /* rounded down: the recordings that are kept were made with it so */
                                    .rx_start_delay_ns = (int64_t)((uint64_t)w->lock_delay_samples * 1000000000u / s->sample_rate_hz),
                                    .ack_ns = samples_ns(w->frame_samples(ACK_PSDU_BYTES, 0), s->sample_rate_hz)};
    int rc = app_profile_find(s->mac.profile, &radio, false, out, why);
    if (rc != 0) {
        snprintf(why_out, APP_YAML_MAX_WHY, "%s%s%s", rc == -ERANGE ? s->mac.profile : "", rc == -ERANGE ? ": " : "", why);
        return -EINVAL;
    }
    out->turnaround_ns = 0; /* on the virtual air a decision takes no time */
    out->lifetime_ns = strncmp(s->mac.profile, "host-", 5) == 0 ? out->lifetime_ns : 250000000;
    out->data_rate = w->data_rate;
    out->n_rates = strcmp(s->mac.rate, "auto") == 0 ? w->n_rates : 0;
    out->access = find_access(s->mac.access);
    out->rts_threshold_bytes = s->mac.rts_threshold;
    out->cts_to_self = s->mac.cts_to_self;
    out->aloha_slot_ns = s->mac.aloha_slot_ns;
    out->aloha_one_in = s->mac.aloha_one_in;
    return 0;
}

int app_scenario_check_mac(void *root, void *item, const char **field_out, char *why_out)
{
    (void)item;
    const struct app_scenario *s = root;
    struct mac_profile profile;
    *field_out = "vote_slots";
    if (s->mac.vote_slots && (s->mac.repair || strcmp(s->mac.access, "dcf") != 0)) {
        snprintf(why_out, APP_YAML_MAX_WHY, "vote slots go with access: dcf and without repair");
        return -EINVAL;
    }
    *field_out = "profile";
    return app_scenario_profile(root, &profile, why_out);
}
