/* Metrics on request: GET /metrics over HTTP, in Prometheus' text format, answered between two turns of the node's loop. No thread. */
#ifndef APPS_NODE_METRICS_H
#define APPS_NODE_METRICS_H

#include <stddef.h>

struct app_node_metrics;

/* where: "127.0.0.1:9464" or "[::1]:9464". write: the text into out; octets, or negative errno. 0 or negative errno with one line in error_out
 * (APP_NODE_MAX_ERROR octets). */
__attribute__((warn_unused_result)) int app_node_metrics_open(const char *where, long (*write)(void *ctx, char *out, size_t cap), void *ctx,
                                                              struct app_node_metrics **out, char *error_out);
/* Readable when there is something to do. */
int app_node_metrics_fd(const struct app_node_metrics *m);
/* Does it, without waiting. To be called twice a second at least, too, so that a silent caller is cut off. */
void app_node_metrics_run(struct app_node_metrics *m);
void app_node_metrics_close(struct app_node_metrics *m); /* NULL is fine */
/* Is it an address and a port as above? */
int app_node_metrics_check(const char *where);
#endif
