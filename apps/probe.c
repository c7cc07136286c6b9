/* airdeed probe: which radios this build can use, and which are there. */
#include "apps/options.h"
#include "apps/radio_options.h"
#include "phy/radio/uhd.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe {
    const char *args;
    bool json;
    char devices[PHY_UHD_MAX_DEVICES][256];
    size_t n;
    char version[64], error[PHY_RADIO_MAX_ERROR];
};

/* "type=b200,serial=..." into an object; what is no pair is left out. */
static json_t *describe_device(const char *text)
{
    json_t *pairs = json_object();
    while (*text) {
        size_t len = strcspn(text, ","), key = strcspn(text, "=");
        char name[64];
        if (key < len && key < sizeof name) {
            memcpy(name, text, key);
            name[key] = '\0';
            json_object_set_new(pairs, name, json_stringn(text + key + 1, len - key - 1));
        }
        text += len + (text[len] == ',');
    }
    return pairs;
}

static void print_json(const struct probe *p)
{
    json_t *devices = json_array();
    for (size_t i = 0; i < p->n; i++)
        json_array_append_new(devices, json_pack("{s:s+, s:o}", "radio", "uhd:", p->devices[i], "device", describe_device(p->devices[i])));
    json_t *object = json_pack("{s:{s:b, s:s, s:b}, s:o}", "backends", "uhd", *p->version != '\0', "uhd_version", p->version, "zmq", 1,
                               "devices", devices);
    json_dumpf(object, stdout, JSON_COMPACT);
    printf("\n");
    json_decref(object);
}

static void print_text(const struct probe *p)
{
    printf("back ends  zmq (samples over ZeroMQ)%s%s%s\n", *p->version ? ", uhd (USRPs, libuhd " : "; without uhd",
           p->version, *p->version ? ")" : "");
    for (size_t i = 0; i < p->n; i++)
        printf("uhd        %s\n", p->devices[i]);
}

static int look(struct probe *p)
{
    phy_uhd_version(p->version, sizeof p->version);
    app_radio_quiet_libraries();
    int rc = phy_uhd_find(p->args ? p->args : "", p->devices, &p->n, p->error);
    p->json ? print_json(p) : print_text(p);
    if (rc != 0)
        fprintf(stderr, "airdeed probe: %s\n", p->error);
    else if (p->n == 0)
        fprintf(stderr, "airdeed probe: no USRP answers%s%s%s; is it powered, connected, and its network or USB reachable?\n",
                p->args ? " to '" : "", p->args ? p->args : "", p->args ? "'" : "");
    return p->n > 0 ? APP_OK : APP_SYSTEM_FAILED;
}

static int probe(int argc, char **argv)
{
    struct probe p = {.args = NULL};
    const struct app_option options[] = {
        {"args", APP_TEXT, &p.args, "ARGS", "only devices that match, for instance type=b200 or addr=192.168.10.2", 0, 0, NULL},
        {"json", APP_FLAG, &p.json, NULL, "print one JSON object", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL}};
    int n_positional, code;
    if (app_options_parse(argc, argv, options, "probe [options]",
                          "Lists the radios that answer, with the arguments that open each. Exit code 3 where there is none.", &n_positional, &code))
        return code;
    if (n_positional > 0) {
        fprintf(stderr, "airdeed probe: '%s' is not expected\n", argv[1]);
        return APP_BAD_USAGE;
    }
    return look(&p);
}

const struct app_command app_command_probe = {"probe", "lists the radios that are there", probe};
