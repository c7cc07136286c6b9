/* What the parts of the report page are drawn with, and the parts themselves. */
#ifndef APPS_RUN_REPORT_PAGE_H
#define APPS_RUN_REPORT_PAGE_H

#include "apps/run/report_model.h"

#include <stdio.h>

/* Text of unknown origin, with the five characters that HTML cares about escaped. */
void app_report_put_text(FILE *page, const char *text);
void app_report_put_head(FILE *page, const struct app_report_model *m);
void app_report_put_tiles(FILE *page, const struct app_report_model *m);
void app_report_put_timeline(FILE *page, const struct app_report_model *m);
void app_report_put_story(FILE *page, const struct app_report_model *m);
void app_report_put_leases(FILE *page, const struct app_report_model *m);
void app_report_put_latency(FILE *page, const struct app_report_model *m);
void app_report_put_jamming(FILE *page, const struct app_report_model *m);
void app_report_put_agreement(FILE *page, const struct app_report_model *m);
void app_report_put_numbers(FILE *page, const struct app_report_model *m);

/* A step of 1, 2 or 5 times a power of ten that divides a span into about n parts. */
double app_report_step(double span, int n);
#endif
