/* The page that a person reads at the end of a run. Computed from the run folder's events.jsonl and summary.json. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/run/run.h"

enum { MAX_LINE = 8192 };

struct channels {
    char names[CHAIN_MAX_CHANNELS][32];
    bool control[CHAIN_MAX_CHANNELS];
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static long long int_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static const char *channel_of(const json_t *e, const struct channels *channels)
{
    long long i = int_of(e, "channel");
    return i >= 0 && i < CHAIN_MAX_CHANNELS ? channels->names[i] : "?";
}

/* One sentence, or nothing for what a page need not tell. */
static bool describe_ledger(const json_t *e, const char *kind, const char *channel, char *out, size_t cap)
{
    const char *by = text_of(e, "by");
    const char *subject = json_object_get(e, "op") ? "evidence of unauthorised use" : "jamming evidence";
    if (strcmp(kind, "registered") == 0)
        snprintf(out, cap, "%s is registered on the ledger", by);
    else if (strcmp(kind, "white-space") == 0)
        snprintf(out, cap, "the ledger records channel %s as white space", channel);
    else if (strcmp(kind, "incumbent") == 0)
        snprintf(out, cap, "the ledger records an incumbent on channel %s: fused sensing says so", channel);
    else if (strcmp(kind, "granted") == 0)
        snprintf(out, cap, "grant %lld: %s gets channel %s (IDLE -> GRANTED)", int_of(e, "id"), by, channel);
    else if (strcmp(kind, "authorized") == 0)
        snprintf(out, cap, "grant %lld: %s may transmit on channel %s (GRANTED -> AUTHORIZED)", int_of(e, "id"), by, channel);
    else if (strcmp(kind, "suspended") == 0)
        snprintf(out, cap, "grant %lld of %s on channel %s is suspended (code %lld)", int_of(e, "id"), by, channel, int_of(e, "code"));
    else if (strcmp(kind, "expired") == 0)
        snprintf(out, cap, "grant %lld of %s on channel %s: %s", int_of(e, "id"), by, channel,
                 int_of(e, "code") == CHAIN_TERMINATED_GRANT ? "grantExpireTime passed: the grant ended (-> IDLE)"
                                                             : "transmitExpireTime passed (AUTHORIZED -> GRANTED)");
    else if (strcmp(kind, "barred") == 0)
        snprintf(out, cap, "%s is barred from channel %s for a time", by, channel);
    else if (strcmp(kind, "relinquished") == 0)
        snprintf(out, cap, "grant %lld of %s on channel %s is given back (-> IDLE)", int_of(e, "id"), by, channel);
    else if (strcmp(kind, "evidence") == 0)
        snprintf(out, cap, "%s, signed by %s, is on the ledger", subject, by);
    else if (strcmp(kind, "evidence-confirmed") == 0)
        snprintf(out, cap, "%s is confirmed by enough witnesses", subject);
    else
        return false;
    return true;
}

static bool describe_air(const json_t *e, const char *kind, const char *channel, char *out, size_t cap)
{
    if (strcmp(kind, "primary_on") == 0)
        snprintf(out, cap, "* primary user %s appears on channel %s", text_of(e, "name"), channel);
    else if (strcmp(kind, "primary_off") == 0)
        snprintf(out, cap, "* primary user %s leaves channel %s", text_of(e, "name"), channel);
    else if (strcmp(kind, "jam_on") == 0)
        snprintf(out, cap, "* a %s jammer attacks channel %s", text_of(e, "kind"), channel);
    else if (strcmp(kind, "jam_off") == 0)
        snprintf(out, cap, "* the jammer on channel %s stops", channel);
    else if (strcmp(kind, "violation") == 0)
        snprintf(out, cap, "! %s transmits on channel %s: %s", text_of(e, "station"), channel, text_of(e, "reason"));
    else if (strcmp(kind, "jam_verdict") == 0)
        snprintf(out, cap, "%s: channel %s is jammed, %s (%lld of %lld frames good, confidence %.1f %%)", text_of(e, "station"), channel,
                 text_of(e, "kind"), int_of(e, "n_good"), int_of(e, "n_frames"), (double)int_of(e, "confidence_permille") / 10);
    else
        return false;
    return true;
}

