/* Members that lie. What their production node would have sent is turned into something else, signed with their own key: it is the only
 * one this code is handed. */
#include <assert.h>
#include <string.h>

#include "chain/cbor.h"
#include "tests/sim/sim.h"

void sim_liar_send(struct sim_world *w, struct sim_node *node, const struct chain_node_send *send)
{
    sim_send(w, node, send->to, send->data, send->len);
}
