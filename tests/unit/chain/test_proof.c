/* Proofs from databases of both engines, light stations that follow them, and what forgers may try. */
#define SUITE_NAME "chain/proof"
#include "tests/unit/check_main.h"

#include <unistd.h>

#include "chain/ledger_entries.h"
#include "chain/light.h"
#include "chain/proof.h"
#include "chain/store/prove.h"
#include "tests/unit/chain/living.h"

static char folder[64], path[128];
static struct cluster *c;
static struct chain_proof_result result;

/* A node's life, with its database: the cluster stays for its keys and blocks. */
static void live(const struct chain_engine_ops *ops)
{
    c = cluster_open(ops, 4, 7);
    char error[CHAIN_STORE_MAX_ERROR];
    struct chain_store_owner owner = {0, "n0"};
    ck_assert_int_eq(chain_store_open(path, &c->genesis, &owner, CHAIN_STORE_SYNC_OFF, &c->stores[0], error), 0);
    living_run(c);
    chain_store_close(c->stores[0]);
    c->stores[0] = NULL;
}

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/airdeed-proof-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.db", folder);
}

static void tear_down(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
    cluster_close(c);
}

static struct chain_signer verifier(void)
{
    static struct chain_ed25519 no_key;
    return chain_signer_ed25519(&no_key);
}

static int check(const uint8_t *data, size_t len)
{
    struct chain_signer signer = verifier();
    return chain_proof_check(data, len, &signer, &result);
}

static uint8_t *prove(const struct chain_store_question *q, size_t *len_out)
{
    uint8_t *data = NULL;
    char error[CHAIN_STORE_MAX_ERROR] = "";
    ck_assert_msg(chain_store_prove(path, q, &data, len_out, error) == 0, "%s", error);
    ck_assert_msg(check(data, *len_out) == 0, "%s", result.fault);
    return data;
}

/* Whatever one octet becomes: it is no proof, does not hold, or says the same of the same chain with another signature. */
static void spoil(const uint8_t *data, size_t len)
{
    uint8_t *bad = malloc(len);
    memcpy(bad, data, len);
    struct chain_hash genesis = result.genesis_hash;
    size_t n_held = 0;
    for (size_t at = 0; at < len; at++) {
        bad[at] ^= (uint8_t)(1u << at % 8);
        int rc = check(bad, len);
        n_held += rc == 0 && memcmp(&genesis, &result.genesis_hash, sizeof genesis) == 0;
        bad[at] = data[at];
        ck_assert_int_eq(check(bad, at), -EINVAL);
    }
    free(bad);
    ck_assert_uint_eq(n_held, 0);
}

START_TEST(each_claim_is_proved_and_no_changed_octet_holds)
{
    const struct chain_engine_ops *ops = _i ? &chain_raft_ops : &chain_pbft_ops;
    live(ops);
    size_t len;
    struct chain_msg msg;
    struct chain_batch_view batch;
    uint64_t height = 1;
    while (chain_batch_decode(&batch, c->disks[0]->blocks[height].batch, c->disks[0]->blocks[height].batch_len) != 0 || batch.n_txs < 3)
        height++;
    ck_assert_int_eq(chain_msg_decode(&c->genesis.members, batch.txs[1].data, batch.txs[1].len, &msg, NULL), 0);
    const struct chain_store_question questions[] = {
        {.kind = CHAIN_PROOF_TX, .author = msg.author, .nonce = msg.seq},
        {.kind = CHAIN_PROOF_ENTRY, .table = CHAIN_TABLE_STATIONS, .id = 2},
        {.kind = CHAIN_PROOF_ENTRY, .table = CHAIN_TABLE_STATIONS, .id = 60},
        {.kind = CHAIN_PROOF_CONSISTENCY, .earlier = 3, .later = 13},
        {.kind = CHAIN_PROOF_CONSISTENCY, .earlier = 0, .later = 9}};
    static const enum chain_proof_kind kinds[] = {CHAIN_PROOF_TX, CHAIN_PROOF_ENTRY, CHAIN_PROOF_ABSENT, CHAIN_PROOF_CONSISTENCY,
                                                  CHAIN_PROOF_CONSISTENCY};
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        uint8_t *data = prove(&questions[i], &len);
        ck_assert_int_eq(result.claim.kind, kinds[i]);
        ck_assert(result.byzantine == ops->byzantine);
        ck_assert_uint_ge(result.n_signers, ops->quorum(4));
        if (i == 0) {
            ck_assert_uint_eq(result.header.height, height);
            ck_assert_uint_eq(result.claim.tx_len, batch.txs[1].len);
            ck_assert_mem_eq(result.claim.tx, batch.txs[1].data, batch.txs[1].len);
        }
        spoil(data, len);
        free(data);
    }
}
END_TEST

