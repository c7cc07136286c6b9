#include "apps/station/quality.h"

static int64_t ns_of(uint64_t sample, uint32_t rate_hz)
{
    return (int64_t)(sample / rate_hz * 1000000000u + sample % rate_hz * 1000000000u / rate_hz);
}

static void describe_frame(const struct phy_frame *frame, uint32_t rate_hz, struct mac_event *out)
{
    size_t fcs = frame->psdu_len >= 4 ? 4 : frame->psdu_len;
    out->kind = MAC_EV_FRAME;
    out->frame.mpdu = frame->header_ok ? frame->psdu : NULL;
    out->frame.len_bytes = frame->header_ok ? frame->psdu_len - fcs : 0;
    out->frame.quality = (struct mac_rx_quality){
        .start_ns = ns_of(frame->start_sample, rate_hz),
        .end_ns = ns_of(frame->end_sample, rate_hz),
        .header_ok = frame->header_ok,
        .fcs_ok = frame->fcs_ok,
        .rssi_dbfs = frame->rssi_dbfs,
        .head_dbfs = frame->head_dbfs,
        .snr_db = frame->snr_db,
        .evm_db = frame->evm_db,
        .cfo_hz = frame->cfo_hz,
        .rise_ns = frame->rise_samples < 0 ? -1 : ns_of((uint64_t)frame->rise_samples, rate_hz),
        .rise_db = frame->rise_db,
        .error_ns = frame->error_samples < 0 ? -1 : ns_of((uint64_t)frame->error_samples, rate_hz),
    };
}

bool app_mac_event(const struct phy_signal *signal, uint32_t rate_hz, struct mac_event *out)
{
    *out = (struct mac_event){.now_ns = ns_of(signal->sample, rate_hz)};
    switch (signal->kind) {
    case PHY_CCA_BUSY:
        out->kind = MAC_EV_CCA_BUSY;
        out->cca.power_dbfs = signal->power_dbfs;
        return true;
    case PHY_CCA_IDLE:
        out->kind = MAC_EV_CCA_IDLE;
        return true;
    case PHY_LOCK:
        out->kind = MAC_EV_LOCK;
        return true;
    case PHY_FRAME:
        describe_frame(&signal->frame, rate_hz, out);
        return true;
    case PHY_SHAPE:
        out->kind = MAC_EV_SHAPE;
        out->shape = (struct mac_shape){.power_dbfs = signal->shape.power_dbfs,
                                        .centre_hz = signal->shape.centre_hz,
                                        .kurtosis = signal->shape.kurtosis,
                                        .narrow = signal->shape.narrow,
                                        .repeat = signal->shape.repeat};
        return true;
    case PHY_TX_DONE:
    case PHY_SENSED:
    default:
        return false;
    }
}
