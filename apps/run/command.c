/* airdeed run */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "apps/options.h"
#include "apps/run/compare_access.h"
#include "apps/run/run.h"

static int print_result(const json_t *summary, const char *folder, bool json, int code)
{
    errno = 0;
    int rc;
    if (json)
        rc = json_dumpf(summary, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) | (putchar('\n') == EOF);
    else
        rc = app_page_print(stdout, folder, summary);
    bool bad = ferror(stdout) != 0;
    int why = bad && errno ? errno : rc < 0 && !bad && !json ? -rc : EIO;
    if (!bad && fflush(stdout) != 0) {
        bad = true;
        why = errno;
    }
    if (rc == 0 && !bad)
        return code;
    fprintf(stderr, "airdeed run: %s: %s; the run is in %.300s\n", bad ? "standard output: cannot write" : "events.jsonl", strerror(why),
            folder);
    return APP_SYSTEM_FAILED;
}

static int run_main(int argc, char **argv)
{
    struct app_run_options run = {.scenario = "quickstart"};
    bool json = false;
    const struct app_option options[] = {
        {"consensus", APP_TEXT, &run.consensus, "NAME", "pbft or raft; default: the scenario's (quickstart: pbft)", 0, 0, NULL},
        {"fidelity", APP_TEXT, &run.fidelity, "NAME", "iq (samples) or packet (measured tables); default: the scenario's", 0, 0, NULL},
        {"profile", APP_TEXT, &run.profile, "NAME", "timing of the MAC, for instance dot11-5; default: the scenario's", 0, 0, NULL},
        {"responses", APP_TEXT, &run.responses, "NAMES", "to jamming: none, all, or of hop,rate,slots,timers,migrate; default: the scenario's", 0, 0, NULL},
        {"seed", APP_U64, &run.seed, "N", "every random draw follows from it; default: the scenario's", 0, 0, &run.has_seed},
        {"duration", APP_DURATION_NS, &run.duration_ns, "TIME", "virtual time, for instance 10s; default: the scenario's", 1e8, 36e11, NULL},
        {"out", APP_TEXT, &run.out, "DIR", "run folder; default run-SCENARIO-SEED. An earlier run there is replaced", 0, 0, NULL},
        {"json", APP_FLAG, &json, NULL, "print summary.json instead of the page", 0, 0, NULL},
        {"record", APP_FLAG, &run.record, NULL, "record one station's control channel as SigMF in DIR/iq (the size is printed first)", 0, 0, NULL},
        {"record-station", APP_TEXT, &run.record_station, "NAME", "which station; default: the first", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL}};
    int n_positional = 0, code = 0;
    if (app_options_parse(argc, argv, options, "run [SCENARIO] [options]",
                          "Runs a scenario on the virtual air: real waveforms, virtual time. SCENARIO is a YAML file or the name of a\n"
                          "shipped one (quickstart, fading, access-comparison, jamming-KIND). Exit code: 0 done, 1 a promise of the run was broken, 2 bad input, 3 system failed.",
                          &n_positional, &code))
        return code;
    if (n_positional > 1) {
        fprintf(stderr, "airdeed run: one scenario at a time, '%s' is one too many\n", argv[2]);
        return APP_BAD_USAGE;
    }
    if (run.consensus && strcmp(run.consensus, "pbft") != 0 && strcmp(run.consensus, "raft") != 0) {
        fprintf(stderr, "airdeed run: --consensus: '%s' is neither pbft nor raft\n", run.consensus);
        return APP_BAD_USAGE;
    }
    if (run.fidelity && strcmp(run.fidelity, "iq") != 0 && strcmp(run.fidelity, "packet") != 0) {
        fprintf(stderr, "airdeed run: --fidelity: '%s' is neither iq nor packet\n", run.fidelity);
        return APP_BAD_USAGE;
    }
    if (n_positional == 1)
        run.scenario = argv[1];
    run.record = run.record || run.record_station;
    run.progress = isatty(STDERR_FILENO) == 1;
    char folder[560], error[WORLD_MAX_ERROR] = "";
    json_t *summary = NULL;
    bool compares = strcmp(run.scenario, app_compare_access_name) == 0;
    code = compares ? app_compare_access(&run, json, error) : app_run(&run, &summary, folder, sizeof folder, error);
    if (error[0])
        fprintf(stderr, "airdeed run: %s\n", error);
    if (summary && code <= APP_EXPECTATION_FAILED)
        code = print_result(summary, folder, json, code);
    json_decref(summary);
    return code;
}

const struct app_command app_command_run = {"run", "run a scenario on the virtual air", run_main};