START_TEST(what_is_not_there_is_refused_in_one_line)
{
    live(&chain_pbft_ops);
    const struct chain_store_question questions[] = {{.kind = CHAIN_PROOF_TX, .author = 1, .nonce = 1},
                                                     {.kind = CHAIN_PROOF_CONSISTENCY, .earlier = 5, .later = 5},
                                                     {.kind = CHAIN_PROOF_CONSISTENCY, .earlier = 5, .later = 5000}};
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        uint8_t *data;
        size_t len;
        char error[CHAIN_STORE_MAX_ERROR] = "";
        ck_assert_int_eq(chain_store_prove(path, &questions[i], &data, &len, error), -ENOENT);
        ck_assert(strstr(error, "a.db: ") && !strchr(error, '\n'));
    }
}
END_TEST

START_TEST(a_light_station_follows_headers_and_certificates_alone)
{
    live(_i ? &chain_raft_ops : &chain_pbft_ops);
    struct chain_light light, before;
    struct chain_signer signer = verifier();
    struct cluster_disk *d = c->disks[0];
    chain_light_init(&light, &c->genesis, &signer);
    static struct chain_hash leaves[CLUSTER_MAX_DISK];
    uint8_t cert[CHAIN_MAX_CERT_BYTES];
    struct chain_hash genesis_hash;
    chain_header_hash(&(struct chain_header){0}, &genesis_hash); /* its place is taken; heights above are proved */
    uint64_t height = 1;
    for (; height <= d->height && d->blocks[height].cert_len > 0; height++) {
        struct cluster_disk_block *b = &d->blocks[height];
        struct chain_header forged;
        uint8_t octets[CHAIN_MAX_HEADER_BYTES];
        before = light;
        /* another header under this certificate */
        ck_assert_int_eq(chain_header_decode(&forged, b->header, b->header_len), 0);
        forged.state_root.octets[3] ^= 1;
        long len = chain_header_encode(&forged, octets, sizeof octets);
        ck_assert_int_eq(chain_light_feed(&light, octets, (size_t)len, b->cert, b->cert_len), -EBADMSG);
        /* too few signatures: one member is taken out until there is no quorum */
        struct chain_certificate some;
        ck_assert_int_eq(chain_certificate_decode(&some, b->cert, b->cert_len), 0);
        for (uint32_t i = 0; i < 4 && b->n_signers > 0; i++)
            if (__builtin_popcountll(some.signers) >= (int)chain_light_quorum(&light))
                some.signers &= some.signers - 1;
        len = chain_certificate_encode(&some, cert, sizeof cert);
        ck_assert_int_eq(chain_light_feed(&light, b->header, b->header_len, cert, (size_t)len), -EBADMSG);
        ck_assert_mem_eq(&light, &before, sizeof light);
        ck_assert_int_eq(chain_light_feed(&light, b->header, b->header_len, b->cert, b->cert_len), 0);
        ck_assert_int_eq(chain_light_feed(&light, b->header, b->header_len, b->cert, b->cert_len), -EINVAL);
        ck_assert_uint_eq(light.tip.height, height);
        struct chain_hash hash;
        chain_hash_of(b->header, b->header_len, &hash);
        chain_merkle_leaf(hash.octets, CHAIN_HASH_BYTES, &leaves[height]);
    }
    ck_assert_uint_gt(height, 10);
    /* an old header is shown to be below the tip */
    size_t len = chain_ledger_bytes(&c->genesis);
    void *mem = malloc(len);
    struct chain_ledger *l;
    ck_assert_int_eq(chain_ledger_init(mem, len, &c->genesis, &signer, &l, NULL), 0);
    chain_header_hash(chain_ledger_tip(l), &genesis_hash);
    free(mem);
    chain_merkle_leaf(genesis_hash.octets, CHAIN_HASH_BYTES, &leaves[0]);
    struct chain_merkle_leaves all = {.hashes = leaves, .n = light.tip.height};
    struct chain_merkle_path way;
    struct chain_hash hash;
    ck_assert_int_eq(chain_merkle_prove(&all, 4, &way), 0);
    chain_hash_of(d->blocks[4].header, d->blocks[4].header_len, &hash);
    ck_assert(chain_light_has_header(&light, 4, &hash, &way));
    ck_assert(!chain_light_has_header(&light, 5, &hash, &way));
    hash.octets[0] ^= 1;
    ck_assert(!chain_light_has_header(&light, 4, &hash, &way));
}
END_TEST

