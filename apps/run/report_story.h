/* The story of a run: one sentence for each event that a reader wants to know of. */
#ifndef APPS_RUN_REPORT_STORY_H
#define APPS_RUN_REPORT_STORY_H

#include "apps/run/report_model.h"

struct app_report_facts {
    const char *event;
    char station[APP_REPORT_NAME], by[APP_REPORT_NAME], name[APP_REPORT_NAME], kind[APP_REPORT_NAME];
    char reason[APP_REPORT_NAME], op[APP_REPORT_NAME];
    uint32_t channel;
    int64_t id, code, confidence_permille;
};

/* Fills who, text and tone. False for an event that is not told. */
bool app_report_tell(const struct app_report_model *m, const struct app_report_facts *facts, struct app_report_line *out);
#endif