static void print_event(FILE *out, const json_t *e, struct channels *channels)
{
    const char *kind = text_of(e, "event");
    char sentence[256];
    if (strcmp(kind, "channel") == 0) {
        long long i = int_of(e, "index");
        if (i >= 0 && i < CHAIN_MAX_CHANNELS)
            snprintf(channels->names[i], sizeof channels->names[i], "%.31s", text_of(e, "name"));
        if (i >= 0 && i < CHAIN_MAX_CHANNELS)
            channels->control[i] = json_is_true(json_object_get(e, "control"));
        return;
    }
    const char *channel = channel_of(e, channels);
    if (strcmp(kind, "white-space") == 0 && channels->control[int_of(e, "channel") & (CHAIN_MAX_CHANNELS - 1)])
        return; /* nobody can lease it */
    if (describe_ledger(e, kind, channel, sentence, sizeof sentence) || describe_air(e, kind, channel, sentence, sizeof sentence))
        fprintf(out, "  %9.3f s  %s\n", (double)int_of(e, "t_ns") / 1e9, sentence);
}

static int print_story(FILE *out, const char *folder)
{
    char path[640], line[MAX_LINE];
    struct channels channels = {0};
    snprintf(path, sizeof path, "%.500s/events.jsonl", folder);
    FILE *file = fopen(path, "rb");
    if (!file)
        return -errno;
    fprintf(out, "What happened (* is what the air did, the rest is what the stations made of it)\n");
    while (fgets(line, sizeof line, file)) {
        json_t *e = json_loads(line, 0, NULL);
        if (e)
            print_event(out, e, &channels);
        json_decref(e);
    }
    fclose(file);
    return 0;
}

static void print_ms(FILE *out, const json_t *value)
{
    if (json_is_number(value))
        fprintf(out, " %11.1f", json_number_value(value));
    else
        fprintf(out, " %11s", "-");
}

static void print_leases(FILE *out, const json_t *leases)
{
    const json_t *table = json_object_get(leases, "table");
    size_t i;
    json_t *row;
    fprintf(out, "\nLeases (times in ms)\n  %-3s %-10s %-8s %11s %11s %11s %11s %11s %10s\n", "id", "holder", "channel", "granted",
            "authorized", "suspended", "last sent", "ended", "heartbeats");
    json_array_foreach(table, i, row)
    {
        fprintf(out, "  %-3lld %-10s %-8s", int_of(row, "id"), text_of(row, "holder"), text_of(row, "channel"));
        print_ms(out, json_object_get(row, "granted_ms"));
        print_ms(out, json_object_get(row, "authorized_ms"));
        print_ms(out, json_object_get(row, "suspended_ms"));
        print_ms(out, json_object_get(row, "last_emission_ms"));
        print_ms(out, json_object_get(row, "ended_ms"));
        fprintf(out, " %10lld\n", int_of(row, "heartbeats"));
    }
    const json_t *vacate = json_object_get(leases, "vacate_ms_max");
    if (json_is_number(vacate))
        fprintf(out, "  vacated %.1f ms after the primary user's first sample at the latest\n", json_number_value(vacate));
}

/* Before the number its label, "-" where there is no number. */
static void print_number(FILE *out, const char *label, int decimals, const char *unit, const json_t *value)
{
    if (json_is_number(value))
        fprintf(out, "%s %.*f%s", label, decimals, json_number_value(value), unit);
    else
        fprintf(out, "%s -", label);
}

static void print_traffic(FILE *out, const json_t *s)
{
    const json_t *frames = json_object_get(s, "frames"), *data = json_object_get(s, "data");
    fprintf(out, "Frames      %lld sent", int_of(frames, "sent"));
    print_number(out, "; delivery", 4, "", json_object_get(s, "delivery"));
    fprintf(out, " of (frame, receiver) pairs; %lld refused by the gate; %lld sent without a lease\n", int_of(frames, "refused_by_gate"),
            int_of(s, "transmissions_without_lease"));
    fprintf(out, "Data        %lld sent, %lld received; %lld acknowledged, %lld lost, %lld unanswered at the end\n", int_of(data, "sent"),
            int_of(data, "received"), int_of(data, "acked"), int_of(data, "lost"), int_of(data, "unanswered"));
}