/* Two epochs by hand: the state of the first one's last block names the second one's members. */
START_TEST(a_light_station_learns_the_next_members_from_the_last_block_of_an_epoch)
{
    c = cluster_open(&chain_pbft_ops, 4, 1);
    struct chain_light light;
    struct chain_signer signer = verifier();
    chain_light_init(&light, &c->genesis, &signer);
    struct chain_members next = c->genesis.members;
    next.epoch = 1;
    next.n = 3;
    next.seats[0] = 1, next.seats[1] = 2, next.seats[2] = 3;
    static uint8_t mem[16384] __attribute__((aligned(16)));
    struct chain_map *map;
    ck_assert_int_eq(chain_map_init(mem, sizeof mem, 8, &map), 0);
    struct chain_ledger_entry entry = {0};
    struct chain_cbor_writer w = {.out = entry.value, .cap = sizeof entry.value};
    struct chain_hash key, value, other = {{1}};
    uint8_t octets[CHAIN_ENTRY_KEY_BYTES];
    chain_cbor_put_array(&w, 2);
    chain_cbor_put_uint(&w, next.epoch);
    chain_cbor_put_array(&w, next.n);
    for (uint32_t i = 0; i < next.n; i++) {
        chain_cbor_put_array(&w, 2);
        chain_cbor_put_uint(&w, next.seats[i]);
        chain_cbor_put_bytes(&w, next.keys[next.seats[i]], CHAIN_KEY_BYTES);
    }
    chain_hash_of(octets, chain_entry_key(CHAIN_TABLE_MEMBERS, 0, 0, octets), &key);
    chain_hash_of(entry.value, w.len, &value);
    ck_assert_int_eq(chain_map_put(map, &key, &value), 0);
    ck_assert_int_eq(chain_map_put(map, &other, &value), 0);
    struct chain_header last = {.height = 5, .time_ns = 5};
    chain_map_root(map, &last.state_root);
    struct chain_map_proof proof;
    chain_map_prove(map, &key, &proof);
    struct chain_map_proof bad = proof;
    bad.steps[0].sibling.octets[0] ^= 1;
    ck_assert_int_eq(chain_light_next_epoch(&light, &last, entry.value, w.len, &bad), -EBADMSG);
    entry.value[6] ^= 1;
    ck_assert_int_eq(chain_light_next_epoch(&light, &last, entry.value, w.len, &proof), -EBADMSG);
    entry.value[6] ^= 1;
    ck_assert_uint_eq(light.members.epoch, 0);
    ck_assert_int_eq(chain_light_next_epoch(&light, &last, entry.value, w.len, &proof), 0);
    ck_assert_uint_eq(light.members.epoch, 1);
    ck_assert_uint_eq(light.members.n, 3);
    ck_assert_uint_eq(chain_light_quorum(&light), 2);
    ck_assert_int_eq(chain_light_next_epoch(&light, &last, entry.value, w.len, &proof), -EBADMSG); /* not twice */
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("proof");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, each_claim_is_proved_and_no_changed_octet_holds, 0, 2);
    tcase_add_test(tc, what_is_not_there_is_refused_in_one_line);
    tcase_add_loop_test(tc, a_light_station_follows_headers_and_certificates_alone, 0, 2);
    tcase_add_test(tc, a_light_station_learns_the_next_members_from_the_last_block_of_an_epoch);
    suite_add_tcase(suite, tc);
}
