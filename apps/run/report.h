/* report.html of a run folder: one self-contained page with SVG, computed from summary.json and events.jsonl alone. */
#ifndef APPS_RUN_REPORT_H
#define APPS_RUN_REPORT_H

enum { APP_REPORT_MAX_ERROR = 400 };

/* Reads folder/summary.json and folder/events.jsonl, writes folder/report.html. Events and numbers that it does not know are passed over,
 * those that are missing leave a gap. 0; -EINVAL for a file that is no JSON, other negative errno where a file cannot be read or
 * written; error_out (APP_REPORT_MAX_ERROR octets) says which in one line. */
__attribute__((warn_unused_result)) int app_report_write(const char *folder, char *error_out);
#endif
