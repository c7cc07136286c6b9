/* Header votes and block fetching, as a node does them, without frames of their own; part of engine_cluster.c. */
static bool reachable(const struct cluster *c, uint32_t a, uint32_t b)
{
    bool dark = c->now_ns >= c->blackout_from_ns && c->now_ns < c->blackout_to_ns;
    return !dark && !c->cut[a][b] && !c->cut[b][a];
}

static void find_certified(struct cluster *c)
{
    uint32_t quorum = c->cfg.ops->quorum(c->cfg.n);
    bool untold = false;
    for (uint64_t height = c->certified + 1; height <= c->highest; height++) {
        uint32_t n_signed = 0;
        for (uint32_t i = 0; i < c->cfg.n; i++)
            n_signed += c->nodes[i].disk_height >= height && !c->nodes[i].liar;
        if (n_signed < quorum)
            break;
        c->certified = height;
    }
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        const struct cluster_node *node = &c->nodes[i];
        untold = untold || (node->alive && node->told_stable < c->certified && node->told_stable < node->disk_height);
    }
    if (untold && c->certified_at_ns == INT64_MAX)
        c->certified_at_ns = c->now_ns + c->cfg.certify_ns;
}

static void tell_certified(struct cluster *c)
{
    c->certified_at_ns = INT64_MAX;
    bool dark = c->now_ns >= c->blackout_from_ns && c->now_ns < c->blackout_to_ns;
    for (uint32_t i = 0; i < c->cfg.n; i++) {
        struct cluster_node *node = &c->nodes[i];
        uint64_t height = c->certified < node->disk_height ? c->certified : node->disk_height;
        if (!node->alive || height <= node->told_stable)
            continue;
        if (dark) {
            c->certified_at_ns = c->now_ns + c->cfg.certify_ns;
            continue;
        }
        node->told_stable = height;
        struct chain_event event = {.kind = CHAIN_EV_STABLE, .now_ns = c->now_ns, .height = height};
        feed(c, node, &event);
    }
}

static void fetch_from(struct cluster *c, struct cluster_node *node, const struct cluster_node *from)
{
    /* where nobody lies, one member's word for a block is enough, as in chain/node.c */
    bool capped = c->cfg.ops->byzantine && c->certified < from->disk_height;
    uint64_t top = capped ? c->certified : from->disk_height;
    if (top <= node->tip || node->writes)
        return;
    for (uint64_t height = node->tip + 1; height <= top; height++) {
        const struct cluster_block *block = &from->blocks[height];
        apply_commit(c, node, height, block->batch, block->len);
        keep_block(node, height, (struct cluster_block){copy_octets(block->batch, block->len), block->len});
    }
    struct chain_event event = {.kind = CHAIN_EV_SYNCED, .now_ns = c->now_ns, .height = top};
    feed(c, node, &event);
}

static void fetch_blocks(struct cluster *c)
{
    c->fetch_at_ns = c->now_ns + c->cfg.fetch_ns;
    for (uint32_t i = 0; i < c->cfg.n; i++)
        for (uint32_t k = 0; k < c->cfg.n; k++)
            if (i != k && c->nodes[i].alive && c->nodes[k].alive && !c->nodes[k].liar && !c->nodes[i].liar && reachable(c, i, k))
                fetch_from(c, &c->nodes[i], &c->nodes[k]);
}
