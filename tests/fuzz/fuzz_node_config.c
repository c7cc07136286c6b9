/* A cluster file, a node's file, a station's file and an operation, from anybody's octets: the first octet chooses. */
#include "apps/ledger_op.h"
#include "apps/live/config.h"
#include "apps/node_config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char error[APP_NODE_MAX_ERROR] = "";
    if (len == 0)
        return 0;
    struct app_node_cluster *cluster = calloc(1, sizeof *cluster);
    struct app_node_config *config = calloc(1, sizeof *config);
    struct app_live_config *station = calloc(1, sizeof *station);
    char *text = malloc(len); /* the rest, ended */
    if (cluster && config && station && text) {
        memcpy(text, data + 1, len - 1);
        text[len - 1] = '\0';
        int err = 0;
        struct app_ledger_op op;
        if (data[0] == 'n')
            err = app_node_config_read_text("f", text, len - 1, config, error);
        else if (data[0] == 's')
            err = app_live_config_read_text("f", text, len - 1, station, error);
        else if (data[0] == 'o')
            err = app_ledger_op_read(text, cluster, &op, error);
        else
            err = app_node_cluster_read_text("f", text, len - 1, cluster, error);
        if (err && (!*error || strchr(error, '\n')))
            abort(); /* every refusal is one line */
    }
    free(text);
    free(station);
    free(config);
    free(cluster);
    return 0;
}
