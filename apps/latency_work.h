/* What the end of a frame costs a receiver: a frame of a waveform is made once; its samples but for the last block are fed out of the
 * measurement, the last block within it. */
#ifndef APPS_LATENCY_WORK_H
#define APPS_LATENCY_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "phy/waveform.h"

struct app_latency_work;

enum { APP_LATENCY_FRAME_OCTETS = 1500 };

/* block_samples: how many are left for the last step. 0, -ENOMEM or -EINVAL. */
__attribute__((warn_unused_result)) int app_latency_work_open(const struct phy_waveform *waveform, uint32_t sample_rate_hz, size_t block_samples,
                                                              struct app_latency_work **out);
/* Feeds a frame up to its last block; then the last block, which ends it. ctx is the struct app_latency_work. */
void app_latency_work_prepare(void *ctx);
void app_latency_work_run(void *ctx);
/* Frames that were decoded whole: one a run. */
uint64_t app_latency_work_decoded(const struct app_latency_work *w);
void app_latency_work_close(struct app_latency_work *w);
#endif
