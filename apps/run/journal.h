/* The journal of a run: events.jsonl, one JSON object a line, in time order. Everything the report says is computed from it and from
 * the other files of the run folder. Numbers carry their unit in the name; times are t_ns of virtual time. */
#ifndef APPS_RUN_JOURNAL_H
#define APPS_RUN_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app_journal;

int app_journal_open(const char *path, struct app_journal **out);
/* One line: {"t_ns":..., "event":"granted", "station":"alpha", ...}. begin, fields in any number, end. station NULL: the air itself. */
void app_journal_begin(struct app_journal *j, int64_t t_ns, const char *event, const char *station);
void app_journal_text(struct app_journal *j, const char *name, const char *value);
void app_journal_int(struct app_journal *j, const char *name, int64_t value);
void app_journal_bool(struct app_journal *j, const char *name, bool value);
/* Rounded to `decimals`, so that the file is the same on every machine that computes the same value. NaN becomes null. */
void app_journal_real(struct app_journal *j, const char *name, double value, int decimals);
void app_journal_hex(struct app_journal *j, const char *name, const uint8_t *data, size_t len);
void app_journal_end(struct app_journal *j);
/* No line stamped before before_ns will come any more: those that wait are written, in time order. */
void app_journal_settle(struct app_journal *j, int64_t before_ns);
/* 0, or negative errno of the first failed write (a full disk). */
int app_journal_close(struct app_journal *j);
#endif