static void print_numbers(FILE *out, const json_t *s)
{
    const json_t *commits = json_object_get(s, "commits"), *jam = json_object_get(s, "jam"), *sensing = json_object_get(s, "sensing");
    fprintf(out, "\nConsensus   %s, %lld blocks; proposal to last replica:", text_of(s, "consensus"), int_of(commits, "count"));
    print_number(out, " p50", 2, " ms", json_object_get(commits, "p50_ms"));
    print_number(out, ", p99", 2, " ms", json_object_get(commits, "p99_ms"));
    print_number(out, ", max", 2, " ms", json_object_get(commits, "max_ms"));
    print_number(out, "; median over the shortest possible", 2, "", json_object_get(commits, "over_shortest"));
    fputc('\n', out);
    print_traffic(out, s);
    fprintf(out, "Sensing     %lld fused decisions, %lld void, %lld windows undecided;", int_of(sensing, "decisions"), int_of(sensing, "void"),
            int_of(sensing, "undecided"));
    print_number(out, " P_d", 4, "", json_object_get(sensing, "fused_pd"));
    print_number(out, ", P_fa", 4, "", json_object_get(sensing, "fused_pfa"));
    print_number(out, "; one station alone: P_d", 4, "", json_object_get(sensing, "local_pd"));
    print_number(out, ", P_fa", 5, "", json_object_get(sensing, "local_pfa"));
    fputc('\n', out);
    if (int_of(jam, "episodes") == 0)
        return;
    fprintf(out, "Jamming     %lld episode(s), %lld verdict(s), %lld missed, %lld false;", int_of(jam, "episodes"), int_of(jam, "verdicts"),
            int_of(jam, "missed"), int_of(jam, "false"));
    print_number(out, " delivery meanwhile", 3, "", json_object_get(jam, "delivery_during"));
    print_number(out, "; named after", 0, " ms", json_object_get(jam, "p50_to_verdict_ms"));
    fputc('\n', out);
}

static void print_agreement(FILE *out, const json_t *s)
{
    json_t *agreement = json_object_get(s, "agreement"), *ledgers = json_object_get(agreement, "ledgers"), *row;
    const char *name;
    fprintf(out, "\nLedgers\n");
    json_object_foreach(ledgers, name, row)
        fprintf(out, "  %-10s height %lld  state root %.16s...\n", name, int_of(row, "height"), text_of(row, "state_root"));
    fprintf(out, "  %s\n", json_is_true(json_object_get(agreement, "all_equal")) ? "all ledgers hold the same state root"
                                                                                 : "THE LEDGERS DIFFER");
    size_t i;
    json_t *promise;
    json_array_foreach(json_object_get(s, "broken"), i, promise)
        fprintf(out, "  BROKEN: %s\n", json_string_value(promise));
}

int app_page_print(FILE *out, const char *folder, const json_t *s)
{
    fprintf(out, "airdeed %s, scenario %s, seed %lld, %s: ", text_of(s, "version"), text_of(s, "scenario"), int_of(s, "seed"),
            text_of(s, "consensus"));
    fprintf(out, "%.1f s on the virtual air in %.1f s of wall time\n\n", json_number_value(json_object_get(s, "virtual_s")),
            json_number_value(json_object_get(s, "wall_s")));
    int rc = print_story(out, folder);
    print_leases(out, json_object_get(s, "leases"));
    print_numbers(out, s);
    print_agreement(out, s);
    fprintf(out, "\nThe run is in %s: open report.html in a browser, air.pcapng in Wireshark, ledger-*.db with sqlite3;\n"
                 "'airdeed ledger verify %s/ledger-NAME.db' executes a ledger again from its genesis block.\n", folder, folder);
    return rc;
}
